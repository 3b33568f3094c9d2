package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

func withCalls(c *queue.Config) { c.CallsMaxBytes = 1 << 20 }

func putCalls(t *testing.T, s *queue.Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.PublishCall(t.Context(), bridge.Call{V: 1, ID: fmt.Sprint("m-", n), Kind: bridge.CallMT}); err != nil {
			t.Fatal(err)
		}
	}
}

// runCalls gives the ids that RunCalls hands over to a write, batch by batch, until stop is called.
func runCalls(t *testing.T, s *queue.Store, write func(ids []string) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.RunCalls(ctx, func(all []bridge.Call) error {
			var ids []string
			for _, c := range all {
				ids = append(ids, c.ID)
			}
			return write(ids)
		})
	}()
	return func() { cancel(); wantError(t, receive(t, done, "the end of RunCalls"), nil) }
}

func wantCalls(t *testing.T, got []string, from, to int) {
	t.Helper()
	var want []string
	for n := from; n < to; n++ {
		want = append(want, fmt.Sprint("m-", n))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d records: %v; want %d to %d", len(got), got, from, to)
	}
}

// Records come in order, each once while all goes well, also more than go at once, and those that
// came before a restart.
func TestCalls(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, withCalls)
	putCalls(t, s, 0, 1500)
	wantError(t, s.PublishCall(t.Context(), bridge.Call{ID: "m-1499", Kind: bridge.CallMT}), nil) // a repeat
	wantError(t, s.Close(), nil)
	s = open(t, dir, withCalls)
	batches := make(chan []string, 10)
	stop := runCalls(t, s, func(ids []string) error { batches <- ids; return nil })
	got := append(receive(t, batches, "a batch"), receive(t, batches, "another")...)
	wantCalls(t, got, 0, 1500)
	putCalls(t, s, 1500, 1503)
	for got = got[:0]; len(got) < 3; {
		got = append(got, receive(t, batches, "the rest")...)
	}
	wantCalls(t, got, 1500, 1503)
	stop()
	if st := s.CallStats(); st != (queue.CallStats{Written: 1503}) {
		t.Errorf("counted %+v", st)
	}
	if len(batches) != 0 {
		t.Errorf("again: %v", <-batches)
	}
}

// What cannot be written stays, holds up nobody, and is made up.
func TestCallsMadeUp(t *testing.T) {
	s := open(t, t.TempDir(), withCalls)
	putCalls(t, s, 0, 3)
	full := errors.New("no space left on device")
	failed, fixed, written := make(chan struct{}, 100), make(chan struct{}), make(chan []string, 10)
	stop := runCalls(t, s, func(ids []string) error {
		select {
		case <-fixed:
			written <- ids
			return nil
		default:
			failed <- struct{}{}
			return full
		}
	})
	receive(t, failed, "a try")
	putCalls(t, s, 3, 5)
	until(t, "a try with all of it that failed", func() bool { st := s.CallStats(); return st.Failing && st.Waiting == 5 })
	if st := s.CallStats(); st.Written != 0 {
		t.Errorf("counted %+v", st)
	}
	close(fixed)
	wantCalls(t, receive(t, written, "all of it"), 0, 5)
	stop()
	if st := s.CallStats(); st.Failing || st.Waiting != 0 || st.Written != 5 || st.Lost != 0 {
		t.Errorf("counted %+v", st)
	}
}

// Where too many wait the oldest go, and are counted; nothing is refused.
func TestCallsLost(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.CallsMaxBytes = 20 << 10 })
	putCalls(t, s, 0, 10)
	first, seen, fixed := true, make(chan []string, 100), make(chan struct{})
	stop := runCalls(t, s, func(ids []string) error {
		select {
		case <-fixed:
		default:
			if !first {
				return errors.New("no space left on device")
			}
		}
		first = false
		seen <- ids
		return nil
	})
	wantCalls(t, receive(t, seen, "the first"), 0, 10)
	const all = 400
	putCalls(t, s, 10, all)
	close(fixed)
	var got []string
	for !slices.Contains(got, fmt.Sprint("m-", all-1)) {
		got = append(got, receive(t, seen, "the rest")...)
	}
	stop()
	st := s.CallStats()
	if st.Lost == 0 || int(st.Lost)+int(st.Written) != all {
		t.Errorf("counted %+v", st)
	}
	wantCalls(t, got, all-len(got), all)
}

// On a cluster's server as well; the stream is there for whoever reads it, as long as it is to be.
func TestCallsAtAnExternalServer(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, js := connect(t, remote.ClientURL())
	s := open(t, "", external(remote), withCalls, func(c *queue.Config) { c.CallsFor = 48 * time.Hour })
	putCalls(t, s, 0, 3)
	stream, err := js.Stream(t.Context(), "CALLS")
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	if info.State.Msgs != 3 || info.Config.MaxAge != 48*time.Hour || info.Config.MaxBytes != 1<<20 {
		t.Errorf("stream %+v", info)
	}
	written := make(chan []string, 1)
	stop := runCalls(t, s, func(ids []string) error { written <- ids; return nil })
	wantCalls(t, receive(t, written, "the records"), 0, 3)
	stop()
}

func TestNoCalls(t *testing.T) {
	s := open(t, t.TempDir())
	wantError(t, s.PublishCall(t.Context(), bridge.Call{ID: "m", Kind: bridge.CallMT}), queue.ErrNoCalls)
	wantError(t, s.RunCalls(t.Context(), func([]bridge.Call) error { return nil }), queue.ErrNoCalls)
}
