package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// FileSystem is how a disk is formatted and mounted.
type FileSystem struct {
	Name    string   // as mount(2) has it: ext4, xfs, btrfs
	Size    int64    // of the disk, in octets
	Mkfs    []string // the command, to which the file is added
	Options string   // of mount(2)
}

// The file systems that are tested.
var (
	Ext4 = FileSystem{Name: "ext4", Size: 512 << 20, Mkfs: []string{"mkfs.ext4", "-q", "-F"}}
	XFS  = FileSystem{Name: "xfs", Size: 512 << 20, Mkfs: []string{"mkfs.xfs", "-q", "-f"}}
	// Btrfs keeps its metadata twice on one disk, so that half of one copy may be lost.
	Btrfs = FileSystem{Name: "btrfs", Size: 512 << 20, Mkfs: []string{"mkfs.btrfs", "-q", "-f"}}
)

// Machine is a disk with a file system that is mounted. Its methods may not be called
// concurrently, but while others use the Disk and the files.
type Machine struct {
	*Disk
	// Dir is where the file system is.
	Dir string

	t    testing.TB
	fs   FileSystem
	fuse *fuse
	file string // the FUSE file beneath the loop device
}

// Mount formats a disk in memory and mounts it. What a cut leaves of the disk's
// cache follows from seed. It is gone at the end of the test. The test is skipped, with the
// reason, where the machine has no means; see [Namespaced].
func Mount(t testing.TB, fs FileSystem, seed uint64) *Machine {
	t.Helper()
	m := &Machine{t: t, fs: fs, Dir: t.TempDir()}
	if _, err := exec.LookPath(fs.Mkfs[0]); err != nil {
		missing(t, err.Error())
	}
	now, stable, err := m.images()
	if err != nil {
		t.Fatal(err)
	}
	m.Disk = New(now, stable, seed)
	dir := t.TempDir()
	m.file = filepath.Join(dir, fileName)
	if m.fuse, err = mountFUSE(m.Disk, dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.unmount()
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount FUSE: %v", err)
		}
		m.fuse.done.Wait()
		_, _ = unix.Munmap(now), unix.Munmap(stable)
	})
	if err := m.mount(); err != nil {
		t.Fatal(err)
	}
	return m
}

// images are a formatted disk in memory, twice.
func (m *Machine) images() (now, stable []byte, err error) {
	fd, err := unix.MemfdCreate("smsbridge-disk", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("disk: memory: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Ftruncate(fd, m.fs.Size); err != nil {
		return nil, nil, fmt.Errorf("disk: memory: %w", err)
	}
	args := append(slices.Clone(m.fs.Mkfs[1:]), fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd))
	if said, err := exec.Command(m.fs.Mkfs[0], args...).CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("disk: %s: %w: %s", m.fs.Mkfs[0], err, said)
	}
	if now, err = m.load(fd); err == nil {
		stable, err = m.load(fd)
	}
	return now, stable, err
}

// load copies what was written of a file into memory. The rest takes none until it
// is written.
func (m *Machine) load(fd int) ([]byte, error) {
	image, err := unix.Mmap(-1, 0, int(m.fs.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("disk: memory: %w", err)
	}
	var from, to int64
	for {
		from, err = unix.Seek(fd, to, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // no more
			return image, nil
		}
		if err == nil {
			to, err = unix.Seek(fd, from, unix.SEEK_HOLE)
		}
		if err == nil {
			_, err = unix.Pread(fd, image[from:to], from)
		}
		if err != nil {
			return nil, fmt.Errorf("disk: read what %s made: %w", m.fs.Mkfs[0], err)
		}
	}
}

// mount attaches a loop device and mounts the file system.
func (m *Machine) mount() error {
	device, err := attachLoop(m.file)
	if err != nil {
		return err
	}
	defer device.Close() // the mount keeps it
	if err := unix.Mount(device.Name(), m.Dir, m.fs.Name, unix.MS_NODEV|unix.MS_NOSUID, m.fs.Options); err != nil {
		return fmt.Errorf("disk: mount %s on %s: %w", m.fs.Name, m.Dir, err)
	}
	return nil
}

// attachLoop gives a loop device on file, which is freed with its last user.
func attachLoop(file string) (*os.File, error) {
	// Not os.OpenFile, which polls the file without telling the scheduler: this process
	// answers that itself, and would wait for ever when it stops for the garbage collector.
	backing, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("disk: open %s: %w", file, err)
	}
	defer func() { _ = unix.Close(backing) }()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("disk: no loop device is free: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("disk: %w", err)
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &unix.LoopConfig{
			Fd: uint32(backing), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR},
		})
		if err == nil {
			return device, nil
		}
		_ = device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was quicker
			return nil, fmt.Errorf("disk: loop device %s: %w", device.Name(), err)
		}
	}
}

// unmount takes the file system away, with the disk's power on or off. Nobody may use it.
func (m *Machine) unmount() {
	m.t.Helper()
	if err := unix.Unmount(m.Dir, 0); err != nil {
		m.t.Fatalf("unmount %s: %v; is it in use?", m.fs.Name, err)
	}
}

// PowerUp gives the machine power again after a cut: the file system is mounted anew, from
// what the disk still has. Nobody may use the files of before.
func (m *Machine) PowerUp() {
	m.t.Helper()
	m.Cut() // if nobody did
	m.unmount()
	m.Disk.PowerUp()
	if err := m.mount(); err != nil {
		m.t.Fatalf("after a power cut: %v", err)
	}
}

// Sync writes all that is unwritten to the disk, as the kernel does from time to time.
func (m *Machine) Sync() error {
	dir, err := os.Open(m.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}
