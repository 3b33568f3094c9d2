package bridge_test

import (
	"context"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// The SMSC is told the end of the message's own validity at each attempt: waiting uses it up,
// and no retry makes it longer. Between the attempts lies the schedule.
func TestValidityIsNeverLonger(t *testing.T) {
	const validity = 10 * time.Minute
	r := newRig(t, options{hub: bridge.Config{Validity: validity}})
	var left []time.Duration
	later := func(ctx context.Context, s bridge.Submission) bridge.Result {
		left = append(left, s.ExpiresAt.Sub(r.clock.now()))
		return answers(bridge.OutcomeTemporary)(ctx, s)
	}
	r.carrier.plays(later, later, later, later, later)
	accepted := r.clock.now()
	s := r.send(ann, phone, "Bonjour", "1")
	if s.State != bridge.Expired || r.clock.now().Before(accepted.Add(validity)) {
		t.Errorf("story %+v", s)
	}
	want := []time.Duration{validity, validity - 5*time.Second, validity - 20*time.Second, validity - 80*time.Second, validity - 380*time.Second}
	if len(left) != len(want) {
		t.Fatalf("it was submitted with %v left", left)
	}
	for i, w := range want {
		if d := w - left[i]; d < 0 || d > time.Second {
			t.Errorf("attempt %d had %s left, want %s", i, left[i], w)
		}
	}
}

// Whoever has too much waiting is told so, and not that the bridge is full.
func TestBoundOfASender(t *testing.T) {
	r := newRig(t, options{queue: func(c *queue.Config) { c.MTMaxPerHandle = 1 }})
	r.carrier.plays(noLink)
	r.accept(ann, phone, "first", "1")
	r.carrier.submitted.wait(t, "the first", 1)
	_, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: other.String(), Text: "second"})
	wantRefusal(t, err, bridge.ReasonQueueFull)
	r.accept(bob, addressing.MustParseMSISDN("+33611111111"), "from another", "1")
}
