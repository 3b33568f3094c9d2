package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestRemoveMT: what is removed leaves the queue at once, wherever it stands, and is never handled;
// what a handler has is left to it, and the rest goes on.
func TestRemoveMT(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) { c.Credit = 1 })
	handled, goOn := newRecord(), make(chan struct{})
	later := make(chan struct{}, 1)
	work(t, s, func(_ context.Context, m bridge.MT) error {
		if m.Phone == phone(0) { // its next attempt is far away
			later <- struct{}{}
			return &bridge.LaterError{At: time.Now().Add(time.Hour)}
		}
		handled.add(m.ID)
		<-goOn
		return nil
	})
	publish(t, s, mt(0, 0), mt(0, 1))
	receive(t, later, "the one that waits for its next attempt")
	publish(t, s, mt(1, 0))
	handled.wait(t, 1)
	publish(t, s, mt(1, 1), mt(1, 2), mt(2, 0), mt(3, 0))
	waits(t, s, 7)

	remove := func(ids ...string) {
		t.Helper()
		var sequences []uint64
		err := s.RangeMT(t.Context(), func(sequence uint64, m bridge.MT) bool {
			if slices.Contains(ids, m.ID) {
				sequences = append(sequences, sequence)
			}
			return true
		})
		if err != nil || len(sequences) != len(ids) {
			t.Fatalf("%d of %d are queued, %v", len(sequences), len(ids), err)
		}
		for range 2 { // the second time they are gone
			if err := s.RemoveMT(t.Context(), sequences); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove(mt(1, 1).ID, mt(2, 0).ID)
	queued(t, s, "mt", 5)
	waits(t, s, 5)
	remove(mt(0, 0).ID)
	queued(t, s, "mt", 4)
	remove(mt(0, 1).ID)
	waits(t, s, 3)
	remove(mt(1, 0).ID) // a handler has it
	waits(t, s, 3)
	close(goOn)
	queued(t, s, "mt", 0)
	waits(t, s, 0)
	if got, want := handled.get(), []string{mt(1, 0).ID, mt(1, 2).ID, mt(3, 0).ID}; !sameSet(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
}

// waits waits until the lanes count n messages.
func waits(t *testing.T, s *queue.Store, n int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got := 0
		for _, d := range s.RouteDepths() {
			got += d.Messages
		}
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the lanes count %d messages, want %d", got, n)
		}
	}
}

func sameSet(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
