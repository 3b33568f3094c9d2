package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The key of the web sessions is made once, whole, and for its owner alone.
func TestOwnSessionKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := ownSessionKey(dir)
	if err != nil || len(first) < 32 {
		t.Fatalf("%d octets, %v", len(first), err)
	}
	if again, err := ownSessionKey(dir); err != nil || string(again) != string(first) {
		t.Errorf("another key, %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if info, err := files[0].Info(); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %s, %v", info.Mode(), err)
	}
}
