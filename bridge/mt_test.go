package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Throttling pauses the link, not the message: it goes again at once, before others, and
// costs none of its attempts.
func TestThrottledGoesFirst(t *testing.T) {
	r := newRig(t, options{})
	r.carrier.plays(answers(bridge.OutcomeThrottled), answers(bridge.OutcomeThrottled))
	s := r.send(ann, phone, "Bonjour", "1")
	if s.State != bridge.Sent || s.Attempts != 0 || len(s.History) != 2 {
		t.Errorf("story %+v", s)
	}
	var first []bool
	for _, sub := range r.carrier.submitted.get() {
		first = append(first, sub.First)
	}
	if diff := cmp.Diff([]bool{false, true, true}, first); diff != "" {
		t.Error(diff)
	}
	if n := len(r.mt.get()); n != 1 {
		t.Errorf("%d dispatches for one message that was throttled", n)
	}
}

// What was never written is safe to submit again at once.
func TestNotWrittenGoesAgain(t *testing.T) {
	r := newRig(t, options{})
	r.carrier.plays(func(context.Context, bridge.Submission) bridge.Result {
		return bridge.Result{Outcome: bridge.OutcomeNotWritten, Err: errBroken}
	}, answers(bridge.OutcomeNotWritten))
	if s := r.send(ann, phone, "Bonjour", "1"); s.State != bridge.Sent || s.Attempts != 0 {
		t.Errorf("story %+v", s)
	}
}

// A temporary refusal delays the message by the schedule. The next attempt is on record
// before it is waited for, so that a restart neither forgets it nor comes too early.
func TestTemporaryComesLater(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.carrier.plays(answers(bridge.OutcomeTemporary), answers(bridge.OutcomeTemporary))
	id := r.accept(ann, phone, "Bonjour", "1").ID

	wantLater := func(after time.Duration, attempts int) {
		t.Helper()
		err := r.DispatchMT(t.Context(), r.head())
		later, ok := errors.AsType[*bridge.LaterError](err)
		at := r.clock.now().Add(after)
		if !ok || !later.At.Equal(at) {
			t.Fatalf("got %v, want it later at %s", err, at)
		}
		if s := r.story(id); s.State != bridge.Accepted || s.Attempts != attempts || !s.NextAt.Equal(at) || !strings.Contains(s.History[len(s.History)-1].Detail, "Trying again in") {
			t.Errorf("story %+v", s)
		}
	}
	wantLater(5*time.Second, 1)
	r.restart()
	wantLater(5*time.Second, 1)
	if n := len(r.carrier.texts()); n != 1 {
		t.Fatalf("%d submits before the time", n)
	}
	r.clock.pass(5 * time.Second)
	wantLater(15*time.Second, 2)
	r.clock.pass(15 * time.Second)
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || r.story(id).State != bridge.Sent {
		t.Errorf("at last: %v, %+v", err, r.story(id))
	}
}

// Final states that a submit gives: told once, in the log and through the messenger, and
// nothing is submitted after.
func TestEnds(t *testing.T) {
	tests := []struct {
		name   string
		opt    options
		script []answer
		state  bridge.State
		reason bridge.Reason
	}{
		{"refused for good", options{}, []answer{answers(bridge.OutcomePermanent)}, bridge.Failed, bridge.ReasonRejected},
		{"no answer", options{}, []answer{answers(bridge.OutcomeUnknown)}, bridge.Unknown, bridge.ReasonUncertain},
		{"no link before its validity ends", options{hub: bridge.Config{Validity: 30 * time.Millisecond}}, []answer{noLink}, bridge.Expired, bridge.ReasonExpired},
		{
			"refused for now until its validity ends",
			options{hub: bridge.Config{Validity: 17 * time.Second}},
			[]answer{answers(bridge.OutcomeTemporary), answers(bridge.OutcomeTemporary)},
			bridge.Expired, bridge.ReasonExpired,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.opt)
			for i, a := range tt.script { // an answer takes its time
				tt.script[i] = func(ctx context.Context, s bridge.Submission) bridge.Result {
					defer r.clock.pass(time.Second)
					return a(ctx, s)
				}
			}
			r.carrier.plays(tt.script...)
			s := r.send(ann, phone, "Bonjour", "1")
			told := r.messenger.of(t, ann, bridge.OUTStatus, 1)
			if s.State != tt.state || s.Reason != tt.reason || !s.Told || len(told) != 1 || told[0].State != tt.state ||
				told[0].Reason != tt.reason || told[0].Detail == "" || told[0].Detail != s.Detail {
				t.Errorf("story %+v, told %+v", s, told)
			}
			if n := len(r.carrier.texts()); n != len(tt.script) {
				t.Errorf("%d submits", n)
			}
			log := r.log(ann, phone)
			if log[len(log)-1] != "status "+string(tt.state) {
				t.Errorf("log %q", log)
			}
			if st := r.Stats(); st.Ended[bridge.Ended{State: tt.state, Reason: tt.reason}] != 1 {
				t.Errorf("counted %+v", st.Ended)
			}
			if again := r.accept(ann, phone, "Bonjour", "1"); again.State != tt.state {
				t.Errorf("the repeat gives %+v", again)
			}
		})
	}
}

// Where the operator of the bridge chose to resend, an unknown outcome is tried again, and
// the sender is told that the phone may get it twice.
func TestUnknownIsResent(t *testing.T) {
	r := newRig(t, options{hub: bridge.Config{ResendUnknown: true}})
	r.carrier.plays(answers(bridge.OutcomeUnknown))
	s := r.send(ann, phone, "Bonjour", "1")
	if s.State != bridge.Sent || s.Attempts != 1 || !strings.Contains(s.History[1].Detail, "twice") || len(r.carrier.texts()) != 2 {
		t.Errorf("story %+v", s)
	}
}

// crashed leaves a message as kill -9 in the middle of a submit does.
func crashed(r *rig) (id string) {
	r.t.Helper()
	s := r.accept(ann, phone, "Bonjour", "1")
	s.State, s.Link, s.Account = bridge.Submitting, "one", "acme"
	if _, err := r.store.PutStory(r.t.Context(), s, 0, true); err != nil {
		r.t.Fatal(err)
	}
	r.restart()
	return s.ID
}

// A submit that was under way in a crash is unknown.
func TestCrashInTheMiddleOfASubmit(t *testing.T) {
	r := newRig(t, options{idle: true})
	id := crashed(r)
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if s := r.story(id); s.State != bridge.Unknown || s.Reason != bridge.ReasonUncertain || !s.Told || len(r.carrier.texts()) != 0 {
		t.Errorf("story %+v, submits %q", s, r.carrier.texts())
	}
}

// With the other policy it is sent again, as after any unknown outcome: later, counted,
// and the sender is told.
func TestCrashInTheMiddleOfASubmitResends(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{ResendUnknown: true}})
	id := crashed(r)
	err := r.DispatchMT(t.Context(), r.head())
	if _, ok := errors.AsType[*bridge.LaterError](err); !ok {
		t.Fatalf("got %v, want it later", err)
	}
	s := r.story(id)
	if s.State != bridge.Accepted || s.Attempts != 1 || len(s.History) != 2 || !strings.Contains(s.History[1].Detail, "twice") {
		t.Errorf("story %+v", s)
	}
	r.clock.reach(s.NextAt)
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || r.story(id).State != bridge.Sent {
		t.Errorf("at last: %v, %+v", err, r.story(id))
	}
}

// Nothing is written that is not on record, and what is on record of it is taken back.
func TestAttemptNotOnRecord(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.store.onPutStory = fails(1, func(s bridge.Story) bool { return s.State == bridge.Submitting })
	id := r.accept(ann, phone, "Bonjour", "1").ID
	if err := r.DispatchMT(t.Context(), r.head()); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	if s := r.story(id); s.State != bridge.Accepted || r.Stats().Submits[bridge.OutcomeSent] != 0 {
		t.Errorf("story %+v", s)
	}
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || r.story(id).State != bridge.Sent {
		t.Errorf("again: %v, %+v", err, r.story(id))
	}
}

// The attempt was stored although the store said that it failed: it is taken back, or the
// message would pass for one that may have been sent.
func TestAttemptOnRecordAfterAll(t *testing.T) {
	r := newRig(t, options{idle: true})
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.store.onPutStory = func(s bridge.Story) error {
		if s.State != bridge.Submitting {
			return nil
		}
		_, rev, err := r.store.Story(t.Context(), id)
		if err == nil {
			_, err = r.store.Store.PutStory(t.Context(), s, rev, true)
		}
		return errors.Join(err, errBroken)
	}
	if err := r.DispatchMT(t.Context(), r.head()); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	if s := r.story(id); s.State != bridge.Accepted {
		t.Errorf("story %+v", s)
	}
}

// What a submit came to is known, though the store fails for a moment: it is recorded
// when the store is back, and does not become "nobody knows".
func TestOutcomeIsRecordedInTheEnd(t *testing.T) {
	for _, o := range []bridge.Outcome{bridge.OutcomeSent, bridge.OutcomeTemporary, bridge.OutcomeThrottled, bridge.OutcomePermanent} {
		t.Run(string(o), func(t *testing.T) {
			r := newRig(t, options{})
			r.carrier.plays(answers(o, map[bool][]string{true: {"77"}}[o == bridge.OutcomeSent]...))
			r.store.mu.Lock()
			submitted := false
			r.store.onPutStory = func(s bridge.Story) error {
				if s.State == bridge.Submitting {
					submitted = true
					return nil
				}
				if submitted {
					submitted = false
					return errBroken
				}
				return nil
			}
			r.store.mu.Unlock()
			s := r.send(ann, phone, "Bonjour", "1")
			want := bridge.Sent
			if o == bridge.OutcomePermanent {
				want = bridge.Failed
			}
			if s.State != want {
				t.Errorf("story %+v", s)
			}
			if o == bridge.OutcomeSent {
				r.receipt("77", "DELIVRD", phone)
				if got := r.story(s.ID).State; got != bridge.Delivered || len(r.carrier.texts()) != 1 {
					t.Errorf("%s after %d submits", got, len(r.carrier.texts()))
				}
			}
		})
	}
}

// Of a text in parts only the rest goes again, by the account that has its beginning.
func TestRestOfAText(t *testing.T) {
	r := newRig(t, options{})
	r.carrier.plays(answers(bridge.OutcomeTemporary, "a"), answers(bridge.OutcomeThrottled, "b"), answers(bridge.OutcomeSent, "c"))
	s := r.send(ann, phone, strings.Repeat("x", 3*153), "1")
	want := []string{"[]  ", "[a] one acme", "[a b] one acme"}
	var got []string
	for _, sub := range r.carrier.submitted.get() {
		got = append(got, fmt.Sprint(sub.Done, " ", sub.Link, " ", sub.Account))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.State != bridge.Sent || len(s.Segments) != 3 || s.Segments[2].SMSCID != "c" {
		t.Errorf("story %+v", s)
	}
}

// Within a conversation order is kept through temporary failures; another one does not wait.
func TestOrderThroughFailures(t *testing.T) {
	r := newRig(t, options{book: addressing.Config{Pool: []addressing.Number{number, nobodys}}})
	refused := make(chan struct{})
	release := make(chan struct{})
	r.carrier.plays(held(refused, release, bridge.OutcomeTemporary))
	var last string
	for n := range 5 {
		last = r.accept(ann, phone, fmt.Sprintf("ann %d", n), fmt.Sprint(n)).ID
	}
	receive(t, refused, "the first submit")
	r.send(bob, phone, "bob", "1") // the same phone, another conversation
	close(release)
	r.done(r.mt, last)
	want := []string{"ann 0", "bob", "ann 0", "ann 1", "ann 2", "ann 3", "ann 4"}
	if diff := cmp.Diff(want, r.carrier.texts()); diff != "" {
		t.Error(diff)
	}
}

// A restart while messages wait for a link keeps each, once, in order.
func TestRestartKeepsTheQueue(t *testing.T) {
	r := newRig(t, options{})
	r.carrier.plays(noLink)
	for n := range 3 {
		r.accept(ann, phone, fmt.Sprint(n), fmt.Sprint(n))
	}
	r.carrier.submitted.wait(t, "the first submit", 1)
	r.restart()
	r.done(r.mt, bridge.MessageID(ann, "2"))
	if diff := cmp.Diff([]string{"0", "0", "1", "2"}, r.carrier.texts()); diff != "" {
		t.Error(diff)
	}
}

// A message that the queue hands out again although it is done is not sent again, and its
// sender is not told again.
func TestGhostOfAnMT(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.carrier.plays(answers(bridge.OutcomePermanent), answers(bridge.OutcomeSent, "1"))
	r.accept(ann, phone, "refused", "1")
	m := r.head()
	for range 2 {
		if err := r.DispatchMT(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	m.ID, m.NetworkID = bridge.MessageID(ann, "2"), "2"
	for range 2 {
		if err := r.DispatchMT(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.carrier.texts()); n != 2 || r.queued("out") != 1 {
		t.Errorf("%d submits, %d told", n, r.queued("out"))
	}
}

// A message without a story was never tried, however long it waits, unless the journal knows
// better: then it is not sent again, and its sender, who was told, is not told again.
func TestMessageWithoutItsStory(t *testing.T) {
	for _, tt := range []struct {
		name   string
		age    time.Duration
		forgot bool
		sent   int
	}{
		{"accepted a moment ago", time.Minute, false, 1},
		{"accepted longer ago than a story is kept", 2 * bridge.StoryKept, false, 1},
		{"its story is forgotten", 2 * bridge.StoryKept, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true})
			r.store.forgot = tt.forgot
			m := bridge.MT{
				V: 1, ID: bridge.MessageID(ann, "1"), Handle: ann, Phone: phone, Number: number, Text: "Bonjour", NetworkID: "1",
				AcceptedAt: r.clock.now().Add(-tt.age), ExpiresAt: r.clock.now().Add(time.Hour),
			}
			for range 2 {
				if err := r.DispatchMT(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if len(r.carrier.texts()) != tt.sent || r.queued("out") != 0 {
				t.Errorf("submits %q, %d told", r.carrier.texts(), r.queued("out"))
			}
		})
	}
}
