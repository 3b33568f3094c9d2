package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// connect waits for the server until ctx ends. Once connected the client connects again for
// ever: even refused credentials may be put right while the daemon runs.
func (s *Store) connect(ctx context.Context) error {
	where := s.cfg.URL
	opts := s.clientOptions()
	if s.server != nil {
		opts = append(opts, nats.InProcessServer(s.server))
		where = nats.DefaultURL // not used
	}
	// A try each 250 ms that is told each time fills a disk while a cluster is away.
	away := rate.Sometimes{First: 1, Interval: time.Minute}
	connected := make(chan error, 1) // nil, or why there is no use in waiting
	tell := func(err error) {
		select {
		case connected <- err:
		default:
		}
	}
	opts = append(opts,
		nats.ConnectHandler(func(*nats.Conn) { tell(nil) }),
		nats.ReconnectHandler(func(*nats.Conn) {
			tell(nil) // a first connection after failed ones may be told this way
			s.link.renew()
			s.log.Info().Msg("queue: connected to NATS again")
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) {
				tell(err)
			}
			level := zerolog.WarnLevel
			if s.server != nil {
				level = zerolog.DebugLevel // inner.go has said why
			}
			away.Do(func() {
				s.log.WithLevel(level).Err(err).Str("server", redacted(where)).Msg("queue: no connection to NATS; trying again, and saying so once a minute")
			})
		}),
	)
	nc, err := nats.Connect(where, opts...)
	if err != nil {
		return fmt.Errorf("queue: connect to NATS at %s: %w", redacted(where), err)
	}
	s.nc = nc
	select {
	case err := <-connected:
		if err != nil {
			return fmt.Errorf("queue: the NATS server at %s refuses the credentials: %w", redacted(where), err)
		}
		return s.checkVersion(redacted(where))
	case <-ctx.Done():
		return fmt.Errorf("queue: no NATS server answers at %s (%w): check the address and that it runs",
			redacted(where), errors.Join(nc.LastError(), ctx.Err()))
	}
}

func (s *Store) clientOptions() []nats.Option {
	opts := []nats.Option{
		nats.Name("smsbridge"),
		// A subscription holds what one request of a lane brings, or of two; room for 65,536, as
		// by default, costs half a megabyte for each lane.
		nats.SyncQueueLen(16 * pullBatch),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !s.closed.Load() {
				s.log.Warn().Err(err).Msg("queue: lost the connection to NATS; connecting again")
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.log.Warn().Err(err).Msg("queue: NATS client")
		}),
	}
	if s.cfg.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(s.cfg.CredsFile))
	}
	if s.cfg.Token != "" {
		opts = append(opts, nats.Token(s.cfg.Token))
	}
	return opts
}

// checkVersion refuses a server that cannot set a consumer back (2.14): without that a
// restart would not keep the order.
func (s *Store) checkVersion(where string) error {
	version := s.nc.ConnectedServerVersion()
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("queue: the NATS server at %s says its version is %q: 2.14 or later is needed", where, version)
	}
	if major < 2 || major == 2 && minor < 14 {
		return fmt.Errorf("queue: the NATS server at %s has version %s: upgrade it to 2.14 or later", where, version)
	}
	return nil
}

// redacted is a list of URLs without their secrets.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, one := range list {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil:
			list[i] = "(unreadable)"
		case u.User != nil:
			u.User = url.User("xxxxx") // a token stands where the user does
			list[i] = u.String()
		default:
			list[i] = u.String()
		}
	}
	return strings.Join(list, ",")
}

// linkState tells those who depend on an unbroken connection that there was a new one.
type linkState struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

func (l *linkState) init() { l.ctx, l.cancel = context.WithCancel(context.Background()) }

// renew ends every context that until gave.
func (l *linkState) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
	l.init()
}

// until is ctx, which ends as well at the next reconnect.
func (l *linkState) until(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	link := l.ctx
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(link, cancel)
	return ctx, func() { stop(); cancel() }
}
