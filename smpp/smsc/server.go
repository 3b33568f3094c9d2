package smsc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/smpp"
)

// Config is what a Server may be told. The zero value has the defaults and takes
// everyone.
type Config struct {
	// Addr is where it listens; empty means 127.0.0.1:2775. Port 0 picks a free one.
	Addr string
	// SystemID and Password are what a bind must say; an empty one takes anything.
	SystemID, Password string
	// ReceiptDelay is from the submit to its receipt; 0 means 300 ms, which lets people
	// see the ticks change.
	ReceiptDelay time.Duration
	// BusyFor is how long a magic number that is busy refuses; 0 means 3 s.
	BusyFor time.Duration
	// LateAfter is how long a magic number that answers late waits; 0 means 15 s, more
	// than the usual response timeout.
	LateAfter time.Duration
	// RetryMin and RetryMax bound the pause, doubling, before a deliver_sm that no
	// client took is sent again; 0 means 200 ms and 5 s. A new bind ends the pause.
	RetryMin, RetryMax time.Duration
	// MaxPhones and MaxMessages bound the memory: the phones that are kept, and the
	// messages of each; 0 means 2000 and 100. The longest unused phone is forgotten.
	MaxPhones, MaxMessages int
	// MaxText bounds the texts of each phone in octets, the oldest of which are forgotten; 0
	// means 64 KiB.
	MaxText int
	// MaxPending is how many deliver_sm may wait for a client; 0 means 100,000. Beyond
	// it a submit is answered with ESME_RMSGQFUL.
	MaxPending int
	// StatePath is a file that keeps phones, what they wrote and what receipts wait
	// across restarts; empty keeps nothing. It is written within a second of a change
	// and at the end, so a crash may lose the last second.
	StatePath string
	// TLSNames are host names and IP addresses. Where there are some the port speaks TLS
	// only, with a certificate for them that [Server.CA] vouches for.
	TLSNames []string
	// Session tunes the connections; its Handler and Logger are not used.
	Session smpp.SessionConfig
	// Observe is told of every request that passed, for whoever keeps a record. It may be
	// called concurrently, and what it is told of waits until it returns. Default: nobody is.
	Observe func(Exchange)
	Logger  zerolog.Logger
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:2775"
	}
	orDefault(&c.ReceiptDelay, 300*time.Millisecond)
	orDefault(&c.BusyFor, 3*time.Second)
	orDefault(&c.LateAfter, 15*time.Second)
	orDefault(&c.RetryMin, 200*time.Millisecond)
	orDefault(&c.RetryMax, 5*time.Second)
	orDefault(&c.MaxPhones, 2000)
	orDefault(&c.MaxMessages, 100)
	orDefault(&c.MaxText, 64<<10)
	orDefault(&c.MaxPending, 100_000)
	return c
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// drainTime is how long the end waits for answers that are on their way.
const drainTime = time.Second

// Server is an SMSC with phones. Its methods may be called concurrently.
type Server struct {
	cfg      Config
	log      zerolog.Logger
	listener net.Listener
	magic    *magic
	faults   *faults
	tls      *authority // nil: plain TCP
	phones   *phones
	binds    *binds
	outbox   *outbox
	events   *events
	dirty    chan struct{} // tells the saver that the state changed
	nextID   atomic.Uint64
	sending  sync.Mutex

	mu       sync.Mutex
	sessions map[*smpp.Session]struct{}
}

// New opens the port and reads the state file. [Server.Run] must follow, or
// [Server.Close].
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger,
		magic: newMagic(cfg.BusyFor), faults: newFaults(), binds: newBinds(), events: newEvents(),
		dirty: make(chan struct{}, 1), sessions: make(map[*smpp.Session]struct{}),
	}
	s.phones = newPhones(cfg.MaxPhones, cfg.MaxMessages, cfg.MaxText, s.events.publish)
	s.outbox = &outbox{
		binds: s.binds, max: cfg.MaxPending, minPause: cfg.RetryMin, maxPause: cfg.RetryMax, observe: cfg.Observe, log: cfg.Logger,
		lanes: make(map[string][]*item),
	}
	// Ids go on from the clock, so that a restart never gives one a second time.
	s.nextID.Store(uint64(time.Now().UnixMilli()) << 16)
	if err := s.load(); err != nil {
		return nil, err
	}
	if len(cfg.TLSNames) > 0 {
		var err error
		if s.tls, err = newAuthority(cfg.TLSNames); err != nil {
			return nil, fmt.Errorf("smsc: cannot make a certificate: %w", err)
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("smsc: cannot listen for SMPP on %s; choose another address or stop what has it: %w", cfg.Addr, err)
	}
	s.listener = listener
	return s, nil
}

// Addr is where clients connect, with the port that was picked.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close closes the port, which ends Run too. It may be called more than once.
func (s *Server) Close() error {
	s.events.close()
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends. Then it takes no more connections, waits a second at most
// for answers that are on their way, unbinds, and writes the state file. It returns an
// error where that cannot be written.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	live, end := context.WithCancel(context.WithoutCancel(ctx)) // of the connections
	defer end()

	var connections, others sync.WaitGroup
	s.outbox.start(ctx)
	others.Go(func() { s.saveChanges(ctx) })
	others.Go(func() {
		<-ctx.Done()
		if err := s.Close(); err != nil {
			s.log.Warn().Err(err).Msg("closing the port")
		}
		s.drain(live)
		end()
	})
	s.log.Info().Str("addr", s.Addr()).Msg("the SMSC simulator is ready")
	s.accept(ctx, live, &connections)
	cancel()
	others.Wait()
	connections.Wait()
	s.outbox.stop()
	return s.save()
}

// accept takes connections until the port is closed.
func (s *Server) accept(ctx, live context.Context, connections *sync.WaitGroup) {
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			connections.Go(func() { s.serve(live, conn) })
		case errors.Is(err, net.ErrClosed):
			return
		default: // too many open files, or a client that was gone before it was accepted
			s.log.Warn().Err(err).Msg("a connection could not be accepted; trying again")
			if sleep(ctx, s.cfg.RetryMin, nil) != nil {
				return
			}
		}
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	w := s.wire(conn)
	c := &client{server: s, wire: w}
	cfg := s.cfg.Session
	cfg.Handler = c
	cfg.Logger = s.log
	session := smpp.NewSession(w, cfg)
	s.track(session, true)
	defer s.track(session, false)
	defer c.gone(session)
	err := session.Run(ctx)
	s.log.Debug().Str("remote", conn.RemoteAddr().String()).AnErr("reason", err).Msg("a connection ended")
}

func (s *Server) track(session *smpp.Session, lives bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lives {
		s.sessions[session] = struct{}{}
	} else {
		delete(s.sessions, session)
	}
}

// drain unbinds every client.
func (s *Server) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	var all sync.WaitGroup
	s.mu.Lock()
	for session := range s.sessions {
		all.Go(func() {
			if err := session.Drain(ctx); err != nil {
				s.log.Debug().Err(err).Msg("a client was not unbound in good order")
			}
		})
	}
	s.mu.Unlock()
	all.Wait()
}

// touch says that what the state file keeps has changed.
func (s *Server) touch() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}
