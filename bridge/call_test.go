package bridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// calls keeps call-detail records for a test to look at.
type calls struct {
	*recorder[bridge.Call]
	refuse func(bridge.Call) error
}

func newCalls() *calls { return &calls{recorder: newRecorder[bridge.Call]()} }

func (c *calls) PublishCall(_ context.Context, call bridge.Call) error {
	c.add(call)
	if c.refuse != nil {
		return c.refuse(call)
	}
	return nil
}

// of waits for the record of a message, and fails the test where there are two.
func (c *calls) of(t *testing.T, id string) bridge.Call {
	t.Helper()
	var found []bridge.Call
	c.until(t, "the record of "+id, func(all []bridge.Call) bool {
		found = nil
		for _, call := range all {
			if call.ID == id {
				found = append(found, call)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Errorf("%d records of %s: %+v", len(found), id, found)
	}
	return found[0]
}

// withRoute says what a real carrier says of a text besides.
func withRoute(next answer) answer {
	return func(ctx context.Context, s bridge.Submission) bridge.Result {
		r := next(ctx, s)
		r.Encoding, r.Count, r.Route, r.CostClass = "gsm7", r.Total, "+33", "cheap"
		return r
	}
}

func status(next answer, name string) answer {
	return func(ctx context.Context, s bridge.Submission) bridge.Result {
		r := next(ctx, s)
		r.StatusName = name
		return r
	}
}

// The record of a message to a phone has all that is known of it, and nothing of its text.
func TestCallOfMT(t *testing.T) {
	c := newCalls()
	r := newRig(t, options{calls: c})
	start := r.clock.now()
	r.carrier.plays(
		withRoute(status(answers(bridge.OutcomeTemporary), "ESME_RMSGQFUL")),
		withRoute(answers(bridge.OutcomeSent, "11", "12")),
	)
	s := r.send(ann, phone, strings.Repeat("x", 200), "mine")
	r.clock.pass(time.Minute)
	r.receipt("11", "DELIVRD", phone)
	r.clock.pass(time.Minute)
	r.receipt("12", "DELIVRD", phone)
	got := c.of(t, s.ID)
	want := bridge.Call{
		V: 1, ID: s.ID, Kind: bridge.CallMT, Handle: "xmpp:ann@corp.example", Number: "+33700000001", Phone: "+336*****678", NetworkID: "mine",
		AcceptedAt: start, SubmittedAt: start, AnsweredAt: start.Add(5 * time.Second), ReceiptAt: start.Add(5*time.Second + 2*time.Minute),
		EndedAt: start.Add(5*time.Second + 2*time.Minute), State: bridge.Delivered, Attempts: 2, Segments: 2, Encoding: "gsm7", Route: "+33",
		Link: "one", Account: "acme", CostClass: "cheap", SMSCIDs: []string{"11", "12"}, Codes: []string{"000", "000"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// However a message to a phone ends there is one record of it, with the reason.
func TestCallOfEachEnd(t *testing.T) {
	tests := []struct {
		name   string
		answer answer
		after  func(*rig, bridge.Story)
		state  bridge.State
		reason bridge.Reason
		status string
	}{
		{"refused for good", status(answers(bridge.OutcomePermanent), "ESME_RINVDSTADR"), nil, bridge.Failed, bridge.ReasonRejected, "ESME_RINVDSTADR"},
		{"no answer", answers(bridge.OutcomeUnknown), nil, bridge.Unknown, bridge.ReasonUncertain, ""},
		{"no receipts", func(ctx context.Context, s bridge.Submission) bridge.Result {
			res := answers(bridge.OutcomeSent, "1")(ctx, s)
			res.NoReceipts = true
			return res
		}, nil, bridge.Sent, "", ""},
		{"undeliverable", answers(bridge.OutcomeSent, "1"), func(r *rig, _ bridge.Story) { r.receipt("1", "UNDELIV", phone) }, bridge.Failed, bridge.ReasonUndeliverable, ""},
		{"twice", answers(bridge.OutcomeSent, "1"), func(r *rig, _ bridge.Story) {
			r.receipt("1", "DELIVRD", phone)
			r.receipt("1", "DELIVRD", phone)
		}, bridge.Delivered, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalls()
			r := newRig(t, options{calls: c, hub: bridge.Config{CallPhone: addressing.MSISDN.String}})
			r.carrier.plays(tt.answer)
			s := r.send(ann, phone, "Bonjour", "1")
			if tt.after != nil {
				tt.after(r, s)
			}
			r.settle()
			got := c.of(t, s.ID)
			if got.State != tt.state || got.Reason != tt.reason || got.Status != tt.status || got.Phone != phone.String() || got.Attempts != 1 {
				t.Errorf("record %+v", got)
			}
		})
	}
}

// Where a crash comes between the record and the word that it was made, the record comes
// again, and says the same.
func TestCallOverACrash(t *testing.T) {
	c := newCalls()
	r := newRig(t, options{calls: c})
	r.store.onPutStory = fails(1, func(s bridge.Story) bool { return s.Told })
	s := r.send(ann, phone, "Bonjour", "1")
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
	all := c.get()
	if len(all) != 2 || all[0].ID != s.ID {
		t.Fatalf("records %+v", all)
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" {
		t.Error(diff)
	}
}

// A record that cannot be stored for a moment is tried again; one that there is no room for is
// counted, and holds up nothing.
func TestCallNotStored(t *testing.T) {
	c := newCalls()
	c.refuse = fails(1, func(bridge.Call) bool { return true })
	r := newRig(t, options{calls: c})
	r.carrier.plays(answers(bridge.OutcomePermanent))
	first := r.send(ann, phone, "Bonjour", "1")
	if n := len(c.get()); n != 2 || r.Stats().CallsLost != 0 || !r.story(first.ID).Told {
		t.Errorf("%d records", n)
	}
	c.refuse = func(bridge.Call) error { return errors.Join(errBroken, bridge.ErrFull) }
	r.carrier.plays(answers(bridge.OutcomePermanent))
	second := r.send(ann, phone, "Bonjour", "2")
	if !r.story(second.ID).Told || r.Stats().CallsLost != 1 {
		t.Errorf("lost %d", r.Stats().CallsLost)
	}
}

// A text from a phone has one record, whatever becomes of it.
func TestCallOfMO(t *testing.T) {
	tests := []struct {
		name   string
		play   func(*rig) (id string)
		handle string
		want   bridge.Call
	}{
		{"delivered", func(r *rig) string { return r.fromPhone(phone, number, "Salut").ID }, ann.String(), bridge.Call{State: bridge.Delivered, Segments: 1}},
		{"in parts", func(r *rig) string {
			parts := r.longText(long, 7)
			r.dispatched(parts[1], parts[0], parts[2])
			return parts[0].ID
		}, ann.String(), bridge.Call{State: bridge.Delivered, Segments: 3}},
		{"to nobody", func(r *rig) string { return r.fromPhone(other, number, "Salut").ID }, "", bridge.Call{State: bridge.Failed, Reason: bridge.ReasonUnroutable, Segments: 1}},
		{"unreadable", func(r *rig) string {
			m := r.text(r.bind("s"), phone, number, "Salut")
			m.Source.Addr = "?"
			r.dispatched(m)
			return m.ID
		}, "", bridge.Call{State: bridge.Failed, Reason: bridge.ReasonUnreadable, Segments: 1}},
		{"a keyword", func(r *rig) string { return r.fromPhone(phone, number, "STOP").ID }, "", bridge.Call{State: bridge.Handled, Segments: 1}},
		{"refused by the messenger", func(r *rig) string {
			r.messenger.script(func(_ context.Context, out bridge.OUT) error {
				if out.Text == "Salut" {
					return bridge.ErrUndeliverable
				}
				return nil
			})
			return r.fromPhone(phone, number, "Salut").ID
		}, ann.String(), bridge.Call{State: bridge.Failed, Reason: bridge.ReasonUndeliverable, Segments: 1}},
		{"to who reads the log", func(r *rig) string {
			r.send(eve, other, "Bonjour", "1")
			return r.fromPhone(other, number, "Salut").ID
		}, eve.String(), bridge.Call{State: bridge.Delivered, Segments: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalls()
			r := newRig(t, options{calls: c})
			r.send(ann, phone, "Bonjour", "1")
			id := tt.play(r)
			r.settle()
			got := c.of(t, id)
			coding := byte(0)
			want := tt.want
			want.V, want.ID, want.Kind, want.Handle, want.DataCoding, want.Link, want.Account = 1, id, bridge.CallMO, tt.handle, &coding, "one", "acme"
			want.Number, want.Phone, want.AcceptedAt, want.EndedAt = got.Number, got.Phone, got.AcceptedAt, got.EndedAt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if tt.name != "unreadable" && (got.Number != number.String() || !strings.Contains(got.Phone, "***")) || got.AcceptedAt.IsZero() || got.EndedAt.IsZero() {
				t.Errorf("record %+v", got)
			}
		})
	}
}

// Texts that wait for the answer to a question have their records once they are somebody's; the
// answer was for the bridge.
func TestCallOfAQuestion(t *testing.T) {
	c := newCalls()
	opt := sharing(addressing.Config{Pool: []addressing.Number{}})
	opt.calls = c
	r := newRig(t, opt)
	r.send(ann, phone, "hello", "1")
	r.send(bob, phone, "hello", "1")
	first := r.toCode("first")
	answer := r.toCode("2")
	if got := c.of(t, first.ID); got.State != bridge.Delivered || got.Handle != bob.String() {
		t.Errorf("record %+v", got)
	}
	if got := c.of(t, answer.ID); got.State != bridge.Handled {
		t.Errorf("record %+v", got)
	}
}
