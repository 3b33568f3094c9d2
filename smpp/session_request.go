package smpp

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// maxSequence is the highest sequence_number of a request (SMPP 3.4, 5.1.4).
const maxSequence uint32 = 0x7FFFFFFF

// request is one PDU of ours whose end somebody waits for. Its fields belong to the
// Session's mutex until done is closed, and change no more after.
type request struct {
	answer   Command // that answers it; zero where nothing does
	sequence uint32
	begun    bool   // the writer has it, or had it
	answers  uint64 // how many responses had come when it was begun
	last     bool   // it asks whether the peer reads at all: without an answer the Session ends
	done     chan struct{}
	resp     *PDU
	err      error
	extra    Extra

	// Its place among the overdue-to-be; see [deadlines].
	deadline   time.Time
	prev, next *request
}

// Slot is room in the window for one request at a time. It must be released.
type Slot struct {
	s        *Session
	released atomic.Bool
}

// Reserve waits for room in the window; what waits longest gets it first. ctx and the
// end of the Session end the wait, with an error that wraps ErrNotWritten and either
// ctx's error or ErrSessionClosed.
func (s *Session) Reserve(ctx context.Context) (*Slot, error) {
	select {
	case <-s.closing:
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, ErrSessionClosed)
	default:
	}
	select {
	case s.window <- struct{}{}:
		return &Slot{s: s}, nil
	case <-s.closing:
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, ErrSessionClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, ctx.Err())
	}
}

// TryReserve takes room in the window if there is some at once.
func (s *Session) TryReserve() (*Slot, bool) {
	select {
	case <-s.closing:
		return nil, false
	default:
	}
	select {
	case s.window <- struct{}{}:
		return &Slot{s: s}, true
	default:
		return nil, false
	}
}

// InFlight is how many window slots are out.
func (s *Session) InFlight() int { return len(s.window) }

// Release gives the room back. It may be called more than once.
func (sl *Slot) Release() {
	if sl.released.Swap(true) {
		return
	}
	s := sl.s
	<-s.window
	s.mu.Lock()
	s.settleLocked()
	s.mu.Unlock()
	if s.cfg.Released != nil {
		s.cfg.Released()
	}
}

// Send writes a request and waits for its answer, whose Status the caller reads. It
// may be called again when it has returned, for the next segment of a message, but
// not concurrently. It gives p's frame its own sequence_number.
//
// ctx ends the wait for the writer only; what was written is waited for until the
// answer, the response timeout or the end of the Session, so Run must be running. The
// error wraps ErrNotWritten or ErrUnknown. An answer that comes later still is
// counted and logged by the Session.
func (sl *Slot) Send(ctx context.Context, p *PDU) (*PDU, error) { return sl.SendWith(ctx, p, Extra{}) }

// Extra is what a request may ask for beyond its answer.
type Extra struct {
	// Late is called, at most once and in a goroutine of its own, with an answer that comes after the
	// response timeout, while the Session lasts. Its ctx ends with the Session. Of the last 1000
	// requests that timed out late answers are known. May be nil.
	Late func(ctx context.Context, answer *PDU)
	// May is asked right before the request is written; where it gives an error nothing is, and the
	// error of the request wraps that and ErrNotWritten. It must not block, nor call the Session. Nil: it may.
	May func() error
}

// SendWith is Send with more.
func (sl *Slot) SendWith(ctx context.Context, p *PDU, extra Extra) (*PDU, error) {
	if sl.released.Load() {
		return nil, fmt.Errorf("%w: the window slot was released before", ErrNotWritten)
	}
	return checked(sl.s.exchange(ctx, p, extra))
}

// checked is an answer of which the Status may be read. A generic_nack that says that all
// is well says nothing: whether the request was carried out is unknown.
func checked(answer *PDU, err error) (*PDU, error) {
	if err == nil && answer.Command == GenericNack && answer.Status == StatusOK {
		return nil, fmt.Errorf("%w but generic_nack with ESME_ROK", ErrUnknown)
	}
	return answer, err
}

// Request writes a request and waits for its answer, whose Status the caller reads.
// It waits for room in the window first, unless it is a bind or enquire_link. For
// ctx and errors see [Slot.Send]; use [Session.Unbind] to unbind.
func (s *Session) Request(ctx context.Context, p *PDU) (*PDU, error) {
	if p.Command.isBind() || p.Command == EnquireLink {
		return s.exchange(ctx, p, Extra{})
	}
	slot, err := s.Reserve(ctx)
	if err != nil {
		return nil, err
	}
	defer slot.Release()
	return slot.Send(ctx, p)
}

func (s *Session) exchange(ctx context.Context, p *PDU, extra Extra) (*PDU, error) {
	if p.Command.IsResponse() || !p.Command.HasResponse() {
		return nil, fmt.Errorf("%w: %s has no answer to wait for", ErrNotWritten, p.Command)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotWritten, p.Command, err)
	}
	frame, err := Encode(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	r, err := s.enqueue(p.Command, frame, extra)
	if err != nil {
		return nil, err
	}
	return s.await(ctx, r)
}

// Write writes a PDU to which no answer is expected, as it is: a response that a
// handler did not give, alert_notification, outbind, generic_nack. It returns when
// the PDU has been handed to the connection. For ctx and errors see [Slot.Send].
func (s *Session) Write(ctx context.Context, p *PDU) error {
	frame, err := Encode(p)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	r := &request{done: make(chan struct{})}
	if err := s.push(outgoing{frame: frame, request: r}); err != nil {
		return err
	}
	_, err = s.await(ctx, r)
	return err
}

func (s *Session) await(ctx context.Context, r *request) (*PDU, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		if s.withdraw(r) {
			return nil, fmt.Errorf("%w: %w", ErrNotWritten, ctx.Err())
		}
		<-r.done
	}
	return r.resp, r.err
}

// enqueue gives the request its sequence_number and hands it to the writer.
func (s *Session) enqueue(command Command, frame []byte, extra Extra) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.unbinding {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotWritten, command, ErrSessionClosed)
	}
	s.unbinding = command == Unbind
	r := s.enqueueLocked(command, frame)
	r.extra = extra
	return r, nil
}

func (s *Session) enqueueLocked(command Command, frame []byte) *request {
	r := &request{answer: command.Response(), done: make(chan struct{})}
	r.sequence = s.nextLocked()
	setSequence(frame, r.sequence)
	s.pending[r.sequence] = r
	s.pushLocked(outgoing{frame: frame, request: r})
	return r
}

func (s *Session) nextLocked() uint32 {
	for {
		s.last++
		if s.last > maxSequence {
			s.last = 1
		}
		if _, inUse := s.pending[s.last]; !inUse {
			return s.last
		}
	}
}

// withdraw takes r back from the writer, if it has not begun.
func (s *Session) withdraw(r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.begun || r.isDone() {
		return false
	}
	for i := range s.queue {
		if s.queue[i].request == r {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			break
		}
	}
	s.forgetLocked(r)
	return true
}

func (r *request) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// completeLocked gives r its outcome.
func (s *Session) completeLocked(r *request, resp *PDU, err error) {
	if r.isDone() {
		return
	}
	r.resp, r.err = resp, err
	s.forgetLocked(r)
	close(r.done)
}

// forgetLocked takes r out of pending. A sequence_number belongs to one request at a
// time; one that expects no answer has none.
func (s *Session) forgetLocked(r *request) {
	if r.answer != 0 {
		delete(s.pending, r.sequence)
		s.deadlines.remove(r)
	}
	s.settleLocked()
}

// failLocked ends r without an answer: what the writer had begun is unknown.
func (s *Session) failLocked(r *request, why error) {
	outcome := ErrNotWritten
	if r.begun {
		outcome = ErrUnknown
	}
	s.completeLocked(r, nil, fmt.Errorf("%w: %s: %w", outcome, r.answer.Request(), why))
}

// failQueuedLocked ends the requests that the writer has not begun.
func (s *Session) failQueuedLocked(why error) {
	kept := s.queue[:0]
	for _, out := range s.queue {
		if out.request == nil {
			kept = append(kept, out)
			continue
		}
		s.failLocked(out.request, why)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
}

// failAll ends every request, when reader and writer are gone.
func (s *Session) failAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := ErrSessionClosed
	if s.reason != nil {
		why = fmt.Errorf("%w: %w", ErrSessionClosed, s.reason)
	}
	s.failQueuedLocked(why)
	for _, r := range s.pending {
		s.failLocked(r, why)
	}
	if s.deadlines.timer != nil {
		s.deadlines.timer.Stop()
	}
}
