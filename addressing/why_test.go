package addressing_test

import (
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
)

// TestFindings: an operator is told what the Book does and why, and asking changes nothing.
func TestFindings(t *testing.T) {
	var (
		carl   = addressing.MustParseHandle("web:carl")
		dora   = addressing.MustParseHandle("web:dora")
		shared = addressing.MustParseNumber("+33700000010")
		quiet  = addressing.MustParseNumber("+33700000011")
		phone2 = addressing.MustParseMSISDN("+33612345679")
		now    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		store  = newMemory()
	)
	b := newBook(t, store, addressing.Config{
		Pool: pool[:1], Dedicated: map[addressing.Number]addressing.Handle{desk: dora}, Shared: []addressing.Number{shared, quiet},
		Inboxes: map[addressing.Number]addressing.Handle{quiet: dora}, Now: func() time.Time { return now },
	})
	assign := func(h addressing.Handle, phone addressing.MSISDN) addressing.Number {
		t.Helper()
		c, err := b.Assign(t.Context(), h, phone)
		if err != nil {
			t.Fatal(err)
		}
		return c.Number
	}
	reply := func(phone addressing.MSISDN, n addressing.Number, who addressing.Handle, want string) {
		t.Helper()
		f, err := b.FindReply(t.Context(), phone, n)
		if err != nil || f.Handle != who || !strings.Contains(f.Why, want) {
			t.Errorf("a reply over %v: %+v, %v; want %v, %q", n, f, err, who, want)
		}
	}
	send := func(h addressing.Handle, n addressing.Number, want string) {
		t.Helper()
		before := store.records[phone1]
		f, err := b.FindNumber(t.Context(), h, phone1)
		if err != nil || f.Number != n || !strings.Contains(f.Why, want) {
			t.Errorf("a text of %v: %+v, %v; want %v, %q", h, f, err, n, want)
		}
		if len(store.records[phone1].Entries) != len(before.Entries) {
			t.Error("asking made a conversation")
		}
	}
	nobody := addressing.Handle{}
	reply(phone1, pool[0], nobody, "nobody has written")
	reply(phone1, quiet, dora, "this is its inbox")
	reply(phone1, desk, dora, "dedicated to it; nobody has written yet")
	reply(phone1, pool[1], nobody, "no number of this bridge")
	send(ann, pool[0], "first number of the pool")
	send(dora, desk, "own number")
	if n := assign(ann, phone1); n != pool[0] {
		t.Fatal(n)
	}
	reply(phone1, pool[0], ann, "its own on this phone; open until 2026-04-01")
	send(ann, pool[0], "there is a conversation over it")

	over := assign(bob, phone1) // the pool is taken
	reply(phone1, over, bob, "the only open conversation")
	r := store.records[phone1]
	if assign(carl, phone2) != pool[0] || len(r.Entries) != 2 {
		t.Fatal(r)
	}
	if _, err := b.Release(t.Context(), bob, phone1); err != nil {
		t.Fatal(err)
	}
	reply(phone1, over, bob, "the only conversation that there was; over since 2026-01-01, resting until 2026-01-31")
	assign(bob, phone1)
	// Somebody has the same of the two, of whom rendezvous hashing gives each person one.
	for _, h := range []addressing.Handle{carl, addressing.MustParseHandle("web:emil"), addressing.MustParseHandle("web:finn"), addressing.MustParseHandle("web:gus")} {
		if assign(h, phone1) == over {
			break
		}
	}
	reply(phone1, over, nobody, "2 people share this number with the phone")

	if changed, err := b.SetOptout(t.Context(), phone1, ann, true); err != nil || !changed {
		t.Fatal(changed, err)
	}
	send(ann, addressing.Number{}, "opted out of it on 2026-01-01")
	if changed, err := b.SetOptout(t.Context(), phone1, nobody, true); err != nil || !changed {
		t.Fatal(changed, err)
	}
	send(bob, addressing.Number{}, "opted out of everybody")
	if changed, err := b.SetOptout(t.Context(), phone1, nobody, true); err != nil || changed {
		t.Errorf("the same again: %v, %v", changed, err)
	}
	var all []addressing.Optout
	if err := b.RangeOptouts(t.Context(), func(o addressing.Optout) bool { all = append(all, o); return true }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Handle != ann || !all[1].Handle.IsZero() || all[0].By != "operator" {
		t.Errorf("%+v", all)
	}
	now = now.Add(130 * 24 * time.Hour)
	views, err := b.ViewsOver(t.Context(), pool[0])
	if err != nil || len(views) != 2 || views[0].Phase != addressing.PhaseOver {
		t.Errorf("%+v, %v", views, err)
	}
}
