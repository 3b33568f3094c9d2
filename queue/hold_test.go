package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"smsbridge/bridge"
)

// TestHoldStages: what comes to a stage that is held stays queued until it is not, in order, and
// no other stage waits.
func TestHoldStages(t *testing.T) {
	s := open(t, t.TempDir())
	s.HoldStages([]string{"mt", "out"})
	handled := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		handled.add(m.ID)
		return nil
	})
	free := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	mo := make(chan error, 1)
	go func() {
		mo <- s.RunMO(ctx, func(_ context.Context, m bridge.MO) error {
			free <- m.ID
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-mo; err != nil {
			t.Error(err)
		}
	})
	publish(t, s, mt(1, 0), mt(1, 1))
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if d := s.RouteDepths(); len(d) == 1 && d[0].Messages == 2 { // the lane has them
			break
		}
		if time.Now().After(end) {
			t.Fatal("the lane does not take them")
		}
	}
	if err := s.PublishMO(t.Context(), bridge.MO{V: 1, ID: "mo", Source: bridge.Address{Addr: "33612345678"}}); err != nil {
		t.Fatal(err)
	}
	receive(t, free, "what is not held")
	if got := handled.get(); len(got) != 0 {
		t.Errorf("handled %v while that was held", got)
	}
	s.HoldStages(nil)
	if got := handled.wait(t, 2); !slices.Equal(got, []string{mt(1, 0).ID, mt(1, 1).ID}) {
		t.Errorf("handled %v", got)
	}
}

// TestHolds: what an operator holds at one instance the others hold as well, and a restart
// changes nothing.
func TestHolds(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	one, two := open(t, "", external(remote)), open(t, "", external(remote))
	told := make(chan []bridge.Hold, 100)
	here, err := bridge.NewHolds(t.Context(), one, func([]bridge.Hold) {})
	if err != nil {
		t.Fatal(err)
	}
	there, err := bridge.NewHolds(t.Context(), two, func(all []bridge.Hold) { told <- all })
	if err != nil {
		t.Fatal(err)
	}
	set := func(h *bridge.Holds, name string, held, want bool) {
		t.Helper()
		changed, err := h.Set(t.Context(), bridge.HoldLink, name, "ed", held)
		if err != nil || changed != want {
			t.Errorf("%s %t: changed %t, %v", name, held, changed, err)
		}
	}
	awaitHeld := func(want ...string) {
		t.Helper()
		for {
			var names []string
			for _, h := range receive(t, told, "the other's hold") {
				if h.Kind != bridge.HoldLink || h.By != "ed" || h.At.IsZero() {
					t.Errorf("held %+v", h)
				}
				names = append(names, h.Name)
			}
			if slices.Equal(names, want) {
				return
			}
		}
	}
	set(here, "main", true, true)
	set(here, "main", true, false)
	awaitHeld("main")
	set(here, "a b.*", true, true)
	awaitHeld("a b.*", "main")
	set(there, "main", false, true)
	awaitHeld("a b.*")
	set(here, "main", false, false)
	set(here, "main", true, true)
	awaitHeld("a b.*", "main")

	again, err := bridge.NewHolds(t.Context(), open(t, "", external(remote)), func([]bridge.Hold) {})
	if err != nil {
		t.Fatal(err)
	}
	if all := again.All(); len(all) != 2 || all[1].Name != "main" {
		t.Errorf("a third instance begins with %+v", all)
	}
}
