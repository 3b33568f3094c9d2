package bridge_test

import (
	"context"
	"testing"

	"smsbridge/bridge"
)

// A defect of the bridge ends one message, honestly, and no other.
func TestDefects(t *testing.T) {
	defective := func(context.Context, bridge.Submission) bridge.Result { panic("a defect") }
	tests := []struct {
		name   string
		script answer
		setup  func(*rig)
		state  bridge.State
		reason bridge.Reason
	}{
		{"before anything was written", defective, nil, bridge.Failed, bridge.ReasonInternal},
		{"after it was written", func(ctx context.Context, s bridge.Submission) bridge.Result {
			if err := s.Attempt(ctx, "one", "acme"); err != nil {
				return bridge.Result{Outcome: bridge.OutcomeNotWritten, Err: err}
			}
			panic("a defect")
		}, nil, bridge.Unknown, bridge.ReasonUncertain},
		{"after it was sent", answers(bridge.OutcomeSent, "77"), func(r *rig) {
			r.store.onPutRef = func(id string) error {
				if id == "77" {
					panic("a defect")
				}
				return nil
			}
		}, bridge.Sent, bridge.ReasonNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			r.store.mu.Lock()
			if tt.setup != nil {
				tt.setup(r)
			}
			r.store.mu.Unlock()
			r.carrier.plays(tt.script)
			s := r.send(ann, phone, "Bonjour", "1")
			if s.State != tt.state || s.Reason != tt.reason || s.Told != s.State.Final() {
				t.Errorf("story %+v", s)
			}
			if dead := r.store.dead.get(); len(dead) != 1 || dead[0].Reason != bridge.ReasonInternal || dead[0].MT.ID != s.ID {
				t.Errorf("dead letters %+v", dead)
			}
			if next := r.send(ann, phone, "again", "2"); next.State != bridge.Sent || r.Stats().Panics != 1 {
				t.Errorf("the next: %+v", next)
			}
		})
	}
}
