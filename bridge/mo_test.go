package bridge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// told are the texts that a handle got, once n came and nothing else is queued.
func (r *rig) told(h addressing.Handle, n int) []string {
	r.t.Helper()
	if n > 0 {
		r.messenger.of(r.t, h, bridge.OUTText, n)
	}
	r.settle()
	var all []string
	for _, out := range r.messenger.get() {
		if out.Handle == h && out.Kind == bridge.OUTText && out.Text != marker {
			all = append(all, out.Text)
		}
	}
	return all
}

// An answer goes to who wrote from that Number to that phone, and stands in the log.
func TestAnswerGoesToItsOwner(t *testing.T) {
	mine := addressing.MustParseNumber("+33700000009")
	r := newRig(t, options{book: addressing.Config{
		Pool: []addressing.Number{number}, Dedicated: map[addressing.Number]addressing.Handle{mine: bob},
	}})
	s := r.send(ann, phone, "Bonjour", "1")
	m := r.fromPhone(phone, s.Number, "Salut é €")
	r.fromPhone(other, mine, "first contact")
	out := r.messenger.of(t, ann, bridge.OUTText, 1)[0]
	if out.ID != m.ID || out.Text != "Salut é €" || out.Phone != phone || out.Number != number {
		t.Errorf("ann got %+v", out)
	}
	if diff := cmp.Diff([]string{"first contact"}, r.told(bob, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"mt acceptedBonjour", "status sent", "mo Salut é €"}, r.log(ann, phone)); diff != "" {
		t.Error(diff)
	}
	// One is counted once its messenger has said that it has it.
	for end := time.Now().Add(patience); r.Stats().DeliveredMO < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	st := r.Stats()
	if _, timed := st.DeliveredMOAfter.Buckets(); st.StoredMO != 2 || st.DeliveredMO < 2 || timed != st.DeliveredMO || st.DeliveredMOTime > time.Hour {
		t.Errorf("counted %+v", st)
	}
}

// What an SMSC, the queue and people repeat: a message again is seen once, words again are kept.
// up says when m came by a clock that nobody sets.
func up(m bridge.MO, bound, received time.Duration) bridge.MO {
	m.Bound, m.Received = bridge.Uptime{Boot: "b", Since: bound}, bridge.Uptime{Boot: "b", Since: received}
	return m
}

func TestRepeatsAndPeopleWhoRepeat(t *testing.T) {
	tests := []struct {
		name string
		play func(*rig)
		want []string
	}{
		{"a person says the same again", func(r *rig) {
			s := r.bind("s")
			r.dispatched(r.text(s, phone, number, "ok"), r.text(s, phone, number, "ok"))
		}, []string{"ok", "ok"}},
		{"the same sequence number again on a session", func(r *rig) {
			s := r.bind("s")
			first := r.text(s, phone, number, "ok")
			s.sequence--
			r.dispatched(first, r.text(s, phone, number, "ok"))
		}, []string{"ok"}},
		{"the SMSC sends it again after a new bind", func(r *rig) {
			first := r.text(r.bind("s"), phone, number, "ok")
			r.clock.pass(10 * time.Second)
			again := r.text(r.bind("t"), phone, number, "ok")
			r.dispatched(first, again)
		}, []string{"ok"}},
		{"the SMSC sends two again, and the person says it a third time", func(r *rig) {
			s := r.bind("s")
			r.dispatched(r.text(s, phone, number, "ok"), r.text(s, phone, number, "ok"))
			r.clock.pass(10 * time.Second)
			s = r.bind("t")
			r.dispatched(r.text(s, phone, number, "ok"), r.text(s, phone, number, "ok"), r.text(s, phone, number, "ok"))
		}, []string{"ok", "ok", "ok"}},
		{"the person says it again after the SMSC did", func(r *rig) {
			r.dispatched(r.text(r.bind("s"), phone, number, "ok"))
			r.clock.pass(10 * time.Second)
			s := r.bind("t")
			r.dispatched(r.text(s, phone, number, "ok"))
			r.clock.pass(10 * time.Second)
			r.dispatched(r.text(s, phone, number, "ok"))
		}, []string{"ok", "ok"}},
		{"the same words long after the bind", func(r *rig) {
			r.dispatched(r.text(r.bind("s"), phone, number, "ok"))
			r.clock.pass(time.Second)
			s := r.bind("t")
			r.clock.pass(10 * time.Minute)
			r.dispatched(r.text(s, phone, number, "ok"))
		}, []string{"ok", "ok"}},
		{"other words after a new bind", func(r *rig) {
			r.dispatched(r.text(r.bind("s"), phone, number, "ok"))
			r.clock.pass(time.Second)
			r.dispatched(r.text(r.bind("t"), phone, number, "OK"))
		}, []string{"ok", "OK"}},
		{"another phone says the same", func(r *rig) {
			r.send(ann, other, "Bonjour", "2")
			r.dispatched(r.text(r.bind("s"), phone, number, "ok"))
			r.clock.pass(time.Second)
			r.dispatched(r.text(r.bind("t"), other, number, "ok"))
		}, []string{"ok", "ok"}},
		{"the queue hands the same one out again", func(r *rig) {
			first := r.text(r.bind("s"), phone, number, "ok")
			r.dispatched(first)
			if err := r.DispatchMO(r.t.Context(), first); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"ok"}},
		{"the queue hands a repeat out again, after the SMSC repeated it once more", func(r *rig) {
			all := []bridge.MO{r.text(r.bind("s"), phone, number, "ok")}
			for _, session := range []string{"t", "u"} {
				r.clock.pass(time.Second)
				all = append(all, r.text(r.bind(session), phone, number, "ok"))
			}
			r.dispatched(all...)
			for _, m := range all[1:] {
				if err := r.DispatchMO(r.t.Context(), m); err != nil {
					r.t.Fatal(err)
				}
			}
		}, []string{"ok"}},
		{"the SMSC sends it again after somebody set the clock forward", func(r *rig) {
			first := r.text(r.bind("s"), phone, number, "ok")
			r.clock.pass(40 * time.Minute)
			again := r.text(r.bind("t"), phone, number, "ok")
			r.dispatched(up(first, time.Second, 10*time.Second), up(again, 19*time.Second, 20*time.Second))
		}, []string{"ok"}},
		{"the person says it again, before somebody set the clock back and after", func(r *rig) {
			first := r.text(r.bind("s"), phone, number, "ok")
			r.clock.pass(time.Second)
			again := r.text(r.bind("t"), phone, number, "ok")
			r.dispatched(up(first, time.Second, 10*time.Second), up(again, 19*time.Minute, 20*time.Minute))
		}, []string{"ok", "ok"}},
		{"the queue hands the first of two equal ones out again, after a restart", func(r *rig) {
			s := r.bind("s")
			first := r.text(s, phone, number, "ok")
			r.dispatched(first, r.text(s, phone, number, "ok"))
			r.told(ann, 2)
			r.restart()
			if err := r.DispatchMO(r.t.Context(), first); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"ok", "ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			r.send(ann, phone, "Bonjour", "1")
			tt.play(r)
			if diff := cmp.Diff(tt.want, r.told(ann, len(tt.want))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A text to a pool Number that nobody uses with this phone is kept as a dead letter, and
// the phone is told, once a day.
func TestNobodysNumber(t *testing.T) {
	r := newRig(t, options{hub: bridge.Config{NobodyReply: "Who is this for?"}})
	for _, text := range []string{"hello", "hello?", "anybody?"} {
		r.fromPhone(phone, number, text)
	}
	sub := r.carrier.submitted.wait(t, "the answer", 1)[0]
	if sub.Text != "Who is this for?" || sub.Phone != phone || sub.Number != number {
		t.Errorf("answered %+v", sub)
	}
	r.done(r.mt, sub.ID)
	r.fromPhone(other, number, "hello")
	r.carrier.submitted.wait(t, "the answer to another", 2)
	dead := r.store.dead.get()
	if len(dead) != 4 || dead[0].Stage != "MO" || dead[0].Reason != bridge.ReasonUnroutable || dead[0].MO == nil {
		t.Errorf("dead letters %+v", dead)
	}
	r.fromPhone(phone, nobodys, "to a number that is not ours") // no answer: it is not ours to write from
	if n := len(r.carrier.texts()); n != 2 || len(r.store.dead.get()) != 5 {
		t.Errorf("%d answers, %d dead letters", n, len(r.store.dead.get()))
	}
}

// The answer cannot be stored: nothing is buried twice, and the phone is told in the end.
func TestNobodysNumberWhileTheQueueFails(t *testing.T) {
	r := newRig(t, options{})
	r.store.mu.Lock()
	r.store.onPublishMT = fails(2, func(bridge.MT) bool { return true })
	r.store.mu.Unlock()
	r.fromPhone(phone, number, "hello")
	r.carrier.submitted.wait(t, "the answer", 1)
	if dead := r.store.dead.get(); len(dead) != 1 {
		t.Errorf("dead letters %+v", dead)
	}
}

// The bridge's own answers have nobody who could be told: all their ends are quiet.
func TestOwnAnswersTellNobody(t *testing.T) {
	for _, o := range []bridge.Outcome{bridge.OutcomeSent, bridge.OutcomePermanent, bridge.OutcomeUnknown} {
		t.Run(string(o), func(t *testing.T) {
			r := newRig(t, options{})
			r.carrier.plays(answers(o, map[bool][]string{true: {"77"}}[o == bridge.OutcomeSent]...))
			r.fromPhone(phone, number, "hello")
			id := r.carrier.submitted.wait(t, "the answer", 1)[0].ID
			r.done(r.mt, id)
			if o == bridge.OutcomeSent {
				r.receipt("77", "DELIVRD", phone)
			}
			if s := r.story(id); !s.State.Final() || !s.Told || !s.Handle.IsZero() {
				t.Errorf("story %+v", s)
			}
			if r.settle(); len(r.messenger.get()) != 1 {
				t.Errorf("told %+v", r.messenger.get())
			}
		})
	}
}

// With an inbox nothing is nobody's.
func TestInbox(t *testing.T) {
	r := newRig(t, options{book: addressing.Config{Pool: []addressing.Number{number}, Inbox: bob}})
	r.fromPhone(phone, number, "hello")
	if diff := cmp.Diff([]string{"hello"}, r.told(bob, 1)); diff != "" {
		t.Error(diff)
	}
	if len(r.store.dead.get()) != 0 || len(r.carrier.texts()) != 0 {
		t.Errorf("dead letters %+v, answers %q", r.store.dead.get(), r.carrier.texts())
	}
}

// What nobody can read is a dead letter, and holds up nothing.
func TestUnreadable(t *testing.T) {
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	s := r.bind("s")
	name := r.text(s, phone, number, "from a name")
	name.Source = bridge.Address{TON: 5, Addr: "Acme"}
	receipt := s.deliver(phone, number, r.clock.now())
	receipt.ESMClass, receipt.Body = 0x04, []byte("no id")
	r.dispatched(name, receipt, r.text(s, phone, number, "Salut"))
	if diff := cmp.Diff([]string{"Salut"}, r.told(ann, 1)); diff != "" {
		t.Error(diff)
	}
	for _, d := range r.store.dead.wait(t, "two dead letters", 2) {
		if d.Reason != bridge.ReasonUnreadable || d.MO == nil || d.Detail == "" {
			t.Errorf("dead letter %+v", d)
		}
	}
}

// What a network refuses for good is a dead letter; the next one arrives.
func TestUndeliverableOnTheNetwork(t *testing.T) {
	r := newRig(t, options{})
	r.messenger.script(func(_ context.Context, out bridge.OUT) error {
		if out.Text == "no" {
			return fmt.Errorf("%w: the person is gone", bridge.ErrUndeliverable)
		}
		return nil
	})
	r.send(ann, phone, "Bonjour", "1")
	r.fromPhone(phone, number, "no")
	r.fromPhone(phone, number, "yes")
	if diff := cmp.Diff([]string{"yes"}, r.told(ann, 1)); diff != "" {
		t.Error(diff)
	}
	dead := r.store.dead.wait(t, "a dead letter", 1)
	if len(dead) != 1 || dead[0].Stage != "OUT" || dead[0].Reason != bridge.ReasonUndeliverable || dead[0].OUT.Text != "no" {
		t.Errorf("dead letters %+v", dead)
	}
}

// A network that is not configured any more leaves dead letters, not a stuck queue.
func TestNetworkIsGone(t *testing.T) {
	r := newRig(t, options{idle: true})
	m := bridge.OUT{V: 1, ID: "x", Kind: bridge.OUTText, Handle: addressing.MustParseHandle("matrix:@ann:corp.example"), Phone: phone, Text: "hi"}
	if err := r.DispatchOUT(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if dead := r.store.dead.get(); len(dead) != 1 || dead[0].Reason != bridge.ReasonUnroutable || !strings.Contains(dead[0].Detail, "matrix") {
		t.Errorf("dead letters %+v", dead)
	}
}

// A messenger that does not take one person's messages holds up that person's only. In
// each conversation texts and statuses keep their order through failures.
func TestAwayHoldsUpItsOwnOnly(t *testing.T) {
	pool := []addressing.Number{number, addressing.MustParseNumber("+33700000002")}
	r := newRig(t, options{book: addressing.Config{Pool: pool}})
	away, back := make(chan struct{}, 1), make(chan struct{})
	failed := 0
	r.messenger.script(func(ctx context.Context, out bridge.OUT) error {
		if out.Handle != ann {
			return nil
		}
		select {
		case away <- struct{}{}:
		default:
		}
		select {
		case <-back:
		case <-ctx.Done():
			return ctx.Err()
		}
		if failed++; failed <= 2 {
			return errBroken
		}
		return nil
	})
	a, b := r.send(ann, phone, "Bonjour", "1"), r.send(bob, phone, "Bonjour", "2")
	for n := range 3 {
		r.fromPhone(phone, a.Number, fmt.Sprint("to ann ", n))
	}
	receive(t, away, "the first try")
	r.fromPhone(phone, b.Number, "to bob")
	r.messenger.of(t, bob, bridge.OUTText, 1)
	close(back)
	if diff := cmp.Diff([]string{"to ann 0", "to ann 1", "to ann 2"}, r.told(ann, 3)); diff != "" {
		t.Error(diff)
	}
}

// The SMSC is told only what is true: a message that cannot be stored is not taken.
func TestStoreMOFails(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.stop()
	if err := r.StoreMO(t.Context(), r.text(r.bind("s"), phone, number, "hi")); err == nil {
		t.Error("a closed store took a message")
	}
	if st := r.Stats(); st.StoredMO != 0 {
		t.Errorf("counted %+v", st)
	}
}
