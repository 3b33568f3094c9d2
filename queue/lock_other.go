//go:build !unix

package queue

import "os"

// lockFile cannot lock here: keep one daemon for each data directory.
func lockFile(*os.File) error { return nil }
