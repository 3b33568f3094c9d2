package bridge_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"smsbridge/bridge"
)

// lane is the context of a turn: its Err is true before anything is told of it.
type lane struct {
	context.Context
	taken atomic.Bool
}

func (l *lane) Err() error {
	if l.taken.Load() {
		return bridge.ErrTakenOver
	}
	return l.Context.Err()
}

// TestTakenBetweenSegments: where another instance may have the message, the carrier hears of it
// before the next segment, and what was sent by then stays on record.
func TestTakenBetweenSegments(t *testing.T) {
	r := newRig(t, options{idle: true})
	s := r.accept(ann, phone, long, "1")
	turn := &lane{Context: t.Context()}
	r.carrier.plays(func(ctx context.Context, sub bridge.Submission) bridge.Result {
		res := answers(bridge.OutcomeNotWritten, "id-1")(ctx, sub)
		if err := sub.May(); err != nil {
			t.Errorf("before it is taken: %v", err)
		}
		turn.taken.Store(true)
		if res.Err = sub.May(); !errors.Is(res.Err, bridge.ErrTakenOver) {
			t.Errorf("once it is taken: %v", res.Err)
		}
		return res
	})
	_ = r.DispatchMT(turn, r.head())
	if got := r.story(s.ID); len(got.Segments) != 1 || got.Segments[0].SMSCID != "id-1" || got.State.Final() {
		t.Errorf("story %+v", got)
	}
}
