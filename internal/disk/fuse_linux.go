package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// This file is as much of FUSE (include/uapi/linux/fuse.h, protocol 7.31) as a file system
// of one file needs whose only user is the loop driver.

// The requests that are answered with more than an error.
const (
	fuseLookup     = 1
	fuseForget     = 2
	fuseGetattr    = 3
	fuseSetattr    = 4
	fuseOpen       = 14
	fuseRead       = 15
	fuseWrite      = 16
	fuseStatfs     = 17
	fuseRelease    = 18
	fuseFsync      = 20
	fuseFlush      = 25
	fuseInit       = 26
	fuseOpendir    = 27
	fuseReleasedir = 29
	fuseInterrupt  = 36
	fuseBatch      = 42 // of FORGET
)

const (
	fuseHeader   = 40      // octets of fuse_in_header
	maxWrite     = 1 << 20 // octets of data of one WRITE
	rootNode     = 1
	fileNode     = 2
	fileName     = "disk"
	forever      = 1 << 30 // seconds: nothing changes but by the kernel's own writes
	openDirectIO = 1       // FOPEN_DIRECT_IO: no cache of pages between the loop device and the disk
)

// fuse serves a Disk as the file "disk" of a file system.
type fuse struct {
	disk *Disk
	fd   int
	done sync.WaitGroup
}

// mountFUSE mounts the file system on dir and serves it until it is unmounted.
func mountFUSE(d *Disk, dir string) (*fuse, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("disk: /dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("smsbridge-disk", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("disk: mount FUSE on %s: %w", dir, err)
	}
	f := &fuse{disk: d, fd: fd}
	f.done.Go(f.serve)
	return f, nil
}

// serve answers one request after the other until the file system is unmounted.
func (f *fuse) serve() {
	defer func() { _ = unix.Close(f.fd) }()
	request := make([]byte, maxWrite+4096)
	for {
		n, err := unix.Read(f.fd, request)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAGAIN):
			continue // ENOENT: the request was interrupted before it was read
		case err != nil || n < fuseHeader:
			return // ENODEV: unmounted
		}
		opcode := le.Uint32(request[4:])
		if opcode == fuseForget || opcode == fuseBatch || opcode == fuseInterrupt {
			continue // these have no answer
		}
		body, code := f.answer(opcode, le.Uint64(request[16:]), request[fuseHeader:n])
		if code != 0 {
			body = nil
		}
		reply := le.AppendUint32(nil, uint32(16+len(body)))
		reply = le.AppendUint32(reply, uint32(-int32(code)))
		reply = append(reply, request[8:16]...) // the request's unique id
		if _, err := unix.Write(f.fd, append(reply, body...)); err != nil && !errors.Is(err, unix.ENOENT) {
			return
		}
	}
}

var le = binary.LittleEndian

// answer plays one request.
func (f *fuse) answer(opcode uint32, node uint64, in []byte) (out []byte, code unix.Errno) {
	switch opcode {
	case fuseInit:
		return initReply(), 0
	case fuseLookup:
		if string(in) != fileName+"\x00" {
			return nil, unix.ENOENT
		}
		entry := le.AppendUint64(nil, fileNode)
		entry = le.AppendUint64(entry, 0) // generation
		entry = le.AppendUint64(entry, forever)
		entry = le.AppendUint64(entry, forever)
		entry = le.AppendUint64(entry, 0) // the nanoseconds of both
		return append(entry, f.attributes(fileNode)...), 0
	case fuseGetattr, fuseSetattr:
		out = le.AppendUint64(nil, forever)
		out = le.AppendUint64(out, 0)
		return append(out, f.attributes(node)...), 0
	case fuseOpen, fuseOpendir:
		out = make([]byte, 16)
		if opcode == fuseOpen {
			le.PutUint32(out[8:], openDirectIO)
		}
		return out, 0
	case fuseStatfs:
		return make([]byte, 80), 0
	case fuseRelease, fuseReleasedir, fuseFlush:
		return nil, 0
	case fuseRead:
		out = make([]byte, le.Uint32(in[16:]))
		return out, errno(f.disk.ReadAt(out, int64(le.Uint64(in[8:]))))
	case fuseWrite:
		data := in[40:][:le.Uint32(in[16:])]
		return le.AppendUint64(nil, uint64(len(data))), errno(f.disk.WriteAt(data, int64(le.Uint64(in[8:]))))
	case fuseFsync:
		return nil, errno(f.disk.Flush())
	default:
		return nil, unix.ENOSYS
	}
}

func errno(err error) unix.Errno {
	if err != nil {
		return unix.EIO
	}
	return 0
}

// initReply is fuse_init_out.
func initReply() []byte {
	const major, minor, bigWrites, maxPages = 7, 31, 1 << 5, 1 << 22
	out := make([]byte, 64)
	le.PutUint32(out[0:], major)
	le.PutUint32(out[4:], minor)
	le.PutUint32(out[12:], bigWrites|maxPages)
	le.PutUint16(out[16:], 16) // max_background
	le.PutUint16(out[18:], 12) // congestion_threshold
	le.PutUint32(out[20:], maxWrite)
	le.PutUint32(out[24:], 1)                    // time_gran, ns
	le.PutUint16(out[28:], uint16(maxWrite>>12)) // max_pages
	return out
}

// attributes is fuse_attr of a node.
func (f *fuse) attributes(node uint64) []byte {
	mode, size := uint32(unix.S_IFDIR|0o700), int64(0)
	if node == fileNode {
		mode, size = unix.S_IFREG|0o600, f.disk.Size()
	}
	out := make([]byte, 88)
	le.PutUint64(out[0:], node)
	le.PutUint64(out[8:], uint64(size))
	le.PutUint64(out[16:], uint64(size/sector))
	le.PutUint32(out[60:], mode)
	le.PutUint32(out[64:], 1)    // links
	le.PutUint32(out[80:], 4096) // block size
	return out
}
