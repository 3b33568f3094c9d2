package disk

import (
	"errors"
	"math/rand/v2"
	"sync"
)

// sector is what a disk writes whole or not at all, in octets.
const sector = 512

// ErrNoPower is what a disk says whose power was cut.
var ErrNoPower = errors.New("disk: no power")

// Disk is a disk with a volatile write cache. Its methods may be called concurrently.
type Disk struct {
	mu     sync.Mutex
	now    []byte // as the machine sees it
	stable []byte // as a power cut leaves it, but for what survives of cache
	cache  []span // written since the last flush, oldest first
	rand   *rand.Rand
	off    bool
	ops    int           // writes and flushes since PowerUp
	cutAt  int           // the op that the power fails at; 0: none
	cut    chan struct{} // closed once the power failed
}

// span is a part of the disk, in octets.
type span struct{ off, len int64 }

// New makes a disk on two equal images, which it writes to. What a cut leaves of its
// cache follows from seed.
func New(now, stable []byte, seed uint64) *Disk {
	return &Disk{now: now, stable: stable, rand: rand.New(rand.NewPCG(seed, 0)), cut: make(chan struct{})}
}

// Size is in octets.
func (d *Disk) Size() int64 { return int64(len(d.now)) }

// ReadAt reads all of b, within the disk.
func (d *Disk) ReadAt(b []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return ErrNoPower
	}
	if off < 0 || off+int64(len(b)) > d.Size() {
		return errors.New("disk: a read beyond the end")
	}
	copy(b, d.now[off:])
	return nil
}

// WriteAt writes b, within the disk, into the cache.
func (d *Disk) WriteAt(b []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return ErrNoPower
	}
	if off < 0 || off+int64(len(b)) > d.Size() {
		return errors.New("disk: a write beyond the end")
	}
	copy(d.now[off:], b)
	d.cache = append(d.cache, span{off, int64(len(b))})
	return d.count()
}

// Flush makes what was written outlive a cut.
func (d *Disk) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return ErrNoPower
	}
	if err := d.count(); err != nil {
		return err // the power failed before anything was flushed
	}
	for _, w := range d.cache {
		copy(d.stable[w.off:w.off+w.len], d.now[w.off:])
	}
	d.cache = d.cache[:0]
	return nil
}

// count cuts the power at the op that CutAfter said. The lock is held.
func (d *Disk) count() error {
	d.ops++
	if d.ops == d.cutAt {
		d.fail()
		return ErrNoPower
	}
	return nil
}

// CutAfter cuts the power in the middle of the n-th write or flush from now on.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAt = d.ops + n
}

// Cut cuts the power now, if it is on.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.off {
		d.fail()
	}
}

// Lost is closed once the power failed, until PowerUp.
func (d *Disk) Lost() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut
}

// fail decides what survives of the cache. The lock is held.
func (d *Disk) fail() {
	d.off = true
	kept := d.survivors()
	for i, w := range d.cache {
		// In the order of the writes; a later one may cover an earlier one, and then the
		// content is the later one's: what a disk merged in its cache.
		copy(d.stable[w.off:w.off+kept[i]], d.now[w.off:])
	}
	for _, w := range d.cache {
		copy(d.now[w.off:w.off+w.len], d.stable[w.off:])
	}
	d.cache = d.cache[:0]
	close(d.cut)
}

// survivors gives how many octets of each write in the cache outlive the cut.
func (d *Disk) survivors() []int64 {
	kept := make([]int64, len(d.cache))
	switch d.rand.IntN(3) {
	case 0: // nothing does
	case 1: // the first do, the last of them torn
		first := d.rand.IntN(len(d.cache) + 1)
		for i, w := range d.cache[:first] {
			kept[i] = w.len
			if i == first-1 {
				kept[i] = d.torn(w)
			}
		}
	default: // any do
		for i, w := range d.cache {
			switch d.rand.IntN(4) {
			case 0:
				kept[i] = w.len
			case 1:
				kept[i] = d.torn(w)
			}
		}
	}
	return kept
}

// torn is some of the sectors of a write.
func (d *Disk) torn(w span) int64 { return min(w.len, sector*d.rand.Int64N(w.len/sector+1)) }

// PowerUp gives the disk power again.
func (d *Disk) PowerUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off, d.ops, d.cutAt = false, 0, 0
	d.cut = make(chan struct{})
}

// Ops counts the writes and flushes since PowerUp, or New.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}
