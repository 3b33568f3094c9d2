//go:build linux

package main

import (
	"os"
	"path/filepath"
)

// restored puts an old copy of the daemon's store in its place, where that is what is wrong on
// purpose: the first kill takes the copy, the fifth brings it back.
func (r *run) restored() error {
	if r.cfg.broken != brokenRestore {
		return nil
	}
	old := filepath.Join(r.dir, "old")
	switch r.killed() {
	case 1:
		return os.CopyFS(old, os.DirFS(r.dataDir(0)))
	case 5:
		if err := os.RemoveAll(r.dataDir(0)); err != nil {
			return err
		}
		return os.CopyFS(r.dataDir(0), os.DirFS(old))
	default:
		return nil
	}
}
