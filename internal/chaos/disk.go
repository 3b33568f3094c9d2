//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskSize is how large the file system of the daemon is, in bytes.
const diskSize = 512 << 20

// disk is a file system of the daemon's own, in a file, so that it can be filled and frozen
// and nobody else notices. It takes root and a loop device.
type disk struct {
	image, dir string
}

// newDisk makes and mounts one in dir. The error says why this machine cannot.
func newDisk(dir string) (*disk, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("a file system of its own takes root")
	}
	d := &disk{image: filepath.Join(dir, "disk.img"), dir: filepath.Join(dir, "disk")}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	image, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := image.Truncate(diskSize); err != nil {
		return nil, err
	}
	if err := image.Close(); err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-m", "0", d.image}, {"mount", "-o", "loop", d.image, d.dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil { //nolint:noctx // it is over in a moment
			return nil, fmt.Errorf("%s: %w: %s", command[0], err, out)
		}
	}
	return d, nil
}

// data is where the daemon may write.
func (d *disk) data() string { return filepath.Join(d.dir, "data") }

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill takes all of the space but so many bytes.
func (d *disk) fill(leave int64) error {
	var free unix.Statfs_t
	if err := unix.Statfs(d.dir, &free); err != nil {
		return err
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	size := int64(free.Bavail)*free.Bsize - leave
	err = unix.ENOSPC // the daemon takes some meanwhile
	for ; errors.Is(err, unix.ENOSPC) && size > 0; size -= 1 << 20 {
		err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// empty gives the space back.
func (d *disk) empty() error { return os.Remove(d.ballast()) }

// The requests of fsfreeze(8), linux/fs.h.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// freeze lets whoever writes to the disk wait; thaw ends that.
func (d *disk) freeze() error { return d.control(fiFreeze) }

func (d *disk) thaw() error { return d.control(fiThaw) }

func (d *disk) control(request uint) error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return unix.IoctlSetInt(int(f.Fd()), request, 0)
}

// remove unmounts it; what is in it is gone.
func (d *disk) remove() error {
	_ = d.thaw()                                                                // fails where it is not frozen, as it should be
	if out, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil { //nolint:noctx // it is over in a moment
		return fmt.Errorf("umount %s: %w: %s", d.dir, err, out)
	}
	return errors.Join(os.Remove(d.image), os.Remove(d.dir))
}
