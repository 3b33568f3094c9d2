//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// ownersOnly refuses to work on a queue in dir for anybody but its owner: whom root made files for,
// the daemon would be locked out by. Where dir is not there yet its parent's owner counts.
func ownersOnly(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it will be made, for who asks
	}
	if err != nil {
		return fmt.Errorf("data_dir cannot be read: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	name := "#" + strconv.FormatUint(uint64(stat.Uid), 10)
	if owner, err := user.LookupId(name[1:]); err == nil {
		name = owner.Username
	}
	return fmt.Errorf("%s belongs to %s, and so must all that is in it, or its daemon cannot read it: do this as that user (as root: runuser -u %[2]s -- smsbridge ...)", dir, name)
}
