package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began []time.Time
		c := newCommitter(func() error {
			began = append(began, time.Now())
			time.Sleep(10 * time.Millisecond)
			return nil
		})
		start := time.Now()
		var waiting sync.WaitGroup
		for n := range 100 {
			waiting.Go(func() {
				time.Sleep(time.Duration(n) * 100 * time.Microsecond) // within the first sync
				called := time.Now()
				if err := c.Wait(t.Context(), 0); err != nil {
					t.Error(err)
				}
				// Some sync began after the call and has ended.
				if n > 0 && time.Since(called) < 10*time.Millisecond {
					t.Errorf("waited %s only", time.Since(called))
				}
			})
		}
		waiting.Wait()
		c.Close()
		if len(began) != 2 || !began[0].Equal(start) || !began[1].Equal(start.Add(10*time.Millisecond)) {
			t.Errorf("syncs began at %v", began)
		}
		if err := c.Wait(t.Context(), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestGroupCommitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("input/output error")
		c := newCommitter(func() error {
			time.Sleep(time.Millisecond)
			return broken
		})
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if err := c.Wait(t.Context(), 0); !errors.Is(err, broken) {
					t.Errorf("got %v", err)
				}
			})
		}
		waiting.Wait()
		// The kernel has reported it and would now say that all is well.
		broken = nil
		if err := c.Wait(t.Context(), 0); err == nil || c.Err() == nil {
			t.Error("a lost write was forgotten")
		}
		// What is written once the store was brought onto the disk is promised again, and
		// what was written before never is.
		c.renew()
		if err := c.Wait(t.Context(), c.Era()); err != nil || c.Err() != nil {
			t.Errorf("after renew: %v", err)
		}
		if err := c.Wait(t.Context(), c.Era()-1); !errors.Is(err, errLost) {
			t.Errorf("for a write of before: %v", err)
		}
		c.Close()
	})
}

func TestGroupCommitCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitter(func() error {
			time.Sleep(time.Minute)
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Wait(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		c.Close()
	})
}

func TestRetryDelay(t *testing.T) {
	const shortest, longest = 100 * time.Millisecond, 10 * time.Second
	want := shortest
	for attempt := range 200 {
		if d := retryDelay(attempt, shortest, longest); d > want || d < want*3/4 {
			t.Errorf("attempt %d: %s, want up to %s", attempt, d, want)
		}
		want = min(2*want, longest)
	}
}
