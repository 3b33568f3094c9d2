package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// publisher stores messages in streams and matches the server's answers to them. It does what
// jetstream's Publish does with a random inbox, a context and two timers for each message, and
// takes a fifth less processor time for a record: on the embedded server, which stores one in
// 15 µs, that counts. All methods may be called concurrently.
type publisher struct {
	nc    *nats.Conn
	inbox string // with a dot at its end

	mu      sync.Mutex
	last    uint64
	waiting map[string]chan<- answer // by the subject of the answer
}

// answer is the server's, or why there will be none.
type answer struct {
	msg *nats.Msg
	err error
}

const (
	// publishWithin is how long an answer is waited for.
	publishWithin = 5 * time.Second
	// A server that is being started has no stream for a moment.
	publishAgain      = 2
	publishAgainAfter = 250 * time.Millisecond
)

// newPublisher subscribes for the answers.
func newPublisher(nc *nats.Conn) (*publisher, error) {
	p := &publisher{nc: nc, inbox: nc.NewInbox() + ".", waiting: make(map[string]chan<- answer)}
	sub, err := nc.Subscribe(p.inbox+"*", p.answered)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // as many as wait for one
	}
	if err != nil {
		return nil, fmt.Errorf("queue: subscribe for the server's answers: %w", err)
	}
	return p, nil
}

func (p *publisher) answered(m *nats.Msg) {
	p.mu.Lock()
	tell := p.waiting[m.Subject]
	delete(p.waiting, m.Subject)
	p.mu.Unlock()
	if tell != nil {
		tell <- answer{msg: m}
	}
}

// abandon tells all who wait that the server will not answer, and why: one whose disk failed
// or is full says nothing to those whose messages it could not write.
func (p *publisher) abandon(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for reply, tell := range p.waiting {
		delete(p.waiting, reply)
		tell <- answer{err: err}
	}
}

// stored is the answer to a message (ADR-1 of NATS).
type stored struct {
	Stream   string              `json:"stream"`
	Sequence uint64              `json:"seq"`
	Error    *jetstream.APIError `json:"error"`
}

// publish stores m, whose Reply it sets, and returns its sequence in the stream. Errors: a
// *jetstream.APIError where the stream refuses it, jetstream.ErrNoStreamResponse where there is
// no stream; that of abandon or of ctx, or nats.ErrTimeout, where no answer came, so that nobody
// knows.
func (p *publisher) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	for again := 0; ; again++ {
		seq, err := p.once(ctx, m)
		if !errors.Is(err, jetstream.ErrNoStreamResponse) || again >= publishAgain || !sleep(ctx, publishAgainAfter) {
			return seq, err
		}
	}
}

func (p *publisher) once(ctx context.Context, m *nats.Msg) (uint64, error) {
	told := make(chan answer, 1)
	p.mu.Lock()
	p.last++
	m.Reply = p.inbox + strconv.FormatUint(p.last, 36)
	p.waiting[m.Reply] = told
	p.mu.Unlock()
	if err := p.nc.PublishMsg(m); err != nil {
		p.forget(m.Reply)
		return 0, err
	}
	timeout := time.NewTimer(publishWithin)
	defer timeout.Stop()
	select {
	case a := <-told:
		if a.err != nil {
			return 0, a.err
		}
		return read(a.msg)
	case <-ctx.Done():
		p.forget(m.Reply)
		return 0, ctx.Err()
	case <-timeout.C:
		p.forget(m.Reply)
		return 0, nats.ErrTimeout
	}
}

func (p *publisher) forget(reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, reply)
}

func read(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" { // nobody listens to the subject
		return 0, jetstream.ErrNoStreamResponse
	}
	if seq, ok := plainAnswer(m.Data); ok {
		return seq, nil
	}
	var s stored
	if err := json.Unmarshal(m.Data, &s); err != nil {
		return 0, fmt.Errorf("queue: the server's answer cannot be read: %w", err)
	}
	switch {
	case s.Error != nil:
		return 0, s.Error
	case s.Stream == "" || s.Sequence == 0:
		return 0, jetstream.ErrInvalidJSAck
	default:
		return s.Sequence, nil
	}
}

// plainAnswer reads the answer that comes nearly always, {"stream":"MT","seq":17}: as JSON it
// would take a tenth of the processor time of the whole record. False for any other.
func plainAnswer(data []byte) (seq uint64, ok bool) {
	_, number, found := bytes.Cut(data, []byte(`","seq":`))
	number, ended := bytes.CutSuffix(number, []byte("}"))
	if !found || !ended || !bytes.HasPrefix(data, []byte(`{"stream":"`)) {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(number), 10, 64)
	return seq, err == nil && seq > 0
}

// The options of put are headers (ADR-4 of NATS).
type header func(nats.Header)

// withID lets the stream recognise a repeat.
func withID(id string) header { return func(h nats.Header) { h.Set(jetstream.MsgIDHeader, id) } }

// withRevision stores only where the last record at the subject is still that one.
func withRevision(rev uint64) header {
	return func(h nats.Header) {
		h.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(rev, 10))
	}
}

// withTTL lets the record go after d.
func withTTL(d time.Duration) header {
	return func(h nats.Header) { h.Set(jetstream.MsgTTLHeader, d.String()) }
}
