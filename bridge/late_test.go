package bridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"smsbridge/bridge"
)

// lastSubmission is the last that the SMSC got.
func (r *rig) lastSubmission() bridge.Submission {
	r.t.Helper()
	all := r.carrier.submitted.get()
	return all[len(all)-1]
}

func lateResult(o bridge.Outcome, ids ...string) bridge.Result {
	return bridge.Result{Link: "one", Account: "acme", Outcome: o, SMSCIDs: ids, Total: 1, Detail: "The operator says no"}
}

// A sender who was told that nobody knows is told nothing else; but what is learned later
// stands in the history, and the receipt belongs to its message.
func TestLateAnswerAfterTheEnd(t *testing.T) {
	tests := []struct {
		name  string
		late  bridge.Result
		stat  string // of a receipt
		tells []string
	}{
		{"taken", lateResult(bridge.OutcomeSent, "77"), "", []string{"it took the message"}},
		{"taken and delivered", lateResult(bridge.OutcomeSent, "77"), "DELIVRD", []string{"it took the message", "receipt came too late: The phone has"}},
		{"taken and not delivered", lateResult(bridge.OutcomeSent, "77"), "UNDELIV", []string{"it took the message", "receipt came too late: The operator could not deliver"}},
		{"a part taken", lateResult(bridge.OutcomeNotWritten, "77"), "", []string{"took a part; the rest was not sent"}},
		{"refused", lateResult(bridge.OutcomePermanent), "", []string{"not taken: The operator says no."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			r.carrier.plays(answers(bridge.OutcomeUnknown))
			told := r.send(ann, phone, "Bonjour", "1")
			r.lastSubmission().Late(t.Context(), tt.late)
			if tt.stat != "" {
				r.receipt("77", tt.stat, phone)
				r.receipt("77", tt.stat, phone)
			}
			s := r.story(told.ID)
			if s.State != bridge.Unknown || s.Detail != told.Detail || !s.Told {
				t.Errorf("story %+v", s)
			}
			news := s.History[len(told.History):]
			if len(news) != len(tt.tells) {
				t.Fatalf("history %+v", s.History)
			}
			for i, want := range tt.tells {
				if news[i].State != bridge.Unknown || !strings.Contains(news[i].Detail, want) {
					t.Errorf("%+v does not tell %q", news[i], want)
				}
			}
			r.settle()
			if told := r.messenger.of(t, ann, bridge.OUTStatus, 1); len(told) != 1 {
				t.Errorf("told %+v", told)
			}
			if st := r.Stats(); st.ReceiptsUnknown != 0 || st.Ended[bridge.Ended{State: bridge.Unknown, Reason: bridge.ReasonUncertain}] != 1 {
				t.Errorf("counted %+v", st)
			}
		})
	}
}

// An answer that comes while the turn still ends the message waits for it.
func TestLateAnswerDuringTheTurn(t *testing.T) {
	r := newRig(t, options{})
	heard := make(chan struct{})
	r.carrier.plays(func(ctx context.Context, s bridge.Submission) bridge.Result {
		res := answers(bridge.OutcomeUnknown)(ctx, s)
		go func() {
			defer close(heard)
			s.Late(t.Context(), lateResult(bridge.OutcomeSent, "77"))
		}()
		return res
	})
	id := r.send(ann, phone, "Bonjour", "1").ID
	receive(t, heard, "the late answer")
	if s := r.story(id); s.State != bridge.Unknown || !s.Told || len(s.History) != 3 || len(s.Segments) != 1 {
		t.Errorf("story %+v", s)
	}
}

// What was accepted after all is not sent again.
func TestLateAnswerSparesTheResend(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown))
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.laterOnce()
	r.lastSubmission().Late(t.Context(), lateResult(bridge.OutcomeSent, "77"))
	if s := r.story(id); s.State != bridge.Sent || !s.NextAt.IsZero() || s.Detail != "" {
		t.Errorf("story %+v", s)
	}
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if err := r.DispatchMO(t.Context(), r.receiptOf("77", "DELIVRD", phone)); err != nil {
		t.Fatal(err)
	}
	if s := r.story(id); s.State != bridge.Delivered || len(r.carrier.texts()) != 1 {
		t.Errorf("story %+v after %q", s, r.carrier.texts())
	}
}

// laterOnce dispatches the message at the head, which must ask for another try.
func (r *rig) laterOnce() {
	r.t.Helper()
	later, ok := errors.AsType[*bridge.LaterError](r.DispatchMT(r.t.Context(), r.head()))
	if !ok {
		r.t.Fatal("it is not to be dispatched again")
	}
	r.clock.reach(later.At)
}

// Of a long text only what was not accepted after all is sent again.
func TestLateAnswerToASegment(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown))
	id := r.accept(ann, phone, strings.Repeat("x", 300), "1").ID
	r.laterOnce()
	late := lateResult(bridge.OutcomeNotWritten, "77")
	late.Total = 2
	r.lastSubmission().Late(t.Context(), late)
	r.carrier.plays(answers(bridge.OutcomeSent, "78"))
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if done := r.lastSubmission().Done; len(done) != 1 || done[0] != "77" {
		t.Errorf("submitted again behind %q", done)
	}
	if s := r.story(id); s.State != bridge.Sent || len(s.Segments) != 2 {
		t.Errorf("story %+v", s)
	}
}

// A refusal that comes late changes nothing: the message is sent again, as decided.
func TestLateRefusalBeforeTheResend(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown))
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.laterOnce()
	r.lastSubmission().Late(t.Context(), lateResult(bridge.OutcomePermanent))
	if s := r.story(id); s.State != bridge.Accepted || !strings.Contains(s.History[2].Detail, "not taken") {
		t.Errorf("story %+v", s)
	}
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || r.story(id).State != bridge.Sent {
		t.Errorf("got %v, %+v", err, r.story(id))
	}
}

// While the message waits for a link to be sent again over, an answer that comes late stops
// that: nothing is written.
func TestLateAnswerWhileTheResendWaits(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown))
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.laterOnce()
	first := r.lastSubmission()
	r.carrier.plays(func(ctx context.Context, s bridge.Submission) bridge.Result {
		first.Late(t.Context(), lateResult(bridge.OutcomeSent, "77"))
		res := answers(bridge.OutcomeSent, "78")(ctx, s)
		if res.Err == nil {
			t.Error("it was written again")
		}
		return res
	})
	if err := r.DispatchMT(t.Context(), r.head()); !errors.Is(err, bridge.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Error(err)
	}
	if s := r.story(id); s.State != bridge.Sent || len(s.Segments) != 1 || s.Segments[0].SMSCID != "77" {
		t.Errorf("story %+v", s)
	}
}

// Where it was sent again already, both of its ids tell its receipt.
func TestLateAnswerAfterTheResend(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown), answers(bridge.OutcomeSent, "78"))
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.laterOnce()
	first := r.lastSubmission()
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	before := r.story(id)
	first.Late(t.Context(), lateResult(bridge.OutcomeSent, "77"))
	if s := r.story(id); s.State != bridge.Sent || len(s.Segments) != 1 || len(s.History) != len(before.History) {
		t.Errorf("story %+v", s)
	}
	if err := r.DispatchMO(t.Context(), r.receiptOf("77", "DELIVRD", phone)); err != nil {
		t.Fatal(err)
	}
	if s := r.story(id); s.State != bridge.Delivered {
		t.Errorf("story %+v", s)
	}
}
