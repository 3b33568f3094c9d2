package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestLater: a message that asks for a later time comes back then, before the next of its
// conversation; the credit of its lane is free meanwhile, and it counts as no failure.
func TestLater(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) { c.Credit = 1 })
	publish(t, s, mt(1, 1), mt(1, 2), mt(2, 3))
	r := newRecord()
	var at time.Time
	var asked atomic.Bool
	stop := work(t, s, func(_ context.Context, m bridge.MT) error {
		if m.ID == mt(1, 1).ID && asked.CompareAndSwap(false, true) {
			at = time.Now().Add(5 * time.Second) // longer than a busy machine takes for the other one
			return &bridge.LaterError{At: at}
		}
		if m.ID == mt(1, 1).ID && time.Now().Before(at) {
			t.Error("the message came before its time")
		}
		r.add(m.ID)
		return nil
	})
	defer stop()
	want := []string{mt(2, 3).ID, mt(1, 1).ID, mt(1, 2).ID}
	for i, got := range r.wait(t, len(want)) {
		if got != want[i] {
			t.Errorf("message %d is %s; want %s", i, got, want[i])
		}
	}
	if n := s.Stats()["mt"].Retried; n != 0 {
		t.Errorf("%d retries were counted", n)
	}
}
