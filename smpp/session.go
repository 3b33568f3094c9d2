package smpp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// The documented defaults of a [SessionConfig].
const (
	DefaultWindow          = 10
	DefaultResponseTimeout = 10 * time.Second
	DefaultEnquireInterval = 30 * time.Second
	DefaultWriteTimeout    = 10 * time.Second
	DefaultMaxHandlers     = 1000
)

// lingerTime is how long a connection that has said its last word stays open for the
// peer to read it and close: closing at once would reset the connection and destroy
// what is still on its way. It also bounds the wait for what is in flight when the
// peer unbinds.
const lingerTime = time.Second

// Errors of a Session. Each request ends in an answer, or in an error that wraps
// ErrNotWritten or ErrUnknown.
var (
	// ErrNotWritten: no octet of the request was written, and none will be.
	ErrNotWritten = errors.New("smpp: never written")
	// ErrUnknown: the request was written, and no answer came: the connection fell or
	// the response timed out. Nobody here can know whether it was carried out.
	ErrUnknown = errors.New("smpp: written, and no answer came")
	// ErrSessionClosed: the Session has ended or takes no more requests.
	ErrSessionClosed = errors.New("smpp: the session is closed")
	// ErrPeerUnbound: the peer sent unbind, which was answered.
	ErrPeerUnbound = errors.New("smpp: the peer unbound")
	// ErrSilent: nothing came for so long that the peer is taken for dead.
	ErrSilent = errors.New("smpp: the peer is silent and does not answer enquire_link")
	// ErrDeaf: the peer sends, and answers nothing, enquire_link neither.
	ErrDeaf = errors.New("smpp: the peer sends but answers nothing, not even enquire_link")

	errResponseTimeout = errors.New("the response timed out")
)

// Handler serves the requests of a peer, each in a goroutine of its own. Requests
// with the same source and destination are served one after the other, in the order
// in which they came. A panic is recovered, counted and answered with ESME_RSYSERR.
type Handler interface {
	// ServeSMPP gives the response to p, best made by [PDU.Answer]. Nil means that it
	// is not answered, or by [Session.Write] later. ctx ends with the Session. What
	// comes for outbind and alert_notification is ignored: they have no response.
	ServeSMPP(ctx context.Context, s *Session, p *PDU) *PDU
}

// HandlerFunc is a Handler that is one function.
type HandlerFunc func(ctx context.Context, s *Session, p *PDU) *PDU

// ServeSMPP calls f.
func (f HandlerFunc) ServeSMPP(ctx context.Context, s *Session, p *PDU) *PDU { return f(ctx, s, p) }

// SessionConfig is what a Session may be told. The zero value has the defaults.
type SessionConfig struct {
	// Window is the most requests of ours, besides bind, unbind and enquire_link, that
	// may be without an answer; 0 means 10.
	Window int
	// ResponseTimeout is how long a request waits for its answer, counted from its
	// writing; 0 means 10 s.
	ResponseTimeout time.Duration
	// EnquireInterval is how long the peer may be silent before it is asked by
	// enquire_link; 0 means 30 s. A peer that talks is never asked.
	EnquireInterval time.Duration
	// ReadTimeout is how long the peer may be silent, or take to send one PDU, before
	// the Session ends; 0 means EnquireInterval and ResponseTimeout together.
	ReadTimeout time.Duration
	// WriteTimeout is how long one write may take; 0 means 10 s.
	WriteTimeout time.Duration
	// MaxPDU is the longest PDU that is read, in octets; 0 means 70,000.
	MaxPDU int
	// MaxHandlers is how many requests of the peer may be served, or wait for the
	// writing of their answer, at once; 0 means 1000. Beyond it nothing more is read.
	MaxHandlers int
	Logger      zerolog.Logger
	// Handler serves the peer's requests; nil answers each with ESME_RINVBNDSTS.
	Handler Handler
	// Counters count what is odd; nil means counters of its own. Several Sessions may
	// share them.
	Counters *Counters
	// Released is called, if set, whenever a window slot becomes free. It must not
	// block.
	Released func()
}

func (c SessionConfig) withDefaults() SessionConfig {
	orDefault(&c.Window, DefaultWindow)
	orDefault(&c.ResponseTimeout, DefaultResponseTimeout)
	orDefault(&c.EnquireInterval, DefaultEnquireInterval)
	orDefault(&c.ReadTimeout, c.EnquireInterval+c.ResponseTimeout)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.MaxPDU, DefaultMaxPDU)
	orDefault(&c.MaxHandlers, DefaultMaxHandlers)
	if c.Counters == nil {
		c.Counters = new(Counters)
	}
	return c
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Session is one connection, in either role: ESME or SMSC. It is used once. One
// goroutine reads and one writes and owns the socket; they run within [Session.Run].
// All other methods may be called concurrently, from handlers too.
type Session struct {
	conn net.Conn
	cfg  SessionConfig

	done    chan struct{} // closed when the Session has ended
	closing chan struct{} // closed when no more slots are given
	wake    chan struct{} // tells the writer that the queue is not empty
	window  chan struct{} // holds a token for each slot that is out
	tokens  chan struct{} // holds a token for each request of the peer in hand
	workers sync.WaitGroup

	mu        sync.Mutex
	reason    error // why it ended, or is about to; see Run
	ended     bool
	isClosing bool
	unbinding bool // no request may follow
	final     bool // the last PDU was written
	pending   map[uint32]*request
	deadlines deadlines
	overdue   []*request // whose late answer somebody waits for, oldest first
	answers   uint64     // how many responses have come
	doubting  bool       // an enquire_link asks whether the peer reads at all
	last      uint32     // the last sequence_number given
	queue     []outgoing
	serving   int
	order     map[addressPair]chan struct{}
	quiet     chan struct{} // closed when nothing is in flight; nil while nobody waits
	lastRead  time.Time
}

// NewSession makes a Session on conn, which it owns from now on. [Session.Run] must
// follow for anything to be read or written.
func NewSession(conn net.Conn, cfg SessionConfig) *Session {
	cfg = cfg.withDefaults()
	return &Session{
		conn: conn, cfg: cfg,
		done: make(chan struct{}), closing: make(chan struct{}), wake: make(chan struct{}, 1),
		window: make(chan struct{}, cfg.Window), tokens: make(chan struct{}, cfg.MaxHandlers),
		pending: make(map[uint32]*request), order: make(map[addressPair]chan struct{}),
		lastRead: time.Now(),
	}
}

// Run reads and writes until the Session ends, and returns when all its goroutines,
// handlers included, are gone and every request of ours has its outcome. It must be
// called once. It returns nil after Close, Unbind and Drain, ctx.Err() where ctx
// ended it, at once and without unbind, and otherwise what went wrong:
// ErrPeerUnbound, ErrSilent, ErrDeaf, a [*FrameError] or an error of the connection.
func (s *Session) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.workers.Go(func() { s.end(s.readLoop(ctx)) })
	s.workers.Go(func() {
		if err := s.writeLoop(); err != nil {
			s.end(err)
		}
	})
	s.keepAlive(ctx)
	cancel()
	s.workers.Wait()
	s.failAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// keepAlive asks a silent peer whether it lives, until the Session ends. Any octet is
// an answer: the read deadline decides.
func (s *Session) keepAlive(ctx context.Context) {
	timer := time.NewTimer(s.cfg.EnquireInterval)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			s.end(ctx.Err())
			return
		case <-timer.C:
		}
		s.mu.Lock()
		left := s.cfg.EnquireInterval - time.Since(s.lastRead)
		s.mu.Unlock()
		if left <= 0 {
			s.enquire()
			left = s.cfg.EnquireInterval
		}
		timer.Reset(left)
	}
}

func (s *Session) enquire() {
	frame, err := Encode(&PDU{Command: EnquireLink})
	if err == nil {
		_, err = s.enqueue(EnquireLink, frame, Extra{})
	}
	if err != nil {
		s.cfg.Logger.Debug().Err(err).Msg("no enquire_link sent")
	}
}

// Close ends the Session at once, without unbind. It may be called at any time, any
// number of times. It does not wait: Run returns when all is done.
func (s *Session) Close() error {
	s.end(nil)
	return nil
}

// end ends the Session. The first reason that was given stays.
func (s *Session) end(reason error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	if s.reason == nil {
		s.reason = reason
	}
	s.stopLocked()
	s.mu.Unlock()
	close(s.done)
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.cfg.Logger.Debug().Err(err).Msg("closing the connection")
	}
}

// stopLocked gives no more window slots.
func (s *Session) stopLocked() {
	if !s.isClosing {
		s.isClosing = true
		close(s.closing)
	}
}

// Closing is closed when the Session gives no more window slots: it drains, the peer
// unbinds, or it has ended.
func (s *Session) Closing() <-chan struct{} { return s.closing }

// Done is closed when the Session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Drain ends the Session in good order: it gives no more window slots, waits for the
// slots that are out and the requests of the peer in hand, then unbinds and closes.
// Run must be running. Where ctx ends first it unbinds without further wait, which
// takes at most one second more, and returns an error that wraps ctx's.
func (s *Session) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.stopLocked()
	s.mu.Unlock()
	err := s.waitQuiet(ctx)
	if ctx.Err() != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lingerTime)
		defer cancel()
		ctx = late
	}
	return errors.Join(err, s.Unbind(ctx))
}

// Unbind sends unbind, waits for the answer and closes the Session, whatever came.
// Requests of ours that follow are never written; the caller has waited for those
// before ([Session.Drain] does). ctx ends the wait for the answer too.
func (s *Session) Unbind(ctx context.Context) error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.stopLocked()
	s.mu.Unlock()
	defer s.end(nil)
	frame, err := Encode(&PDU{Command: Unbind})
	if err != nil {
		return err
	}
	r, err := s.enqueue(Unbind, frame, Extra{})
	ended := s.done // the peer unbinds already: it gets its answer and closes
	if err == nil {
		ended = r.done
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("%w: unbind: %w", ErrUnknown, ctx.Err())
	}
	if r == nil {
		return nil
	}
	return r.err
}

// Bind binds with command, one of the three bind requests, and returns the answer
// where it is ESME_ROK. Another is a [*StatusError].
func (s *Session) Bind(ctx context.Context, command Command, b Bind) (*PDU, error) {
	if !command.isBind() {
		return nil, fmt.Errorf("%w: %s is not a bind request", ErrNotWritten, command)
	}
	answer, err := checked(s.Request(ctx, &PDU{Command: command, Bind: &b}))
	if err != nil {
		return nil, err
	}
	if answer.Status != StatusOK {
		return answer, &StatusError{Command: command, Status: answer.Status}
	}
	return answer, nil
}

// EnquireLink asks the peer whether it is there and waits for the answer. It takes no
// window slot. The error is that of [Session.Request].
func (s *Session) EnquireLink(ctx context.Context) error {
	_, err := s.Request(ctx, &PDU{Command: EnquireLink})
	return err
}

// waitQuiet waits until nothing is in flight either way, until the Session ends, or
// until ctx ends, which alone is an error.
func (s *Session) waitQuiet(ctx context.Context) error {
	s.mu.Lock()
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	quiet := s.quiet
	s.settleLocked()
	s.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("smpp: requests are still in flight: %w", ctx.Err())
	}
}

// settleLocked tells those who wait that nothing is in flight, if that is so. Each
// change that may make it so calls it.
func (s *Session) settleLocked() {
	if s.quiet != nil && len(s.pending) == 0 && s.serving == 0 && len(s.window) == 0 {
		close(s.quiet)
		s.quiet = nil
	}
}
