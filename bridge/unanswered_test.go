package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// TestUnansweredQuestion: the phone is told that nobody got its texts, which become dead
// letters, and the next text begins anew.
func TestUnansweredQuestion(t *testing.T) {
	shared := addressing.MustParseNumber("+33700000010")
	r := newRig(t, options{book: addressing.Config{Dedicated: map[addressing.Number]addressing.Handle{}, Shared: []addressing.Number{shared}}})
	for _, h := range []addressing.Handle{ann, bob} {
		r.send(h, phone, "Bonjour", "1")
	}
	one := r.fromPhone(phone, shared, "for whom")
	two := r.fromPhone(phone, shared, "and this")
	toPhone := func(want string) {
		t.Helper()
		r.carrier.submitted.until(t, want, func(all []bridge.Submission) bool {
			return slices.ContainsFunc(all, func(s bridge.Submission) bool { return strings.Contains(s.Text, want) })
		})
	}
	toPhone("For whom is your message?")
	r.clock.pass(6 * time.Hour)
	defer r.runParts()() // it ends the question once all is done: until then new texts wait
	r.store.dead.until(t, "both texts", func(all []bridge.Dead) bool {
		return len(all) == 2 && all[0].ID == one.ID && all[1].ID == two.ID && strings.Contains(all[0].Detail, "did not answer")
	})
	toPhone("nobody got it")
	if all := r.told(ann, 0); len(all) != 0 {
		t.Errorf("ann got %q", all)
	}
	r.fromPhone(phone, shared, "1") // it answers nothing any more, and is a text of its own
	r.fromPhone(phone, shared, "2")
	r.hears(bob, "1")
}
