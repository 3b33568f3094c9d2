package addressing_test

import (
	"maps"
	"testing"
	"time"

	"smsbridge/addressing"
)

// What there is in all records: conversations by what their number is for, opt-outs, and phones on which
// the pool has no number left. Time alone frees them.
func TestCensus(t *testing.T) {
	r := newRenaming(t, addressing.Config{
		Pool: pool[:1], Shared: []addressing.Number{pool[2]}, Dedicated: map[addressing.Number]addressing.Handle{desk: bob},
		ReleaseAfter: 96 * time.Hour, Rest: 96 * time.Hour,
	})
	holds := func(when string, open map[string]int, optouts, taken int) {
		t.Helper()
		c, err := r.Census(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(c.Open, func(_ string, n int) bool { return n == 0 })
		if !maps.Equal(c.Open, open) || c.Optouts != optouts || c.PoolTaken != taken || !c.At.Equal(r.at) {
			t.Errorf("%s: %+v; want %v open, %d opt-outs, %d taken", when, c, open, optouts, taken)
		}
		if n := c.Numbers; n[addressing.UsePool] != 1 || n[addressing.UseShared] != 1 || n[addressing.UseDedicated] != 1 {
			t.Errorf("%s: numbers %v", when, n)
		}
	}
	holds("nothing", map[string]int{}, 0, 0)
	r.assign(ann)  // over the pool
	r.assign(bob)  // over his own
	r.assign(carl) // over the shared one, for there is no other
	if _, err := r.SetOptout(t.Context(), phone1, carl, true); err != nil {
		t.Fatal(err)
	}
	now := map[string]int{addressing.UsePool: 1, addressing.UseShared: 1, addressing.UseDedicated: 1}
	holds("three people", now, 1, 1)
	if changed, err := r.AddNumber(t.Context(), pool[1], addressing.UsePool, nobody); err != nil || !changed {
		t.Fatalf("%v, %v", changed, err)
	}
	if c, err := r.Census(t.Context()); err != nil || c.PoolTaken != 0 || c.Numbers[addressing.UsePool] != 2 {
		t.Errorf("with another number: %+v, %v", c, err)
	}
	if changed, err := r.Retire(t.Context(), pool[1], false); err != nil || !changed {
		t.Fatalf("%v, %v", changed, err)
	}
	holds("it is retired", now, 1, 1)
	r.pass(97 * time.Hour)
	holds("they are over, and rest", map[string]int{}, 1, 1)
	r.pass(96 * time.Hour)
	holds("they have rested", map[string]int{}, 1, 0)
}
