package disk_test

import (
	"bytes"
	"errors"
	"testing"

	"smsbridge/internal/disk"
)

func newDisk(seed uint64) *disk.Disk {
	const size = 1 << 20
	return disk.New(make([]byte, size), make([]byte, size), seed)
}

func TestCutKeepsWhatWasFlushed(t *testing.T) {
	outcomes := make(map[string]int) // of the second write
	for seed := range uint64(200) {
		d := newDisk(seed)
		first, second := bytes.Repeat([]byte("a"), 4096), bytes.Repeat([]byte("b"), 4096)
		ok(t, d.WriteAt(first, 8192))
		ok(t, d.Flush())
		ok(t, d.WriteAt(second, 16384))
		d.Cut()
		<-d.Lost()
		if err := d.WriteAt(first, 0); !errors.Is(err, disk.ErrNoPower) {
			t.Fatalf("a write without power: %v", err)
		}
		d.PowerUp()
		got := make([]byte, 4096)
		ok(t, d.ReadAt(got, 8192))
		if !bytes.Equal(got, first) {
			t.Fatalf("seed %d: what was flushed is gone", seed)
		}
		ok(t, d.ReadAt(got, 16384))
		switch n := bytes.Count(got, []byte("b")); {
		case n == 0:
			outcomes["lost"]++
		case n == len(got):
			outcomes["kept"]++
		case n%512 == 0 && bytes.HasPrefix(got, second[:n]):
			outcomes["torn"]++
		default:
			t.Fatalf("seed %d: %d octets survived", seed, n)
		}
	}
	for _, outcome := range []string{"lost", "kept", "torn"} {
		if outcomes[outcome] < 10 {
			t.Errorf("of 200 cuts %v", outcomes)
			break
		}
	}
}

func TestCutInTheMiddle(t *testing.T) {
	d := newDisk(1)
	d.CutAfter(3)
	ok(t, d.WriteAt([]byte("one"), 0))
	ok(t, d.Flush())
	if err := d.Flush(); !errors.Is(err, disk.ErrNoPower) {
		t.Errorf("the third op: %v", err)
	}
	<-d.Lost()
}

func TestBeyondTheEnd(t *testing.T) {
	d := newDisk(1)
	for _, off := range []int64{-1, d.Size()} {
		if d.WriteAt([]byte("x"), off) == nil || d.ReadAt(make([]byte, 1), off) == nil {
			t.Errorf("at %d of %d", off, d.Size())
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
