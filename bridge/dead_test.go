package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
)

// letter is the only dead letter that there is.
func (r *rig) letter() bridge.Dead {
	r.t.Helper()
	all, total, err := r.store.DeadLetters(r.t.Context(), 10)
	if err != nil || total != 1 {
		r.t.Fatalf("%d dead letters %+v, %v", total, all, err)
	}
	return all[0]
}

// requeue puts the only letter back, after which it is gone and the operator is on record.
func (r *rig) requeue() (old, id string) {
	r.t.Helper()
	d := r.letter()
	id, err := r.Requeue(r.t.Context(), r.store, d.ID, "op")
	if err != nil || id == d.ID {
		r.t.Fatalf("requeued as %s, %v", id, err)
	}
	if _, err := r.Requeue(r.t.Context(), r.store, d.ID, "op"); !errors.Is(err, bridge.ErrNotFound) {
		r.t.Errorf("a letter that is gone: %v", err)
	}
	r.onRecord(bridge.Audit{V: 1, By: "op", Action: bridge.ActionRequeue, ID: d.ID, Stage: d.Stage, Reason: d.Reason, NewID: id})
	return d.ID, id
}

// onRecord fails unless the operator did this, last.
func (r *rig) onRecord(want bridge.Audit) {
	r.t.Helper()
	all, err := r.store.Audits(r.t.Context(), 1)
	if err != nil || len(all) != 1 {
		r.t.Fatalf("on record is %+v, %v", all, err)
	}
	want.At = all[0].At
	if diff := cmp.Diff(want, all[0]); diff != "" {
		r.t.Error(diff)
	}
}

// A message on which the bridge had a defect is tried again: it is a new one with a final
// state of its own, and its sender hears of both.
func TestRequeueMT(t *testing.T) {
	defective := func(context.Context, bridge.Submission) bridge.Result { panic("a defect") }
	for _, from := range []struct {
		name string
		log  []string
	}{
		{ann.String(), nil},
		{eve.String(), []string{"mt acceptedBonjour", "status failed", "mt acceptedBonjour", "status sent", "status delivered"}},
	} {
		t.Run(from.name, func(t *testing.T) {
			r := newRig(t, options{})
			handle := ann
			if from.log != nil {
				handle = eve
			}
			r.carrier.plays(defective, answers(bridge.OutcomeSent, "77"))
			before := r.send(handle, phone, "Bonjour", "1")
			_, id := r.requeue()
			r.done(r.mt, id)
			r.receipt("77", "DELIVRD", phone)
			r.settle()
			if s := r.story(id); s.State != bridge.Delivered || !s.Told || s.NetworkID != before.NetworkID {
				t.Errorf("the new story is %+v", s)
			}
			if s := r.story(before.ID); s.State != bridge.Failed || len(s.History) != len(before.History) {
				t.Errorf("the old story is %+v", s)
			}
			if from.log != nil {
				if diff := cmp.Diff(from.log, r.log(handle, phone)); diff != "" {
					t.Error(diff)
				}
				return
			}
			var told []bridge.State
			for _, m := range r.messenger.of(t, handle, bridge.OUTStatus, 3) {
				if told = append(told, m.State); m.State == bridge.Accepted && m.Detail == "" {
					t.Error("it is not said that it is tried again")
				}
			}
			if diff := cmp.Diff([]bridge.State{bridge.Failed, bridge.Accepted, bridge.Delivered}, told); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However slow the log is, that a message is tried again stands before what became of it.
func TestRequeueIsToldFirst(t *testing.T) {
	r := newRig(t, options{})
	submitted := make(chan struct{})
	sent := answers(bridge.OutcomeSent, "77")
	r.carrier.plays(
		func(context.Context, bridge.Submission) bridge.Result { panic("a defect") },
		func(ctx context.Context, s bridge.Submission) bridge.Result {
			close(submitted)
			return sent(ctx, s)
		},
	)
	r.send(eve, phone, "Bonjour", "1")
	r.store.mu.Lock()
	r.store.onLog = func(e bridge.Entry) error {
		if e.Kind == bridge.EntryMT {
			select {
			case <-submitted:
				t.Error("it was submitted before it was in the log")
			case <-time.After(200 * time.Millisecond): // long enough for a dispatch that does not wait
			}
		}
		return nil
	}
	r.store.mu.Unlock()
	_, id := r.requeue()
	r.done(r.mt, id)
	if diff := cmp.Diff([]string{"mt acceptedBonjour", "status failed", "mt acceptedBonjour", "status sent"}, r.log(eve, phone)); diff != "" {
		t.Error(diff)
	}
}

// What the SMSC has is not sent again, whatever the operator asks for.
func TestRequeueWhatWasSent(t *testing.T) {
	r := newRig(t, options{})
	r.store.mu.Lock()
	r.store.onPutRef = func(string) error { panic("a defect") }
	r.store.mu.Unlock()
	r.carrier.plays(answers(bridge.OutcomeSent, "77"))
	r.send(ann, phone, "Bonjour", "1")
	if _, err := r.Requeue(t.Context(), r.store, r.letter().ID, "op"); !errors.Is(err, bridge.ErrNothingToRequeue) {
		t.Errorf("got %v", err)
	}
	r.letter() // is still there
}

// A text that belonged to nobody finds its owner once there is one, though it was
// dealt with before.
func TestRequeueMO(t *testing.T) {
	r := newRig(t, options{})
	r.fromPhone(phone, number, "for ann")
	r.send(ann, phone, "Bonjour", "1")
	old, id := r.requeue()
	r.done(r.mo, id)
	if diff := cmp.Diff([]string{"for ann"}, r.told(ann, 1)); diff != "" || id != old+"-again" {
		t.Error(id, diff)
	}
}

// A text that the network refused is given to it again.
func TestRequeueOUT(t *testing.T) {
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	r.messenger.script(func(_ context.Context, m bridge.OUT) error {
		if m.Text == "hello" {
			return fmt.Errorf("no: %w", bridge.ErrUndeliverable)
		}
		return nil
	})
	r.fromPhone(phone, number, "hello")
	r.settle()
	r.messenger.script(nil)
	r.requeue()
	r.messenger.until(t, "the text", func(all []bridge.OUT) bool {
		return slices.ContainsFunc(all, func(m bridge.OUT) bool { return m.Text == "hello" && m.Handle == ann })
	})
}

// Whoever was not told when the message died is told when it is given up.
func TestDrop(t *testing.T) {
	r := newRig(t, options{idle: true})
	s := r.accept(ann, phone, "Bonjour", "1")
	m := r.head()
	if err := r.store.PublishDead(t.Context(), bridge.Dead{V: 1, ID: m.ID, Stage: "MT", Reason: bridge.ReasonInternal, MT: &m}); err != nil {
		t.Fatal(err)
	}
	if err := r.Drop(t.Context(), r.store, m.ID, "op"); err != nil {
		t.Fatal(err)
	}
	if s := r.story(s.ID); s.State != bridge.Failed || s.Reason != bridge.ReasonInternal || !s.Told {
		t.Errorf("story %+v", s)
	}
	r.onRecord(bridge.Audit{V: 1, By: "op", Action: bridge.ActionDrop, ID: m.ID, Stage: "MT", Reason: bridge.ReasonInternal})
	if err := r.Drop(t.Context(), r.store, m.ID, "op"); !errors.Is(err, bridge.ErrNotFound) {
		t.Errorf("a letter that is gone: %v", err)
	}
}
