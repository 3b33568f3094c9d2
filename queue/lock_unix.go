//go:build unix

package queue

import (
	"os"
	"syscall"
)

// lockFile takes f for this process until it ends, however it ends.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
