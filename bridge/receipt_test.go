package bridge_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// What receipts make of a message, segment by segment.
func TestReceipts(t *testing.T) {
	tests := []struct {
		name     string
		segments int
		receipts []string // segment and stat
		state    bridge.State
		reason   bridge.Reason
		detail   string
	}{
		{name: "delivered", segments: 1, receipts: []string{"1 DELIVRD"}, state: bridge.Delivered},
		{name: "twice", segments: 1, receipts: []string{"1 DELIVRD", "1 DELIVRD"}, state: bridge.Delivered},
		{name: "on its way first", segments: 1, receipts: []string{"1 ACCEPTD", "1 ENROUTE", "1 DELIVRD"}, state: bridge.Delivered},
		{name: "undeliverable", segments: 1, receipts: []string{"1 UNDELIV"}, state: bridge.Failed, reason: bridge.ReasonUndeliverable, detail: "could not deliver"},
		{name: "expired", segments: 1, receipts: []string{"1 EXPIRED"}, state: bridge.Expired, reason: bridge.ReasonExpired, detail: "validity"},
		{name: "a word that nobody knows", segments: 1, receipts: []string{"1 PERHAPS"}, state: bridge.Unknown, reason: bridge.ReasonUncertain, detail: "does not know"},
		{name: "after the end", segments: 1, receipts: []string{"1 DELIVRD", "1 UNDELIV", "1 EXPIRED"}, state: bridge.Delivered},
		{name: "only one part", segments: 3, receipts: []string{"2 DELIVRD"}, state: bridge.Sent},
		{name: "one part twice", segments: 2, receipts: []string{"2 DELIVRD", "2 DELIVRD"}, state: bridge.Sent},
		{name: "every part", segments: 3, receipts: []string{"3 DELIVRD", "1 DELIVRD", "2 DELIVRD"}, state: bridge.Delivered},
		{name: "one part failed", segments: 3, receipts: []string{"1 DELIVRD", "3 UNDELIV"}, state: bridge.Failed, reason: bridge.ReasonUndeliverable, detail: "part 3 of 3"},
		{name: "an old notification late", segments: 2, receipts: []string{"1 DELIVRD", "1 ENROUTE", "2 DELIVRD"}, state: bridge.Delivered},
		{name: "a contradiction late", segments: 2, receipts: []string{"1 DELIVRD", "1 UNDELIV", "2 DELIVRD"}, state: bridge.Delivered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			s := r.send(ann, phone, strings.Repeat("x", 150*tt.segments), "1")
			if len(s.Segments) != tt.segments {
				t.Fatalf("%d segments", len(s.Segments))
			}
			for _, line := range tt.receipts {
				var segment int
				var stat string
				if _, err := fmt.Sscan(line, &segment, &stat); err != nil {
					t.Fatal(err)
				}
				r.receipt(s.Segments[segment-1].SMSCID, stat, phone)
			}
			got := r.story(s.ID)
			if got.State != tt.state || got.Reason != tt.reason || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("story %+v", got)
			}
			if st := r.Stats(); st.ReceiptsMatched != uint64(len(tt.receipts)) {
				t.Errorf("%d receipts matched", st.ReceiptsMatched)
			} else if account := s.Account; st.ReceiptsDue[account] != 1 || st.ReceiptsCame[account] != st.ReceiptsMatched {
				t.Errorf("of %q %d receipts due and %d came", account, st.ReceiptsDue[account], st.ReceiptsCame[account])
			}
			if _, took := r.Stats().SentAfter.Quantile(0.5); !took {
				t.Error("nothing says how long it took to be sent")
			}
			if _, took := r.Stats().DeliveredAfter.Quantile(0.5); took != (tt.state == bridge.Delivered) {
				t.Errorf("how long it took to be delivered is told: %v", took)
			}
			if tt.state == bridge.Sent {
				return
			}
			r.messenger.of(t, ann, bridge.OUTStatus, 1)
			r.settle()
			if told := r.messenger.of(t, ann, bridge.OUTStatus, 1); len(told) != 1 || told[0].State != tt.state || !got.Told {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// settle returns once all that is queued for messengers before it was delivered.
func (r *rig) settle() {
	r.t.Helper()
	last := bridge.OUT{V: 1, ID: fmt.Sprint("marker ", len(r.messenger.get())), Kind: bridge.OUTText, Handle: ann, Phone: phone, At: r.clock.now(), Text: marker}
	if err := r.store.PublishOUT(r.t.Context(), last); err != nil {
		r.t.Fatal(err)
	}
	r.messenger.until(r.t, "the marker", func(all []bridge.OUT) bool {
		for _, out := range all {
			if out.ID == last.ID {
				return true
			}
		}
		return false
	})
}

// A receipt that comes before the submit_sm_resp waits for it, and holds up nobody.
func TestReceiptBeforeTheResponse(t *testing.T) {
	r := newRig(t, options{})
	written, release := make(chan struct{}), make(chan struct{})
	r.carrier.plays(held(written, release, bridge.OutcomeSent, "77"))
	s := r.accept(ann, phone, "Bonjour", "1")
	receive(t, written, "the submit")
	early := r.receiptOf("77", "DELIVRD", phone)
	r.arrive(early)
	r.fromPhone(phone, number, "Salut")
	close(release)
	r.done(r.mo, early.ID)
	if got := r.story(s.ID); got.State != bridge.Delivered {
		t.Errorf("story %+v", got)
	}
}

// The crash came between the answer of the SMSC and the index, or another instance has
// the submit: a receipt that is not known yet is tried again for a while.
func TestReceiptBeforeTheIndex(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.carrier.plays(answers(bridge.OutcomeSent, "77"))
	r.store.onPutRef = fails(1, func(string) bool { return true })
	s := r.accept(ann, phone, "Bonjour", "1")
	if err := r.DispatchMT(t.Context(), r.head()); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	receipt := r.receiptOf("77", "DELIVRD", phone)
	r.restart()
	r.clock.pass(time.Second)
	err := r.DispatchMO(t.Context(), receipt)
	later, ok := errors.AsType[*bridge.LaterError](err)
	if !ok || !later.At.After(r.clock.now()) || r.Stats().ReceiptsUnknown != 0 {
		t.Fatalf("got %v, want it later", err)
	}
	if err := r.DispatchMT(t.Context(), r.head()); err != nil {
		t.Fatal(err)
	}
	if err := r.DispatchMO(t.Context(), receipt); err != nil || r.story(s.ID).State != bridge.Delivered {
		t.Errorf("at last: %v, %+v", err, r.story(s.ID))
	}
}

// On a cluster a replica that is behind may not know a story that another told of a moment
// before: the receipt is tried again.
func TestReceiptOnAReplicaThatIsBehind(t *testing.T) {
	for n := range 2 {
		t.Run(fmt.Sprint("at read ", n), func(t *testing.T) {
			r := newRig(t, options{idle: true})
			r.carrier.plays(answers(bridge.OutcomeSent, "77"))
			s := r.accept(ann, phone, "Bonjour", "1")
			if err := r.DispatchMT(t.Context(), r.head()); err != nil {
				t.Fatal(err)
			}
			reads := 0
			r.store.onStory = func(string) error {
				if reads++; reads == n+1 {
					return bridge.ErrNotFound
				}
				return nil
			}
			receipt := r.receiptOf("77", "DELIVRD", phone)
			err := r.DispatchMO(t.Context(), receipt)
			if _, ok := errors.AsType[*bridge.LaterError](err); !ok {
				t.Fatalf("got %v, want it later", err)
			}
			if err := r.DispatchMO(t.Context(), receipt); err != nil || r.story(s.ID).State != bridge.Delivered {
				t.Errorf("at last: %v, %+v", err, r.story(s.ID))
			}
		})
	}
}

// A receipt that nobody knows is counted, once, and gone; it may belong to another program.
func TestReceiptOfAnother(t *testing.T) {
	r := newRig(t, options{})
	r.receipt("4711", "DELIVRD", phone)
	if st := r.Stats(); st.ReceiptsUnknown != 1 || st.ReceiptsMatched != 0 || len(r.store.dead.get()) != 0 {
		t.Errorf("counted %+v", st)
	}
}

// An SMSC that counts from 1, in decimal in its answer and in hexadecimal in its receipt:
// 10 is sixteen, or ten of another message. The phone decides; where it cannot, the id
// as it is written.
func TestReceiptInTheOtherBase(t *testing.T) {
	tests := []struct {
		name  string
		about addressing.MSISDN
		want  [2]bridge.State // of the message with id 16, and of that with id 10
	}{
		{"to the one phone", phone, [2]bridge.State{bridge.Delivered, bridge.Sent}},
		{"to the other", other, [2]bridge.State{bridge.Sent, bridge.Delivered}},
		{"to a third", addressing.MustParseMSISDN("+33600000000"), [2]bridge.State{bridge.Sent, bridge.Delivered}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{})
			r.carrier.plays(answers(bridge.OutcomeSent, "16"), answers(bridge.OutcomeSent, "10"))
			a, b := r.send(ann, phone, "one", "1"), r.send(ann, other, "two", "2")
			r.receipt("10", "DELIVRD", tt.about)
			if got := [2]bridge.State{r.story(a.ID).State, r.story(b.ID).State}; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The receipt of a text's first part comes while the rest waits for its next attempt. It
// is not lost, and does not make a whole of a part.
func TestReceiptWhileTheRestWaits(t *testing.T) {
	r := newRig(t, options{idle: true})
	r.carrier.plays(answers(bridge.OutcomeTemporary, "a"), answers(bridge.OutcomeSent, "b"))
	s := r.accept(ann, phone, strings.Repeat("x", 300), "1")
	m := r.head()
	if _, ok := errors.AsType[*bridge.LaterError](r.DispatchMT(t.Context(), m)); !ok {
		t.Fatal("the rest does not wait")
	}
	first := r.receiptOf("a", "DELIVRD", phone)
	r.clock.pass(4 * time.Second)
	if _, ok := errors.AsType[*bridge.LaterError](r.DispatchMO(t.Context(), first)); !ok {
		t.Error("the receipt of the first part does not wait")
	}
	r.clock.pass(time.Minute)
	if _, ok := errors.AsType[*bridge.LaterError](r.DispatchMO(t.Context(), first)); !ok {
		t.Error("the receipt of the first part does not wait any longer")
	}
	if err := r.DispatchMT(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, receipt := range []bridge.MO{r.receiptOf("b", "DELIVRD", phone), first} {
		if err := r.DispatchMO(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.story(s.ID); got.State != bridge.Delivered {
		t.Errorf("story %+v", got)
	}
}

// Receipts that contradict each other come at the same moment: one end, told once.
func TestReceiptsAtOnce(t *testing.T) {
	r := newRig(t, options{queue: func(c *queue.Config) { c.Lanes = 1 }})
	s := r.send(ann, phone, strings.Repeat("x", 300), "1")
	meet := new(sync.WaitGroup) // both have read the story before one of them writes it
	meet.Add(2)
	tries := 0
	r.store.mu.Lock()
	r.store.onPutStory = func(bridge.Story) error {
		r.store.mu.Lock()
		tries++
		waits := tries <= 2
		r.store.mu.Unlock()
		if waits {
			meet.Done()
			meet.Wait()
		}
		return nil
	}
	r.store.mu.Unlock()
	r.dispatched(r.receiptOf(s.Segments[0].SMSCID, "UNDELIV", phone), r.receiptOf(s.Segments[1].SMSCID, "EXPIRED", phone))
	got := r.story(s.ID)
	r.settle()
	told := r.messenger.of(t, ann, bridge.OUTStatus, 1)
	if len(told) != 1 || told[0].State != got.State || !got.Told {
		t.Errorf("it is %s, told %+v", got.State, told)
	}
	for _, line := range r.log(ann, phone)[2:] {
		if line != "status "+string(got.State) {
			t.Errorf("log %q", r.log(ann, phone))
		}
	}
}

// The queue for messengers fails when the end is to be told: it is told in the end.
func TestEndIsToldInTheEnd(t *testing.T) {
	r := newRig(t, options{})
	s := r.send(ann, phone, "Bonjour", "1")
	r.store.mu.Lock()
	r.store.onLog = fails(2, func(e bridge.Entry) bool { return e.State == bridge.Delivered })
	r.store.mu.Unlock()
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
	if diff := cmp.Diff([]string{"mt acceptedBonjour", "status sent", "status delivered"}, r.log(ann, phone)); diff != "" {
		t.Error(diff)
	}
	if got := r.story(s.ID); !got.Told {
		t.Errorf("story %+v", got)
	}
	if st := r.Stats(); st.Ended[bridge.Ended{State: bridge.Delivered}] != 1 {
		t.Errorf("counted %+v", st.Ended)
	}
}
