package addressing_test

import (
	"testing"

	"smsbridge/addressing"
)

func TestBlocks(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool})
	d := r.Directory()
	block := func(pattern, prefix string, want bool) {
		t.Helper()
		p, err := addressing.ParsePattern(pattern)
		r.must(err)
		changed, err := d.Block(t.Context(), p, prefix)
		if err != nil || changed != want {
			t.Errorf("block %s %s: %v, %v", pattern, prefix, changed, err)
		}
	}
	blocked := func(h addressing.Handle, phone string, want bool) {
		t.Helper()
		if b, got := d.Blocked(h, addressing.MustParseMSISDN(phone)); got != want {
			t.Errorf("%v to %s: blocked %v (%v), want %v", h, phone, got, b, want)
		}
	}
	blocked(ann, "+33612345678", false)
	block("web:ann", "336", true)
	block("web:ann", "336", false)
	block("*", "882", true)
	block("xmpp:*@corp.example", "33612345679", true)
	blocked(ann, "+33612345678", true)
	blocked(ann, "+33712345678", false)
	blocked(bob, "+33612345678", false)
	blocked(bob, "+33612345679", true)
	r.pass(day)
	r.must(r.Rename(t.Context(), ann, carl, false)) // it goes with the person
	blocked(carl, "+33612345678", true)
	r.restart()
	d = r.Directory()
	blocked(carl, "+33612345678", true)
	if all := d.Blocks(); len(all) != 3 || all[0].String() != "* to +882" {
		t.Errorf("%v", all)
	}
	p, err := addressing.ParsePattern(carl.String())
	r.must(err)
	for _, want := range []bool{true, false} {
		if changed, err := d.Unblock(t.Context(), p, "336"); err != nil || changed != want {
			t.Errorf("unblock: %v, %v", changed, err)
		}
	}
	blocked(carl, "+33612345678", false)
	block("xmpp:carl@corp.example", "", true)
	blocked(carl, "+49151234567890", true)
}
