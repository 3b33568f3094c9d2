package bridge_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// The main road: accepted, sent, delivered; the sender sees it in the log, and the
// messenger is told the end.
func TestAcceptedSentDelivered(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(ann, phone, "Bonjour", "stanza-1")
	if s.State != bridge.Sent || s.Number != number || len(s.Segments) != 1 {
		t.Fatalf("after the submit: %+v", s)
	}
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
	told := r.messenger.of(t, ann, bridge.OUTStatus, 1)[0]
	if told.State != bridge.Delivered || told.NetworkID != "stanza-1" || told.ReplyTo != "desk" || told.Phone != phone {
		t.Errorf("told %+v", told)
	}
	want := []string{"mt acceptedBonjour", "status sent", "status delivered"}
	if diff := cmp.Diff(want, r.log(ann, phone)); diff != "" {
		t.Error(diff)
	}
	if st := r.Stats(); st.Accepted != 1 || st.Submits[bridge.OutcomeSent] != 1 || st.Ended[bridge.Ended{State: bridge.Delivered}] != 1 {
		t.Errorf("counted %+v", st)
	}
}

// Users of a network without a Messenger read the log by themselves.
func TestNetworkThatReadsTheLog(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(eve, phone, "Bonjour", "key-1")
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
	r.fromPhone(phone, number, "Salut")
	want := []string{"mt acceptedBonjour", "status sent", "status delivered", "mo Salut"}
	if diff := cmp.Diff(want, r.log(eve, phone)); diff != "" {
		t.Error(diff)
	}
	if r.queued("out") != 0 || len(r.messenger.get()) != 0 {
		t.Error("something was pushed to nobody")
	}
}

// The same id is the same message, whenever it comes again: one SMS, one story.
func TestRepeatIsTheSameMessage(t *testing.T) {
	sent := func(r *rig, s bridge.Story) { r.done(r.mt, s.ID) }
	tests := []struct {
		name   string
		script []answer
		before func(*rig, bridge.Story)
		state  bridge.State
	}{
		{
			"while it waits for a link",
			[]answer{noLink},
			func(r *rig, _ bridge.Story) { r.carrier.submitted.wait(r.t, "the submit", 1) }, bridge.Accepted,
		},
		{"after the SMSC took it", nil, sent, bridge.Sent},
		{"after delivery", nil, func(r *rig, s bridge.Story) {
			sent(r, s)
			r.receipt(r.story(s.ID).Segments[0].SMSCID, "DELIVRD", phone)
		}, bridge.Delivered},
		{"after a restart", nil, func(r *rig, s bridge.Story) {
			sent(r, s)
			r.restart()
		}, bridge.Sent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			r.carrier.plays(tt.script...)
			first := r.accept(ann, phone, "Bonjour", "stanza-1")
			tt.before(r, first)
			again := r.accept(ann, phone, "Bonjour", "stanza-1")
			if again.ID != first.ID || again.State != tt.state {
				t.Errorf("the repeat gives %+v", again)
			}
			if n := len(r.carrier.texts()); n != 1 || r.Stats().Accepted > 1 {
				t.Errorf("%d submits, %d accepted", n, r.Stats().Accepted)
			}
		})
	}
}

// Without an id of the network each request is a message of its own.
func TestNoIDIsNoRepeat(t *testing.T) {
	r := newRig(t, options{})
	if a, b := r.send(ann, phone, "Oui", ""), r.send(ann, phone, "Oui", ""); a.ID == b.ID {
		t.Error("two messages have one id")
	}
	if diff := cmp.Diff([]string{"Oui", "Oui"}, r.carrier.texts()); diff != "" {
		t.Error(diff)
	}
}

// Two requests with one id and different texts at the same time: one is a message, and the
// other is told so.
func TestIDReusedAtOnce(t *testing.T) {
	r := newRig(t, options{idle: true})
	var requests sync.WaitGroup
	results := newRecorder[error]()
	for _, text := range []string{"one", "two"} {
		requests.Go(func() {
			_, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: phone.String(), Text: text, NetworkID: "same"})
			results.add(err)
		})
	}
	requests.Wait()
	errs := results.get()
	slices.SortFunc(errs, func(a, _ error) int {
		if a == nil {
			return -1
		}
		return 1
	})
	if errs[0] != nil {
		t.Fatalf("both were refused: %v", errs)
	}
	wantRefusal(t, errs[1], bridge.ReasonIDReused)
	if r.queued("mt") != 1 {
		t.Errorf("%d are queued", r.queued("mt"))
	}
}

func wantRefusal(t *testing.T, err error, reason bridge.Reason) {
	t.Helper()
	refusal, ok := errors.AsType[*bridge.RefusalError](err)
	switch {
	case !ok || refusal.Reason != reason:
		t.Fatalf("got %v, want the refusal %s", err, reason)
	case refusal.Text == "" || !strings.HasSuffix(refusal.Text, "."):
		t.Errorf("the person is told %q", refusal.Text)
	}
}

// Each refusal has its reason, and stores nothing.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		opt    options
		before func(*rig)
		change func(*bridge.Request)
		reason bridge.Reason
	}{
		{name: "no phone number", change: func(q *bridge.Request) { q.To = "bob" }, reason: bridge.ReasonBadNumber},
		{name: "too few digits", change: func(q *bridge.Request) { q.To = "+33612" }, reason: bridge.ReasonBadNumber},
		{name: "empty", change: func(q *bridge.Request) { q.Text = " \n" }, reason: bridge.ReasonEmpty},
		{name: "100 kB", change: func(q *bridge.Request) { q.Text = strings.Repeat("x", 100_000) }, reason: bridge.ReasonTooLong},
		{name: "a segment too many", change: func(q *bridge.Request) { q.Text = strings.Repeat("x", 10*153+1) }, reason: bridge.ReasonTooLong},
		{name: "not UTF-8", change: func(q *bridge.Request) { q.Text = "caf\xe9" }, reason: bridge.ReasonBadText},
		{name: "no number is free", before: func(r *rig) { r.accept(bob, phone, "first", "1") }, reason: bridge.ReasonNoNumber},
		{
			name: "the id came with another text", before: func(r *rig) { r.accept(ann, phone, "another", "id") },
			reason: bridge.ReasonIDReused,
		},
		{
			name: "the id came with another phone", before: func(r *rig) { r.accept(ann, other, "Bonjour", "id") },
			reason: bridge.ReasonIDReused,
		},
		{
			name: "the queue is full", opt: options{queue: func(c *queue.Config) { c.MTMaxMsgs = 1 }},
			before: func(r *rig) { r.accept(ann, phone, "first", "1") }, reason: bridge.ReasonQueueFull,
		},
		{
			name: "the store is closed", before: func(r *rig) { r.stop() }, reason: bridge.ReasonUnavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.idle = true
			r := newRig(t, tt.opt)
			if tt.before != nil {
				tt.before(r)
			}
			accepted := r.Stats().Accepted
			request := bridge.Request{Handle: ann, To: "06 12 34 56 78", Text: "Bonjour", NetworkID: "id"}
			if tt.change != nil {
				tt.change(&request)
			}
			s, err := r.Accept(t.Context(), request)
			wantRefusal(t, err, tt.reason)
			st := r.Stats()
			if s.ID != "" || st.Refused[bridge.Refused{Network: ann.Network(), Reason: tt.reason}] != 1 || st.Accepted != accepted {
				t.Errorf("story %+v, counted %+v", s, st)
			}
			if tt.name != "the store is closed" && r.queued("mt") != accepted {
				t.Errorf("%d are queued, %d accepted", r.queued("mt"), accepted)
			}
		})
	}
}

// Once the queue has room the refused message is taken, under its own id.
func TestFullQueueTakesItLater(t *testing.T) {
	r := newRig(t, options{idle: true, queue: func(c *queue.Config) { c.MTMaxMsgs = 1 }})
	r.accept(ann, phone, "first", "1")
	request := bridge.Request{Handle: ann, To: phone.String(), Text: "second", NetworkID: "2"}
	_, err := r.Accept(t.Context(), request)
	wantRefusal(t, err, bridge.ReasonQueueFull)
	stop := r.work()
	defer stop()
	r.done(r.mt, bridge.MessageID(ann, "1"))
	for {
		if _, err = r.Accept(t.Context(), request); err == nil {
			break // the acknowledgement of the first is on its way until then
		}
		wantRefusal(t, err, bridge.ReasonQueueFull)
	}
	r.done(r.mt, bridge.MessageID(ann, "2"))
	if diff := cmp.Diff([]string{"first", "second"}, r.carrier.texts()); diff != "" {
		t.Error(diff)
	}
}

// Whom a full queue refuses has begun nothing: no Number is taken, and no conversation counted.
// Only who finds it full first may leave one behind.
func TestFullQueueBeginsNothing(t *testing.T) {
	tests := []struct {
		name  string
		queue func(*queue.Config)
		first addressing.Handle // who fills it
	}{
		{"of the whole queue", func(c *queue.Config) { c.MTMaxMsgs = 1 }, bob},
		{"of one sender", func(c *queue.Config) { c.MTMaxPerHandle = 1 }, ann},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{queue: tt.queue, hub: bridge.Config{Policy: bridge.Policy{Conversations: 5}}})
			r.carrier.plays(noLink)
			r.accept(tt.first, phone, "first", "1")
			r.carrier.submitted.wait(t, "the first", 1)
			wantRefusal(t, r.try(tt.first, phone.String(), "2"), bridge.ReasonQueueFull)
			before, _, err := r.store.LoadBegun(t.Context(), ann)
			if err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, r.try(ann, other.String(), "3"), bridge.ReasonQueueFull)
			after, _, err := r.store.LoadBegun(t.Context(), ann)
			if err != nil || len(after.Phones) != len(before.Phones) {
				t.Errorf("begun %v, before %v, %v", after.Phones, before.Phones, err)
			}
			if rec, _, err := r.store.LoadRecord(t.Context(), other); err != nil || len(rec.Entries) > 0 {
				t.Errorf("the phone's record is %+v, %v; want none", rec, err)
			}
		})
	}
}

// Numbers are read in the bridge's region, and a conversation keeps its Number.
func TestConversationKeepsItsNumber(t *testing.T) {
	pool := []addressing.Number{number, addressing.MustParseNumber("+33700000002"), addressing.MustParseNumber("+33700000003")}
	r := newRig(t, options{book: addressing.Config{Pool: pool}})
	a, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: "0612345678", Text: "one"})
	if err != nil {
		t.Fatal(err)
	}
	b, c := r.accept(ann, phone, "two", ""), r.accept(bob, phone, "three", "")
	if a.Number != b.Number || a.Phone != phone || c.Number == a.Number {
		t.Errorf("ann has %s and %s, bob has %s", a.Number, b.Number, c.Number)
	}
}

// A text stands in the log although the log failed when it was accepted.
func TestLogFailsAtAccept(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.store.onLog = fails(1, func(e bridge.Entry) bool { return e.Kind == bridge.EntryMT })
	s := r.accept(ann, phone, "Bonjour", "1")
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mt acceptedBonjour", "status sent"}, r.log(ann, phone)); diff != "" {
		t.Error(diff)
	}
	if st := r.Stats(); st.Accepted != 1 || r.story(s.ID).State != bridge.Sent {
		t.Errorf("counted %+v", st)
	}
}

// A message that is stored although its sender was told otherwise stands in the log, before
// what became of it, and once.
func TestStoredAllTheSame(t *testing.T) {
	for _, repeated := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent again %t", repeated), func(t *testing.T) {
			r := newRig(t, options{idle: true})
			r.store.onPublishMT = func(m bridge.MT) error {
				return errors.Join(r.store.Store.PublishMT(t.Context(), m), errBroken)
			}
			request := bridge.Request{Handle: ann, To: phone.String(), Text: "Bonjour", NetworkID: "1"}
			if _, err := r.Accept(t.Context(), request); !errors.Is(err, errBroken) {
				t.Fatalf("accepted: %v", err)
			}
			r.store.onPublishMT = nil
			if repeated {
				r.accept(ann, phone, "Bonjour", "1")
			}
			if err := r.DispatchMT(t.Context(), r.head()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"mt acceptedBonjour", "status sent"}, r.log(ann, phone)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A crash between the queue and the log: the dispatch writes the line.
func TestCrashBeforeTheLog(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.store.onLog = fails(1, func(bridge.Entry) bool { return true })
	s := r.accept(ann, phone, "Bonjour", "1")
	r.restart()
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mt acceptedBonjour", "status sent"}, r.log(ann, phone)); diff != "" {
		t.Error(diff)
	}
	if got := r.story(s.ID); got.State != bridge.Sent || got.Digest == "" {
		t.Errorf("story %+v", got)
	}
	if again := r.accept(ann, phone, "Bonjour", "1"); again.State != bridge.Sent {
		t.Errorf("the repeat gives %+v", again)
	}
}
