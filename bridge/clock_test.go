package bridge_test

import (
	"errors"
	"testing"
	"time"

	"smsbridge/bridge"
)

// setBack makes the clock wrong: what was stored before is of the future now.
func (c *clock) setBack(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(-by)
}

// A clock that is set back by an hour makes no message wait for an hour more.
func TestClockSetBack(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.carrier.plays(answers(bridge.OutcomeTemporary))
	id := r.accept(ann, phone, "Bonjour", "1").ID
	later, ok := errors.AsType[*bridge.LaterError](r.DispatchMT(t.Context(), r.head()))
	if !ok || !later.At.Equal(r.clock.now().Add(5*time.Second)) {
		t.Fatalf("got %v, want it 5 s later", later)
	}
	r.clock.setBack(time.Hour)
	r.restart()
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || r.story(id).State != bridge.Sent {
		t.Errorf("after the clock was set back: %v, %+v", err, r.story(id))
	}
}

// A receipt that waits for its message waits no longer than ever.
func TestClockSetBackWhileAReceiptWaits(t *testing.T) {
	r := newRig(t, options{idle: true})
	m := r.receiptOf("stranger", "DELIVRD", phone)
	m.ReceivedAt = r.clock.now()
	r.clock.setBack(time.Hour)
	later, ok := errors.AsType[*bridge.LaterError](r.DispatchMO(t.Context(), m))
	if wait := later.At.Sub(r.clock.now()); !ok || wait <= 0 || wait > 10*time.Second {
		t.Errorf("it waits for %s; want at most 10 s", wait)
	}
}
