package queue

import (
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
func syncStore(dir *os.File) error {
	return unix.Syncfs(int(dir.Fd()))
}

// freeSpace is what an unprivileged process may still write to dir's file system, in bytes.
func freeSpace(dir *os.File) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
