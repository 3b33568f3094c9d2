package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsbridge/bridge"
	"smsbridge/internal/disk"
	"smsbridge/queue"
)

// mount runs mount(8) for a file system that is gone at the end of the test. The test is
// skipped where that is not allowed.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted here (%v): %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// writers publish until stop, each to a phone of its own: a message that is refused is
// tried again as the sender would. They give the number of messages that were accepted.
func writers(t *testing.T, s *queue.Store, phones int, refused func(error)) (stop func() []int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make([]int, phones)
	var all sync.WaitGroup
	for p := range phones {
		all.Go(func() {
			for ctx.Err() == nil {
				within, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
				err := s.PublishMT(within, mt(p, accepted[p]))
				done()
				if err != nil {
					refused(err)
					continue
				}
				accepted[p]++
			}
		})
	}
	return sync.OnceValue(func() []int {
		cancel()
		all.Wait()
		return accepted
	})
}

// arrival notes the messages that a handler is given, and complains where one comes
// before those that were accepted before it.
type arrival struct {
	mu   sync.Mutex
	next map[string]int
	more chan struct{}
}

func newArrival() *arrival {
	return &arrival{next: make(map[string]int), more: make(chan struct{}, 1)}
}

func (a *arrival) handle(t *testing.T, m bridge.MT) {
	p, n := parseID(t, m.ID)
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.next[p] {
		t.Errorf("phone %s got number %d, and number %d never came", p, n, a.next[p])
	}
	a.next[p] = max(a.next[p], n+1)
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// await waits until all that was accepted has come.
func (a *arrival) await(t *testing.T, accepted []int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		missing := 0
		a.mu.Lock()
		for p, n := range accepted {
			missing += max(0, n-a.next[fmt.Sprint(p)])
		}
		a.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-a.more:
		case <-timeout:
			t.Fatalf("%d messages that were accepted do not come", missing)
		}
	}
}

// awaitHealth waits until the store takes itself for healthy, or for ill.
func awaitHealth(t *testing.T, s *queue.Store, healthy bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := s.Healthy(t.Context())
		if (err == nil) == healthy {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("healthy %t expected: %v", healthy, err)
		}
	}
}

// faulty runs a store under load while its disk is broken and mended, and checks that
// what was accepted before, meanwhile and afterwards comes, in order. Without working the
// messages stay queued until then.
func faulty(t *testing.T, s *queue.Store, working bool, broken func() (mend func()), wantRefusal func(error) bool) {
	t.Helper()
	seen := newArrival()
	handle := func(_ context.Context, m bridge.MT) error {
		seen.handle(t, m)
		return nil
	}
	if working {
		work(t, s, handle)
	}
	publish(t, s, mt(100, 0))
	refused := make(chan struct{})
	once := sync.OnceFunc(func() { close(refused) })
	stop := writers(t, s, 8, func(err error) {
		if wantRefusal(err) {
			once()
		}
	})
	mend := broken()
	receive(t, refused, "a refusal with the reason")
	awaitHealth(t, s, false)
	mend()
	awaitHealth(t, s, true)
	publish(t, s, mt(100, 1))
	accepted := stop()
	if !working {
		work(t, s, handle)
	}
	seen.await(t, accepted)
	queued(t, s, "mt", 0)
}

func quick(c *queue.Config) { c.MinFree = 1 << 20 }

// TestDiskFull fills a real disk under load, to the last byte.
func TestDiskFull(t *testing.T) {
	for _, tt := range []struct {
		name  string
		floor int64
	}{
		{"to the floor", 16 << 20},
		{"to the last byte", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			mount(t, dir, "-t", "tmpfs", "-o", "size=64m", "tmpfs")
			s := open(t, filepath.Join(dir, "queue"), func(c *queue.Config) { c.MinFree = tt.floor })
			faulty(t, s, true, func() func() { return disk.Fill(t, dir) }, func(err error) bool { return errors.Is(err, bridge.ErrFull) })
		})
	}
}

// TestDiskFullForAMoment: what the server wrote last may have failed even where there is room
// again at once. Nothing is taken before it has been looked at, and from then on everything is.
func TestDiskFullForAMoment(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "-t", "tmpfs", "-o", "size=64m", "tmpfs")
	s := open(t, filepath.Join(dir, "queue"), quick)
	free := disk.Fill(t, dir)
	n := 0
	take := func() error { n++; return s.PublishMT(t.Context(), mt(1, n)) }
	for err := take(); !errors.Is(err, bridge.ErrFull); err = take() {
		if err != nil {
			t.Fatal(err)
		}
	}
	free()
	for end := time.Now().Add(patience); take() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("with room again: %v", take())
		}
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err := take(); err != nil {
			t.Fatalf("taken, and then no more: %v", err)
		}
	}
}

// TestDiskFails takes a real file system away in the ways in which disks do. The operator
// unmounts it, which needs that nobody uses it, and mounts it again: what was accepted
// had been synced and is there.
func TestDiskFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		damage  func(t *testing.T, dir string)
		working bool
	}{
		{"with errors on every access, under work", shutDown, true},
		{"with errors on every access, all queued", shutDown, false},
		{"by becoming read-only", makeReadOnly, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
			makeExt4(t, image)
			mount(t, dir, "-o", "loop,errors=remount-ro", image)
			s := open(t, filepath.Join(dir, "queue"), quick)
			broken := func() func() {
				tt.damage(t, dir)
				return func() {
					for end := time.Now().Add(patience); unix.Unmount(dir, 0) != nil; time.Sleep(10 * time.Millisecond) {
						if time.Now().After(end) {
							t.Fatal("the disk is still in use")
						}
					}
					// For a moment there is only the empty directory below.
					if err := s.PublishMT(t.Context(), mt(100, 1)); err == nil {
						t.Error("a message was accepted without a disk")
					}
					mount(t, dir, "-o", "loop,errors=remount-ro", image)
				}
			}
			faulty(t, s, tt.working, broken, func(err error) bool { return !errors.Is(err, bridge.ErrFull) })
		})
	}
}

func makeExt4(t *testing.T, image string) {
	t.Helper()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 256<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("an ext4 file system cannot be made here (%v): %s", err, out)
	}
}

// shutDown makes every access fail with EIO from now on, without writing what is not on
// the disk yet (EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH).
func shutDown(t *testing.T, dir string) {
	t.Helper()
	const ext4Shutdown, noLogFlush = 0x8004587d, 2
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, noLogFlush); err != nil {
		t.Skipf("the file system cannot be shut down here: %v", err)
	}
}

// makeReadOnly lets ext4 find an error, for which it makes itself read-only.
func makeReadOnly(t *testing.T, dir string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	trigger := fmt.Sprintf("/sys/fs/ext4/loop%d/trigger_fs_error", unix.Minor(st.Dev))
	if err := os.WriteFile(trigger, []byte("a test"), 0o200); err != nil {
		t.Skipf("the file system cannot be made to fail here: %v", err)
	}
}
