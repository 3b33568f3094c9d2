//go:build unix

package ops

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes f for who opened it until it is closed, and tells whether another has it. A file
// system without locks lets everybody.
func lockFile(f *os.File) (taken bool) {
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
