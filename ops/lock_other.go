//go:build !unix

package ops

import "os"

// lockFile cannot lock here: give each daemon a folder of its own.
func lockFile(*os.File) (taken bool) { return false }
