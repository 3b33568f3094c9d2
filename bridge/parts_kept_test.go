package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// kept are the keys of the small records, by their first word.
func (r *rig) kept() (all []string) {
	r.t.Helper()
	err := r.store.RangeParts(r.t.Context(), func(key string, _ []byte, _ uint64) bool {
		all = append(all, strings.Fields(key)[0])
		return true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// TestSmallRecordsEnd: what was counted within a day, and a question that was answered, is deleted when
// it is good for nothing any more. A long message of which a part is missing, and a question that
// waits, are dealt with after the bridge was off for weeks.
func TestSmallRecordsEnd(t *testing.T) {
	shared := addressing.MustParseNumber("+33700000010")
	r := newRig(t, options{book: addressing.Config{Dedicated: map[addressing.Number]addressing.Handle{}, Shared: []addressing.Number{shared}}})
	third := addressing.MustParseMSISDN("+33611111111")
	for _, to := range []addressing.MSISDN{phone, other} {
		for _, h := range []addressing.Handle{ann, bob} {
			r.send(h, to, "Bonjour", to.String())
		}
	}
	waits := r.fromPhone(phone, shared, "for whom?")
	r.fromPhone(other, shared, "for whom?")
	r.fromPhone(other, shared, "1") // and is answered
	r.fromPhone(third, shared, "hello")
	long := r.bind("long").texts(t, phone, shared, r.clock.now(), "@ann "+strings.Repeat("x", 200), 7)
	r.dispatched(long[0])
	before := []string{"nobody", "part", "question", "question", "replies", "replies"}
	if got := r.kept(); !slices.Equal(got, before) {
		t.Fatalf("kept are %q, want %q", got, before)
	}

	r.clock.pass(20 * 24 * time.Hour)
	defer r.runParts()()
	r.store.dead.until(t, "the question that nobody answered", func(all []bridge.Dead) bool {
		return slices.ContainsFunc(all, func(d bridge.Dead) bool { return d.ID == waits.ID })
	})
	r.messenger.until(t, "what came of the long text", func(all []bridge.OUT) bool {
		return slices.ContainsFunc(all, func(m bridge.OUT) bool {
			return m.Handle == ann && strings.HasSuffix(m.Text, "[part 2 of 2 is missing]")
		})
	})
	// What is told of the question counts anew.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got := r.kept()
		if slices.Equal(got, []string{"replies"}) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("left are %q", got)
		}
	}
}

// TestAnswersOfADay: who writes to nobody is told so again the next day.
func TestAnswersOfADay(t *testing.T) {
	r := newRig(t, options{hub: bridge.Config{NobodyReply: "Who is this for?"}})
	r.fromPhone(phone, number, "hello")
	r.clock.pass(24*time.Hour - time.Second)
	r.fromPhone(phone, number, "hello?")
	if n := len(r.carrier.texts()); n > 1 {
		t.Errorf("%d answers within a day", n)
	}
	r.clock.pass(time.Second)
	r.fromPhone(phone, number, "anybody?")
	r.carrier.submitted.wait(t, "the answer of the next day", 2)
}
