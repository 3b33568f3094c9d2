package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/internal/pages"
)

//go:embed static
var static embed.FS

// Server is the web messenger. Its methods may be called concurrently, Run once.
type Server struct {
	cfg      Config
	people   atomic.Pointer[people]
	sessions *sessions
	tries    tries
	// hashing bounds the passwords that are hashed at once, and so the memory.
	hashing chan struct{}
	streams streams
	handler http.Handler
	log     zerolog.Logger
	// stopping is closed when event streams must end.
	stopping chan struct{}
	stop     sync.Once
}

// hashesAtOnce times the memory of a hash is what sign-ins may need: 128 MiB as
// HashPassword makes them.
const hashesAtOnce = 2

// The limits of one request. An event stream moves its own deadlines.
const (
	readTimeout  = 30 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 2 * time.Minute
	maxHeader    = 16 << 10 // bytes
)

// New makes a Server. The error says which setting is wrong.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	people, err := newPeople(cfg.Users, cfg.Tokens)
	if err != nil {
		return nil, err
	}
	page, err := pages.New(static, "static")
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, sessions: newSessions(&cfg), hashing: make(chan struct{}, hashesAtOnce),
		log: cfg.Logger, stopping: make(chan struct{}),
	}
	s.people.Store(people)
	s.handler = s.observe(SecurityHeaders(s.mux(page)))
	return s, nil
}

// PreparePeople checks users and tokens that may take the place of those there are; apply puts
// them in place. Who is not among them any more is signed out, and so is who has another
// password, with the next request.
func (s *Server) PreparePeople(users []User, tokens []Token) (apply func(), err error) {
	people, err := newPeople(users, tokens)
	if err != nil {
		return nil, err
	}
	return func() { s.people.Store(people) }, nil
}

// Handler serves the page at / and the API under /api/v1/. Event streams end with
// their requests and with Run.
func (s *Server) Handler() http.Handler { return s.handler }

// SignIn signs a user in without a password, by setting the session cookie: for
// whoever has found out otherwise who it is, such as the demo. It must be called
// before anything is written to w, and returns an error where there is no such user.
func (s *Server) SignIn(w http.ResponseWriter, user string) error {
	who := s.people.Load().find(user)
	if who == nil {
		return fmt.Errorf("web: sign-in: there is no user %q", user)
	}
	token, _ := s.sessions.make(who, time.Now())
	s.sessions.set(w, token, s.cfg.SessionLifetime)
	return nil
}

// Run serves until ctx ends; then it ends the event streams, lets other requests
// finish within the DrainTimeout and returns nil. An error means that it could not
// listen or serve.
func (s *Server) Run(ctx context.Context) error {
	listener := s.cfg.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Addr); err != nil {
			return fmt.Errorf("web: cannot listen on %s: %w; is another program there already?", s.cfg.Addr, err)
		}
	}
	srv := &http.Server{
		Handler: s.handler, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(serverLog{s.log}, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	s.log.Info().Str("addr", listener.Addr().String()).Msg("web messenger is open")
	select {
	case err := <-served:
		return fmt.Errorf("web: serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	s.stop.Do(func() { close(s.stopping) })
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		s.log.Warn().Err(err).Msg("requests did not finish in time and were cut off")
		err = srv.Close()
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// serverLog takes what net/http has to say: broken requests, at debug level, because
// anybody can make them.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.Debug().Str("error", string(line)).Msg("http")
	return len(line), nil
}
