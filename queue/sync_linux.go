package queue

import (
	"cmp"
	"os"

	"golang.org/x/sys/unix"
)

// groupCommit tells that syncStore works here. Where it does not, the server syncs each
// write by itself, slowly.
const groupCommit = true

// syncStore writes all of the file system that dir is on to the disk. fdatasync of the
// store's files would miss those that were just made or removed. dir must have been
// opened before the writes: the kernel reports write errors to those that were there
// (syncfs(2), since Linux 5.8).
//
// A file system that became read-only is not synced, and syncfs calls that a success.
func syncStore(dir *os.File) error {
	raw, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { // dir stays open meanwhile
		var st unix.Statfs_t
		failed = cmp.Or(unix.Syncfs(int(fd)), unix.Fstatfs(int(fd), &st))
		if failed == nil && st.Flags&unix.ST_RDONLY != 0 {
			failed = unix.EROFS
		}
	})
	return cmp.Or(err, failed)
}

// diskState tells what an unprivileged process may still write to the file system of
// path, in bytes, and whether it may write at all.
func diskState(path string) (free int64, readOnly bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, false, err
	}
	return int64(st.Bavail) * st.Bsize, st.Flags&unix.ST_RDONLY != 0, nil
}
