package bridge

import (
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		name     string
		outcome  Outcome
		attempts int
		resend   bool
		want     step
		after    time.Duration
		state    State
		reason   Reason
		because  Reason // of the result
	}{
		{name: "sent", outcome: OutcomeSent, want: stepSent},
		{name: "never written", outcome: OutcomeNotWritten, want: stepAgain},
		{name: "throttled costs no attempt", outcome: OutcomeThrottled, attempts: 3, want: stepAgain},
		{name: "first refusal for now", outcome: OutcomeTemporary, want: stepLater, after: 5 * time.Second},
		{name: "third refusal for now", outcome: OutcomeTemporary, attempts: 2, want: stepLater, after: time.Minute},
		{name: "the last step repeats", outcome: OutcomeTemporary, attempts: 99, want: stepLater, after: time.Hour},
		{name: "refused for good", outcome: OutcomePermanent, want: stepEnd, state: Failed, reason: ReasonRejected},
		{name: "no route", outcome: OutcomePermanent, because: ReasonUnroutable, want: stepEnd, state: Failed, reason: ReasonUnroutable},
		{name: "unknown", outcome: OutcomeUnknown, want: stepEnd, state: Unknown, reason: ReasonUncertain},
		{name: "unknown, resend", outcome: OutcomeUnknown, resend: true, want: stepLater, after: 5 * time.Second},
	}
	seen := map[Outcome]bool{}
	for _, tt := range tests {
		seen[tt.outcome] = true
		t.Run(tt.name, func(t *testing.T) {
			d := verdict(Result{Outcome: tt.outcome, Detail: "The operator is busy", Reason: tt.because}, tt.attempts, tt.resend)
			if d.step != tt.want || d.after != tt.after || d.state != tt.state || d.reason != tt.reason {
				t.Errorf("verdict = %+v", d)
			}
			if (d.step == stepEnd || d.step == stepLater) && d.detail == "" {
				t.Error("the sender is not told why")
			}
		})
	}
	for _, o := range Outcomes() {
		if !seen[o] {
			t.Errorf("outcome %q is in no row", o)
		}
	}
}

// What a sender reads is a sentence, and no duration of Go.
func TestVerdictWords(t *testing.T) {
	for _, tt := range []struct {
		name, detail string
		outcome      Outcome
		attempts     int
		want         string
	}{
		{"for good", "the operator refused the number", OutcomePermanent, 0, "The operator refused the number."},
		{"a sentence already", "Not now.", OutcomePermanent, 0, "Not now."},
		{"a letter of another script", "оператор занят", OutcomePermanent, 0, "Оператор занят."},
		{"seconds", "it is busy", OutcomeTemporary, 0, "It is busy. Trying again in 5 seconds."},
		{"a minute", "it is busy", OutcomeTemporary, 2, "It is busy. Trying again in 1 minute."},
		{"minutes", "it is busy", OutcomeTemporary, 3, "It is busy. Trying again in 5 minutes."},
		{"an hour", "it is busy", OutcomeTemporary, 99, "It is busy. Trying again in 1 hour."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict(Result{Outcome: tt.outcome, Detail: tt.detail}, tt.attempts, false).detail; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutcomeOfSegments(t *testing.T) {
	seg := func(states ...ReceiptState) []Segment {
		var all []Segment
		for _, s := range states {
			all = append(all, Segment{State: s, Code: "041"})
		}
		return all
	}
	tests := []struct {
		name     string
		segments []Segment
		want     State
		ended    bool
	}{
		{"none yet", seg("", ""), Delivered, false},
		{"one of two", seg(ReceiptDelivered, ""), Delivered, false},
		{"on its way", seg(ReceiptEnroute), Delivered, false},
		{"all", seg(ReceiptDelivered, ReceiptDelivered), Delivered, true},
		{"one failed", seg(ReceiptDelivered, ReceiptFailed, ""), Failed, true},
		{"expired", seg(ReceiptExpired), Expired, true},
		{"the operator does not know", seg(ReceiptUnknown), Unknown, true},
		{"no segments", nil, Delivered, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, ended := outcomeOf(tt.segments)
			if ended != tt.ended || ended && c.State != tt.want {
				t.Errorf("outcomeOf = %+v, %v; want %v, %v", c, ended, tt.want, tt.ended)
			}
			if ended && c.State != Delivered && (c.Reason == ReasonNone || c.Detail == "") {
				t.Errorf("outcomeOf = %+v: the sender is not told why", c)
			}
		})
	}
}

func TestHistoryKeepsItsEnds(t *testing.T) {
	var tr turn
	for i := range 100 {
		tr.story.note(Change{State: Accepted, At: time.Unix(int64(i), 0)})
	}
	h := tr.story.History
	if len(h) != maxHistory || h[0].At.Unix() != 0 || h[len(h)-1].At.Unix() != 99 {
		t.Errorf("history of %d from %v to %v", len(h), h[0].At.Unix(), h[len(h)-1].At.Unix())
	}
}

func TestGates(t *testing.T) {
	var g gates
	if g.empty("x") != nil {
		t.Fatal("an empty place has a gate")
	}
	leave1, leave2 := g.enter("x"), g.enter("x")
	empty := g.empty("x")
	leave1()
	select {
	case <-empty:
		t.Fatal("open with one inside")
	default:
	}
	leave2()
	<-empty
	if g.empty("x") != nil {
		t.Fatal("the gate outlived its use")
	}
}
