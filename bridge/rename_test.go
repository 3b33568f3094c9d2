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

var carl = addressing.MustParseHandle("xmpp:carl@new.example")

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestRenamedWhileWaiting: what waits for a messenger that is away goes to the name of today.
func TestRenamedWhileWaiting(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(ann, phone, "Bonjour", "1")
	waits, asked := make(chan struct{}), make(chan struct{}, 10)
	r.messenger.script(func(ctx context.Context, out bridge.OUT) error {
		asked <- struct{}{}
		if out.Handle == ann {
			<-ctx.Done() // the new name ends it
			return ctx.Err()
		}
		select {
		case <-waits:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	r.fromPhone(phone, s.Number, "Salut")
	receive(t, asked, "the messenger")
	r.clock.pass(time.Hour)
	r.must(r.Book.Rename(t.Context(), ann, carl, false))
	r.receipt(s.Segments[0].SMSCID, "UNDELIV", phone)
	close(waits)

	if diff := cmp.Diff([]string{"Salut"}, r.told(carl, 1)); diff != "" {
		t.Error(diff)
	}
	status := r.messenger.of(t, carl, bridge.OUTStatus, 1)[0]
	if status.State != bridge.Failed || status.ReplyTo != "" {
		t.Errorf("%+v", status)
	}
	if all := r.told(ann, 0); len(all) != 0 {
		t.Errorf("ann was told %q", all)
	}
	r.fromPhone(phone, s.Number, "again")
	if diff := cmp.Diff([]string{"Salut", "again"}, r.told(carl, 2)); diff != "" {
		t.Error(diff)
	}
	if again := r.send(carl, phone, "Oui", "2"); again.Number != s.Number {
		t.Errorf("carl goes on over %v, not %v", again.Number, s.Number)
	}
	var refused *bridge.RefusalError
	if err := r.try(ann, phone.String(), "3"); !errors.As(err, &refused) || refused.Reason != bridge.ReasonNotPermitted || !strings.Contains(refused.Text, "not in use") {
		t.Errorf("ann: %v", err)
	}
	if s := r.accept(ann, phone, "Bonjour", "1"); s.State != bridge.Failed {
		t.Errorf("a repeat of what was sent as ann: %+v", s)
	}
}

// TestRenamedToAnotherNetwork: its users read the log.
func TestRenamedToAnotherNetwork(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(ann, phone, "Bonjour", "1")
	r.must(r.Book.Rename(t.Context(), ann, eve, false))
	r.fromPhone(phone, s.Number, "Salut")
	if diff := cmp.Diff([]string{"mo Salut"}, r.log(eve, phone)); diff != "" {
		t.Error(diff)
	}
	r.must(r.Book.Rename(t.Context(), eve, bob, false))
	r.fromPhone(phone, s.Number, "again")
	if diff := cmp.Diff([]string{"again"}, r.told(bob, 1)); diff != "" {
		t.Error(diff)
	}
}

// TestRemovedWhileWaiting: nobody gets what was meant for somebody who was removed.
func TestRemovedWhileWaiting(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(ann, phone, "Bonjour", "1")
	asked := make(chan struct{}, 10)
	r.messenger.script(func(ctx context.Context, _ bridge.OUT) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	m := r.fromPhone(phone, s.Number, "Salut")
	receive(t, asked, "the messenger")
	r.clock.pass(time.Hour)
	r.must(r.Book.Directory().Remove(t.Context(), ann))
	r.store.dead.until(t, "the dead letter", func(all []bridge.Dead) bool {
		return len(all) == 1 && all[0].ID == m.ID && all[0].OUT != nil && strings.Contains(all[0].Detail, "removed xmpp:ann@corp.example")
	})
	r.messenger.script(nil)
	r.fromPhone(phone, s.Number, "again")
	r.store.dead.until(t, "the second", func(all []bridge.Dead) bool { return len(all) == 2 && all[1].MO != nil })
	if len(r.messenger.get()) != 0 {
		t.Errorf("somebody got %+v", r.messenger.get())
	}
}

// TestQuestionAndRename: the phone answers a question that was asked before a change of name.
func TestQuestionAndRename(t *testing.T) {
	shared := addressing.MustParseNumber("+33700000010")
	r := newRig(t, options{book: addressing.Config{Dedicated: map[addressing.Number]addressing.Handle{}, Shared: []addressing.Number{shared}}})
	for _, h := range []addressing.Handle{ann, bob} {
		r.send(h, phone, "Bonjour", "1")
	}
	r.fromPhone(phone, shared, "for the first")
	r.clock.pass(time.Hour)
	r.must(r.Book.Rename(t.Context(), ann, carl, false))
	r.fromPhone(phone, shared, "1")
	if diff := cmp.Diff([]string{"for the first"}, r.told(carl, 1)); diff != "" {
		t.Error(diff)
	}
	r.fromPhone(phone, shared, "for the second")
	r.clock.pass(time.Hour)
	r.must(r.Book.Directory().Remove(t.Context(), bob))
	r.fromPhone(phone, shared, "2")
	r.store.dead.until(t, "the dead letter", func(all []bridge.Dead) bool {
		return len(all) == 1 && strings.Contains(all[0].Detail, "removed xmpp:bob@corp.example")
	})
}

// TestRenameKeepsTheLimit: a change of name makes no room for more conversations.
func TestRenameKeepsTheLimit(t *testing.T) {
	r := newRig(t, options{idle: true, book: addressing.Config{Pool: numbers(4)}, hub: bridge.Config{Policy: bridge.Policy{Conversations: 2}}})
	r.must(r.try(ann, phone.String(), "1"))
	r.must(r.try(ann, other.String(), "2"))
	r.clock.pass(2 * time.Hour)
	r.must(r.Book.Rename(t.Context(), ann, carl, false))
	var refused *bridge.RefusalError
	if err := r.try(carl, "+33612345670", "3"); !errors.As(err, &refused) || refused.Reason != bridge.ReasonTooManyOpen {
		t.Errorf("a third phone: %v", err)
	}
	r.must(r.try(carl, phone.String(), "4")) // it goes on
	// A new person with the old name begins afresh.
	if changed, err := r.Book.Directory().Reuse(t.Context(), ann); err != nil || !changed {
		t.Fatal(changed, err)
	}
	r.clock.pass(2 * time.Hour)
	r.must(r.try(ann, "+33612345671", "5"))
}

func TestBlocked(t *testing.T) {
	r := newRig(t, options{idle: true})
	for _, b := range [][2]string{{"xmpp:ann@corp.example", "336"}, {"xmpp:bob@corp.example", ""}} {
		if _, err := r.Book.Directory().Block(t.Context(), patterns(t, b[0])[0], b[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		who  addressing.Handle
		want string
	}{{ann, "may not text +33612345678"}, {bob, "may not text anybody"}, {carl, ""}} {
		var refused *bridge.RefusalError
		err := r.try(tt.who, phone.String(), "1")
		if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &refused) || refused.Reason != bridge.ReasonNotPermitted || !strings.Contains(refused.Text, tt.want)) {
			t.Errorf("%v: %v, want %q", tt.who, err, tt.want)
		}
	}
}
