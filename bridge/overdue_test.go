package bridge_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// sentRig is a hub over a real store, whose carrier has an SMSC take every text.
type sentRig struct {
	*bridge.Hub
	t      *testing.T
	store  *queue.Store
	ctx    context.Context
	result bridge.Result // of each submit

	bound map[string]time.Time // when each connection was bound

	mu  sync.Mutex
	now time.Time
}

func (r *sentRig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *sentRig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *sentRig) Estimate(string) (bridge.Estimate, error) { return bridge.Estimate{Segments: 1}, nil }

func (r *sentRig) Submit(ctx context.Context, s bridge.Submission) bridge.Result {
	if err := s.Attempt(ctx, "link", "account"); err != nil {
		r.t.Error(err)
	}
	return r.result
}

const sentValidity = 48 * time.Hour

func newSentRig(t *testing.T, result bridge.Result) *sentRig {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	store, err := queue.Open(ctx, queue.Config{Dir: t.TempDir(), Durability: queue.Process, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	book, err := addressing.NewBook(store, addressing.Config{Pool: []addressing.Number{addressing.MustParseNumber("+33700000001")}})
	if err != nil {
		t.Fatal(err)
	}
	r := &sentRig{t: t, store: store, ctx: ctx, result: result, bound: make(map[string]time.Time), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	r.Hub, err = bridge.New(bridge.Config{
		Region: "FR", Validity: sentValidity, Networks: map[string]bridge.Messenger{addressing.NetworkWeb: nil},
		Logger: zerolog.Nop(), Now: r.clock,
	}, bridge.Ports{
		Queue: store, Journal: store, Archive: store, Parts: store, Marks: store, Carrier: r, Book: book,
		Reader: &smpp.Reader{Region: "FR", Accounts: map[string]smpp.ReadConfig{"account": {ConstantIDs: true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send has the SMSC take a message.
func (r *sentRig) send(id string) {
	r.t.Helper()
	err := r.DispatchMT(r.ctx, bridge.MT{
		V: 1, ID: id, Handle: addressing.MustParseHandle("web:ann"), Phone: addressing.MustParseMSISDN("+33612345678"),
		Number: addressing.MustParseNumber("+33700000001"), Text: "Hi", AcceptedAt: r.clock(), ExpiresAt: r.clock().Add(sentValidity),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *sentRig) want(id string, state bridge.State, told bool) {
	r.t.Helper()
	s, _, err := r.store.Story(r.ctx, id)
	if err != nil || s.State != state || s.Told != told {
		r.t.Errorf("%s is %s, told %t, %v; want %s, %t", id, s.State, s.Told, err, state, told)
	}
}

// sweeps tells when each sweep of the journal has ended.
type sweeps struct {
	*queue.Store
	done chan struct{}
}

func (s sweeps) RangeStories(ctx context.Context, after uint64, fn func(uint64, bridge.Story) bool) error {
	err := s.Store.RangeStories(ctx, after, fn)
	s.done <- struct{}{}
	return err
}

// sweep looks once for what is overdue.
func (r *sentRig) sweep() {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.ctx)
	looked := sweeps{r.store, make(chan struct{}, 1)}
	ended := make(chan error)
	go func() { ended <- r.RunOverdue(ctx, looked) }()
	<-looked.done
	// What it found is dealt with when it has told so, which the log shows.
	r.settled()
	stop()
	<-ended
}

// settled waits until no message that is overdue is left.
func (r *sentRig) settled() {
	r.t.Helper()
	for {
		open := false
		err := r.store.RangeStories(r.ctx, 0, func(_ uint64, s bridge.Story) bool {
			overdue := s.State == bridge.Sent && !s.NoReceipts && r.clock().After(s.ExpiresAt.Add(time.Hour))
			open = open || overdue || s.State == bridge.Unknown && !s.Told
			return true
		})
		if err != nil {
			r.t.Fatal(err)
		}
		if !open {
			return
		}
	}
}

// A message whose receipt has not come an hour after its validity ends as unknown, and
// its sender is told so, once; one whose receipt may still come does not.
func TestOverdue(t *testing.T) {
	r := newSentRig(t, bridge.Result{Link: "link", Account: "account", Total: 1, SMSCIDs: []string{"7"}, Outcome: bridge.OutcomeSent})
	r.send("first")
	r.pass(30 * time.Minute)
	r.send("second")
	r.pass(sentValidity + 29*time.Minute) // an hour after the first's validity, less a minute
	r.sweep()
	r.want("first", bridge.Sent, false)
	r.pass(2 * time.Minute)
	r.sweep()
	r.want("first", bridge.Unknown, true)
	r.want("second", bridge.Sent, false)
	r.sweep()
	all, err := r.store.Messages(r.ctx, addressing.MustParseHandle("web:ann"), addressing.MustParseMSISDN("+33612345678"), 10)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range all {
		if e.State == bridge.Unknown && e.ID == "first" && e.Detail != "" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// Where no receipts were asked for, sent is the last that the sender is told.
func TestNoReceipts(t *testing.T) {
	r := newSentRig(t, bridge.Result{Link: "link", Account: "account", Total: 1, SMSCIDs: []string{"7"}, NoReceipts: true, Outcome: bridge.OutcomeSent})
	r.send("first")
	r.want("first", bridge.Sent, true)
	r.pass(3 * sentValidity)
	r.sweep()
	r.want("first", bridge.Sent, true)
}

// receipt has the SMSC say that a segment was delivered, over the connection session.
func (r *sentRig) receipt(session string, sequence uint32, tlvs ...bridge.TLV) {
	r.t.Helper()
	if _, known := r.bound[session]; !known {
		r.bound[session] = r.clock()
	}
	err := r.DispatchMO(r.ctx, bridge.MO{
		V: 1, ID: fmt.Sprintf("%s-%d-%d", session, sequence, len(tlvs)), Account: "account", Session: session, Sequence: sequence,
		BoundAt: r.bound[session], ReceivedAt: r.clock().Add(time.Second), ESMClass: 0x04,
		Source: bridge.Address{TON: 1, NPI: 1, Addr: "33612345678"}, Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33700000001"},
		Body: []byte("id:0 stat:DELIVRD err:000"), TLVs: tlvs,
	})
	// What belongs to nothing yet is looked at again.
	if _, later := errors.AsType[*bridge.LaterError](err); err != nil && !later {
		r.t.Fatal(err)
	}
}

// An SMSC that gives every message the same id: receipts go to what has waited longest,
// a repeat to nothing, and one with our reference to what that was sent with.
func TestConstantIDs(t *testing.T) {
	r := newSentRig(t, bridge.Result{Link: "link", Account: "account", Total: 1, SMSCIDs: []string{""}, Outcome: bridge.OutcomeSent})
	for _, id := range []string{"first", "second", "third", "fourth"} {
		r.send(id)
	}
	r.receipt("a", 1)
	r.want("first", bridge.Delivered, true)
	r.pass(time.Minute)
	r.receipt("b", 9) // the SMSC binds again and repeats it
	r.want("second", bridge.Sent, false)
	reference := binary.BigEndian.AppendUint16(nil, bridge.UserReference("third", 0))
	r.receipt("b", 10, bridge.TLV{Tag: smpp.TagUserMessageReference, Value: reference})
	r.want("second", bridge.Sent, false)
	r.want("third", bridge.Delivered, true)
	r.pass(time.Hour)
	r.receipt("b", 11)
	r.want("second", bridge.Delivered, true)
	r.want("fourth", bridge.Sent, false)
	r.receipt("b", 12)
	r.want("fourth", bridge.Delivered, true)
	r.receipt("b", 13) // of nothing that is known
	r.send("old")
	r.pass(sentValidity + time.Hour)
	r.send("new")
	r.receipt("b", 14) // what is overdue waits no more
	r.want("new", bridge.Delivered, true)
	r.want("old", bridge.Sent, false)
}
