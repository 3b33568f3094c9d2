package queue

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
)

// A stage without workers is told, and one whose workers hear nothing of the queue.
func TestWorking(t *testing.T) {
	s := openInternal(t)
	if err := s.Working(); err == nil || !strings.Contains(err.Error(), "mo has no workers; mt has no workers; out has no workers") {
		t.Errorf("before any Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	handled := make(chan string, 1)
	go func() {
		ended <- s.RunMT(ctx, func(_ context.Context, m bridge.MT) error { handled <- m.ID; return nil })
	}()
	go func() { ended <- s.RunMO(ctx, func(context.Context, bridge.MO) error { return nil }) }()
	go func() { ended <- s.RunOUT(ctx, func(context.Context, bridge.OUT) error { return nil }) }()
	defer func() {
		cancel()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	if err := s.PublishMT(ctx, bridge.MT{V: 1, ID: "m"}); err != nil {
		t.Fatal(err)
	}
	<-handled
	for deadline := time.Now().Add(time.Minute); s.Working() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(s.Working())
		}
	}
	if err := s.working(time.Now().Add(2 * idleAfter)); err == nil || !strings.Contains(err.Error(), "mt has workers that heard nothing of the queue for 2m") {
		t.Errorf("after two silent minutes: %v", err)
	}
}

// The trial of a store writes a record, and each second at most one.
func TestWritable(t *testing.T) {
	s := openInternal(t)
	for range 3 {
		if err := s.Writable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Mark(t.Context(), "writable-"+s.id); err != nil {
		t.Errorf("no record was written: %v", err)
	}
	state, err := s.marks.Status(t.Context())
	if err != nil || state.Values() != 1 {
		t.Errorf("%v, %v: want one record", state, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.probes.at = time.Time{}
	if err := s.Writable(t.Context()); err == nil {
		t.Error("a closed store can be written")
	}
}

// openInternal is a store on a new directory; it is closed at the end of the test.
func openInternal(t *testing.T) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queue")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: dir, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
