package queue_test

import (
	"maps"
	"testing"
	"time"
)

// TestReceiptsElsewhere: each instance knows when the others had receipts, of itself it says nothing, and what is
// gone says nothing more.
func TestReceiptsElsewhere(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	first := open(t, "", external(remote), quickLease)
	second := open(t, "", external(remote), quickLease)
	third := open(t, "", external(remote), quickLease)
	noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	first.SayReceipts(func() map[string]time.Time { return map[string]time.Time{"orange": noon, "blue": noon} })
	second.SayReceipts(func() map[string]time.Time { return map[string]time.Time{"orange": noon.Add(time.Hour)} })
	await := func(what string, said func() map[string]time.Time, want map[string]time.Time) {
		t.Helper()
		for end := time.Now().Add(patience); !maps.EqualFunc(said(), want, time.Time.Equal); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %v", what, said())
			}
		}
	}
	await("the third of both", third.ReceiptsElsewhere, map[string]time.Time{"orange": noon.Add(time.Hour), "blue": noon})
	await("the second of the first", second.ReceiptsElsewhere, map[string]time.Time{"orange": noon, "blue": noon})
	await("the first of the second", first.ReceiptsElsewhere, map[string]time.Time{"orange": noon.Add(time.Hour)})
	wantError(t, second.Close(), nil)
	await("the first of nobody", first.ReceiptsElsewhere, nil)
}

// TestReceiptsAlone: a store of its own has nobody to tell.
func TestReceiptsAlone(t *testing.T) {
	s := open(t, t.TempDir())
	s.SayReceipts(func() map[string]time.Time { return map[string]time.Time{"orange": time.Now()} })
	if got := s.ReceiptsElsewhere(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
