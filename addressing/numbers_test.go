package addressing_test

import (
	"errors"
	"testing"

	"smsbridge/addressing"
)

func TestNumbersWhileRunning(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool[:1], Dedicated: map[addressing.Number]addressing.Handle{desk: bob}})
	n := r.assign(ann)
	if _, err := r.Assign(t.Context(), carl, phone1); !errors.Is(err, addressing.ErrNoNumber) {
		t.Fatalf("carl: %v", err)
	}
	add := func(n addressing.Number, use string, h addressing.Handle, ok bool) {
		t.Helper()
		changed, err := r.AddNumber(t.Context(), n, use, h)
		if changed != ok || !ok && err != nil && !errors.Is(err, addressing.ErrInvalid) {
			t.Errorf("add %v: %v, %v", n, changed, err)
		}
	}
	name := addressing.MustParseNumber("Acme")
	add(pool[0], addressing.UsePool, nobody, false)   // the configuration has it
	add(name, addressing.UsePool, nobody, false)      // nobody can answer
	add(pool[1], addressing.UseDedicated, bob, false) // he has one
	add(pool[1], addressing.UsePool, bob, false)      // for nobody alone
	add(pool[1], addressing.UsePool, nobody, true)    //
	add(pool[1], addressing.UsePool, nobody, false)   // it is there
	add(pool[1], addressing.UseShared, nobody, false) // it has another use
	add(pool[2], addressing.UseDedicated, carl, true) //
	r.restart()
	if got := r.assign(carl); got != pool[2] {
		t.Errorf("carl writes from %v", got)
	}
	// A retired number takes nobody new; who is there goes on until it is over.
	for _, want := range []bool{true, false} {
		if changed, err := r.Retire(t.Context(), n, false); err != nil || changed != want {
			t.Errorf("retire: %v, %v", changed, err)
		}
	}
	if got := r.assign(ann); got != n {
		t.Errorf("ann writes from %v", got)
	}
	list, err := r.Numbers(t.Context())
	r.must(err)
	if len(list) != 4 || list[0].Number != pool[0] || list[0].Open != 1 || list[0].RetiredAt.IsZero() || list[1].AddedAt.IsZero() || list[2].Handle != carl || list[3].Handle != bob {
		t.Errorf("%+v", list)
	}
	r.pass(100 * day)
	if got := r.assign(ann); got != pool[1] {
		t.Errorf("after it was over ann writes from %v", got)
	}
	r.owner(n, ann) // a late answer still arrives
	other := addressing.MustParseMSISDN("+33687654321")
	if _, err := r.Lookup(t.Context(), other, n); !errors.Is(err, addressing.ErrNobody) {
		t.Errorf("a first contact over it: %v", err)
	}
	if changed, err := r.Retire(t.Context(), n, true); err != nil || !changed || r.Retired(n) {
		t.Errorf("undo: %v, %v", changed, err)
	}
	if _, err := r.Retire(t.Context(), name, false); !errors.Is(err, addressing.ErrInvalid) {
		t.Errorf("a number of somebody else: %v", err)
	}
}

// TestNumbersThatNobodyServes: what is added while the bridge runs must be as much use as what the
// configuration may name, also in a trial and after another configuration.
func TestNumbersThatNobodyServes(t *testing.T) {
	german := addressing.MustParseNumber("36180;phone-context=+49")
	french := addressing.MustParseNumber("36180;phone-context=+33")
	cfg := addressing.Config{
		Pool: pool[:1],
		Readable: func(n addressing.Number) error {
			if n == german {
				return errors.New("no link is in Germany")
			}
			return nil
		},
		Served: func(h addressing.Handle) error {
			if h == carl {
				return errors.New("carl is no user")
			}
			return nil
		},
	}
	r := newRenaming(t, cfg)
	ctx := t.Context()
	for _, book := range []*addressing.Book{r.Trial(), r.Book} {
		for _, err := range []error{
			second(book.AddNumber(ctx, german, addressing.UsePool, nobody)), second(book.AddNumber(ctx, pool[1], addressing.UseDedicated, carl)),
			second(book.Register(ctx, "", carl)),
		} {
			if !errors.Is(err, addressing.ErrInvalid) {
				t.Errorf("%v, want ErrInvalid", err)
			}
		}
		for _, err := range []error{
			second(book.AddNumber(ctx, french, addressing.UsePool, nobody)), second(book.AddNumber(ctx, pool[1], addressing.UseDedicated, ann)),
			second(book.Register(ctx, "", ann)),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	cfg.Served = nil
	apply, err := r.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	apply()
	if changed, err := r.Register(ctx, "", carl); err != nil || !changed {
		t.Errorf("after a reload: %v, %v", changed, err)
	}
}

func second(_ bool, err error) error { return err }
