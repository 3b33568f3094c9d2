package bridge_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: only a failure is ever waited for so long.
const patience = 30 * time.Second

// recorder keeps what happened, in order, and lets a test wait for it.
type recorder[T any] struct {
	mu   sync.Mutex
	more chan struct{} // closed and renewed with each change
	all  []T
}

func newRecorder[T any]() *recorder[T] { return &recorder[T]{more: make(chan struct{})} }

func (r *recorder[T]) add(what T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, what)
	close(r.more)
	r.more = make(chan struct{})
}

func (r *recorder[T]) get() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// until waits for enough, and returns all that happened by then.
func (r *recorder[T]) until(t testing.TB, what string, enough func([]T) bool) []T {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		all, more := slices.Clone(r.all), r.more
		r.mu.Unlock()
		if enough(all) {
			return all
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("waited in vain for %s; this happened: %+v", what, all)
		}
	}
}

// wait waits until n things have happened.
func (r *recorder[T]) wait(t testing.TB, what string, n int) []T {
	t.Helper()
	return r.until(t, what, func(all []T) bool { return len(all) >= n })
}

func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}
