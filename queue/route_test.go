package queue_test

import (
	"context"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestRouteThatWaits: messages for a route that takes none hold up no other route, even where
// more of them wait than a lane has handlers.
func TestRouteThatWaits(t *testing.T) {
	const credit = 2
	free := phone(1000)
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) {
		c.Credit = credit
		c.RouteOf = func(_ addressing.Handle, p addressing.MSISDN) string {
			if p == free {
				return "free"
			}
			return "down"
		}
	})
	for p := range 5 * credit {
		publish(t, s, mt(p, 0))
	}
	publish(t, s, mt(1000, 0))
	passed := make(chan struct{})
	work(t, s, func(ctx context.Context, m bridge.MT) error {
		if m.Phone == free {
			close(passed)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	receive(t, passed, "the message that could go")
}

// TestRouteDepths: what waits is known by route, with when the oldest came, and what is done is
// not counted.
func TestRouteDepths(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) {
		c.RouteOf = func(_ addressing.Handle, p addressing.MSISDN) string {
			if p == phone(1) {
				return "free"
			}
			return "down"
		}
	})
	before := time.Now()
	for p := range 4 {
		publish(t, s, mt(p, 0))
		publish(t, s, mt(p, 1))
	}
	passed := make(chan struct{}, 2)
	work(t, s, func(ctx context.Context, m bridge.MT) error {
		if m.Phone == phone(1) {
			passed <- struct{}{}
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	for range 2 {
		receive(t, passed, "what could go")
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got := s.RouteDepths()
		if len(got) == 1 && got[0].Route == "down" && got[0].Messages == 6 {
			if at := got[0].OldestAt; at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
				t.Errorf("the oldest came at %s", at)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the routes have %v", got)
		}
	}
}
