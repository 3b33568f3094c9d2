package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
)

// Config is what a Server serves.
type Config struct {
	// Addr is the host:port to listen at. Default 127.0.0.1:9090; port 0 lets the system pick one.
	Addr string
	// Insecure permits an address that other machines can reach.
	Insecure bool
	// Registry is what /metrics gathers. Required.
	Registry *prometheus.Registry
	// Exemplars has /metrics speak OpenMetrics with who asks for it, as Prometheus does: with traces of slow messages.
	// The bound of a bucket is then written 1.0 and not 1. Default: the text format only.
	Exemplars bool
	// Checks are made, in order, for each /readyz.
	Checks []Check
	// Depths reads the depths of the queue for /admin/v1/queue. Required.
	Depths func(ctx context.Context) ([]QueueDepth, error)
	// Instances tells who works at the queue, for /admin/v1/queue. Optional.
	Instances func() []Instance
	// Book answers /admin/v1/lookup. Required.
	Book *addressing.Book
	// Audit has every change by an operator. Default: nothing can be changed.
	Audit AuditTrail
	// Dead and Undertaker serve /admin/v1/dead. Default: not served.
	Dead       DeadLetters
	Undertaker Undertaker
	// Control serves /admin/v1/links. Default: not served.
	Control *Control
	// History serves /admin/v1/history and /admin/v1/findings, and the page; who makes it runs it.
	// Default: not served.
	History *History
	// Reloader serves /admin/v1/reload. Default: it says that there is no file.
	Reloader Reloader
	// Region is the home region, in which a look-up reads national numbers; may be empty.
	Region string
	Logger zerolog.Logger
}

// Server is the operator's listener.
type Server struct {
	cfg      Config
	page     http.Handler
	listener net.Listener
	http     *http.Server
}

// How long things may take. A scrape or a look-up over all phones is the slowest.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	checkTimeout = 5 * time.Second // all checks of one /readyz
	stopTimeout  = 3 * time.Second // requests under way when the daemon stops
)

// New listens. It fails where the address is in use, or is not a loopback one and
// cfg does not say insecure.
func New(cfg Config) (*Server, error) {
	if cfg.Registry == nil || cfg.Depths == nil || cfg.Book == nil {
		return nil, errors.New("ops: a server needs Registry, Depths and Book")
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:9090"
	}
	page, err := newPage()
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(context.Background(), "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("ops: cannot listen at %s, choose another ops.listen: %w", cfg.Addr, err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !cfg.Insecure && (!ok || !at.IP.IsLoopback()) {
		_ = listener.Close()
		return nil, fmt.Errorf("ops: %s can be reached from other machines, in plain text: listen on 127.0.0.1, or set insecure", cfg.Addr)
	}
	s := &Server{cfg: cfg, page: page, listener: listener}
	s.http = &http.Server{
		Handler: s.Handler(), ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	return s, nil
}

// Addr is the address that the server listens at, with the port that was picked.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, and then for at most 3 s what is under way. It is called
// once. The error is nil unless the listener failed.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Logger.Info().Str("address", s.Addr()).Msg("health, metrics and the admin API are served")
	stopped := make(chan struct{})
	defer func() { <-stopped }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(stopped)
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if s.http.Shutdown(stop) != nil {
			_ = s.http.Close() // a reader that is too slow has had its time
		}
	}()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("ops: %w", err)
	}
	return nil
}

// Close ends the server at once, also one that never ran. It may be called again.
func (s *Server) Close() error {
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Handler gives the routes, for a test or another listener.
func (s *Server) Handler() http.Handler {
	if s.cfg.Insecure {
		return s.routes()
	}
	return s.ownHost(s.routes())
}

// routes are all that is served.
func (s *Server) routes() *router {
	mux := &router{ServeMux: http.NewServeMux()}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, http.StatusOK, map[string]bool{"live": true}) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{Timeout: writeTimeout - time.Second, EnableOpenMetrics: s.cfg.Exemplars}))
	mux.HandleFunc("GET /admin/v1/queue", s.queue)
	mux.HandleFunc("GET /admin/v1/lookup", s.lookup)
	mux.HandleFunc("GET /admin/v1/optouts", s.listOptouts)
	mux.HandleFunc("GET /admin/v1/numbers", s.listNumbers)
	mux.HandleFunc("GET /admin/v1/handles", s.listHandles)
	s.deadRoutes(mux)
	s.watchRoutes(mux)
	s.linkRoutes(mux)
	s.messageRoutes(mux)
	mux.HandleFunc("GET /admin/v1/reload", s.getReload)
	if s.cfg.Audit != nil {
		mux.HandleFunc("GET /admin/v1/audit", s.audit)
		s.changeRoutes(mux)
	}
	return mux
}

// Readiness is the body of /readyz.
type Readiness struct {
	Ready  bool          `json:"ready"`
	Checks []CheckResult `json:"checks"`
	// Held is what operators have paused; that is meant, and makes nothing unready.
	Held []string `json:"held,omitempty"`
}

// CheckResult is how one [Check] went.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // where it is not OK
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	all := Readiness{Ready: true, Checks: []CheckResult{}, Held: s.heldWords()}
	for _, c := range s.cfg.Checks {
		result := CheckResult{Name: c.Name, OK: true}
		if err := c.Check(ctx); err != nil {
			result.OK, result.Reason, all.Ready = false, err.Error(), false
		}
		all.Checks = append(all.Checks, result)
	}
	status := http.StatusOK
	if !all.Ready {
		status = http.StatusServiceUnavailable
	}
	s.reply(w, status, all)
}

// Problem is the body of an error (RFC 9457, 3.1). Its type is about:blank.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // what is wrong and what to do
}

func (s *Server) refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	s.reply(w, status, Problem{Title: http.StatusText(status), Status: status, Detail: detail})
}

func (s *Server) reply(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.cfg.Logger.Debug().Err(err).Msg("the one who asked did not wait for the answer")
	}
}
