package smpp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Link keeps one configured bind up. All methods may be called concurrently.
type Link struct {
	cfg      LinkConfig
	counters *Counters
	tally    *tally
	rebind   chan struct{} // asks Run to bind again
	anew     chan struct{} // so does an operator, at once

	// Of the Links that it belongs to; set before Run.
	queue     *queue
	account   *account
	past      *past
	continued *line // of messages that have a slot and wait to submit the next segment

	storeFails atomic.Bool  // the last MO was not stored
	refused    atomic.Bool  // the peer asked for what is not for this bind
	listener   net.Listener // for outbind; nil until Run has opened it. Run's alone

	mu        sync.Mutex
	session   *Session // nil while not bound
	status    LinkStatus
	since     time.Time
	downSince time.Time // since when it is not bound; zero while it is, and before its first attempt ended
	lastErr   error
	retryAt   time.Time // of the next attempt; zero while there is none to wait for
	listening string
	binds     uint64
	changed   chan struct{}
}

// NewLink makes a Link. The error says which setting is wrong.
func NewLink(cfg LinkConfig) (*Link, error) {
	cfg, err := cfg.validated()
	if err != nil {
		return nil, err
	}
	cfg.Logger = cfg.Logger.With().Str("link", cfg.Name).Str("smsc", cfg.Addr).Logger()
	l := &Link{
		cfg: cfg, counters: new(Counters), tally: new(tally), past: new(past),
		status: LinkDown, since: time.Now(), changed: make(chan struct{}), rebind: make(chan struct{}, 1), anew: make(chan struct{}, 1),
	}
	q := new(queue)
	a := newAccount(q.dispatch)
	a.serve([]*Link{l}, l.cfg.Rate)
	l.join(q, a)
	return l, nil
}

// join makes l one of those that serve q, by an account that it may share.
func (l *Link) join(q *queue, a *account) {
	l.queue, l.account = q, a
	l.continued = q.addLine(l, func(now time.Time) (grant, bool) {
		p, ok := a.take(now)
		return grant{link: l, permit: p}, ok
	})
}

// Name is the link's name.
func (l *Link) Name() string { return l.cfg.Name }

// Account is the account that the link belongs to.
func (l *Link) Account() string { return l.cfg.Account }

// Run keeps the link bound until ctx ends; then it drains within DrainTimeout,
// unbinds, closes and returns nil. It must be called once.
func (l *Link) Run(ctx context.Context) error {
	defer l.hangUp()
	again := l.newRetry()
	for {
		carried := l.tally.carried()
		bound, err := l.connect(ctx)
		if ctx.Err() != nil {
			l.setDown(LinkDown, nil, 0)
			return nil
		}
		if errors.Is(err, errRebind) {
			again = l.newRetry()
			continue
		}
		wait, quarantine := again.after(ending{bound: bound, useful: l.tally.carried() > carried, credentials: isCredentials(err)})
		wait = jittered(wait)
		status := LinkDown
		if quarantine {
			status = LinkQuarantined
		}
		l.logEnd(err, status, again.short)
		l.setDown(status, err, wait)
		if l.rest(ctx, wait) {
			again = l.newRetry()
		}
		if ctx.Err() != nil {
			l.setDown(LinkDown, nil, 0)
			return nil
		}
	}
}

func (l *Link) newRetry() retry {
	again := retry{min: l.cfg.BackoffMin, max: l.cfg.BackoffMax}
	if l.cfg.Outbind != nil {
		again.max = again.min // the SMSC says when; what the next caller is has nothing to do with the last
	}
	return again
}

// rest waits for d, until ctx ends, or until an operator has the link bind now, which it tells.
func (l *Link) rest(ctx context.Context, d time.Duration) (asked bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-l.anew:
		return true
	}
	return false
}

// connect is one connection from dial to end. It says how long it was bound.
func (l *Link) connect(ctx context.Context) (bound time.Duration, err error) {
	l.setStatus(LinkConnecting)
	conn, err := l.open(ctx)
	if err != nil {
		return 0, err
	}
	in := newIncoming(l)
	s := NewSession(conn, SessionConfig{
		Window: l.cfg.Window, ResponseTimeout: l.cfg.ResponseTimeout, EnquireInterval: l.cfg.EnquireInterval,
		Logger: l.cfg.Logger, Handler: in, Counters: l.counters, Released: l.changedWindow,
	})
	// The session outlives ctx: what is in flight gets its answers first.
	ended := make(chan error, 1)
	l.past.begin(in.session, s)
	go func() {
		err := s.Run(context.WithoutCancel(ctx))
		l.past.end(in.session, err)
		ended <- err
	}()
	err = l.recognise(ctx, s, in)
	if err == nil {
		err = l.bind(ctx, s)
	}
	if err != nil {
		_ = s.Close() // never fails
		if end := <-ended; end != nil && (errors.Is(err, ErrUnknown) || errors.Is(err, ErrSessionClosed)) {
			err = fmt.Errorf("smpp: bind: %w", end)
		}
		return 0, err
	}
	in.setBound()
	for _, asked := range []chan struct{}{l.rebind, l.anew} {
		select {
		case <-asked: // it meant the connection before
		default:
		}
	}
	l.setBound(s)
	began := time.Now()
	select {
	case err = <-ended:
		l.dropSession()
	case <-l.rebind:
		l.dropSession()
		l.drain(ctx, s)
		err = errors.Join(errNotBoundThere, <-ended)
	case <-l.anew:
		l.cfg.Logger.Info().Msg("an operator has the link bind anew")
		l.dropSession()
		l.drain(ctx, s)
		err = errors.Join(errRebind, <-ended)
	case <-ctx.Done():
		l.dropSession()
		l.drain(ctx, s)
		err = <-ended
	}
	return time.Since(began), err
}

// bind binds within ResponseTimeout: an SMSC that accepts the connection and says
// nothing must not hold the link for ever.
func (l *Link) bind(ctx context.Context, s *Session) error {
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	_, err := s.Bind(ctx, bindCommands[l.cfg.Bind], *l.cfg.bindFields())
	return err
}

func (l *Link) drain(ctx context.Context, s *Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.DrainTimeout)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		l.cfg.Logger.Warn().Err(err).Msg("the link closes without a clean end")
	}
}

// logEnd logs why a connection ended or was not made: loudly where only a person can
// mend it, and once as long as the reason stays the same.
func (l *Link) logEnd(err error, status LinkStatus, short int) {
	switch {
	case isCredentials(err):
		l.cfg.Logger.Error().Err(err).Str("system_id", l.cfg.SystemID).Dur("again_in", l.cfg.BackoffMax).
			Msg("the SMSC refuses our credentials: check system_id, password and bind mode of this link, and ask the operator whether the account is active and this address allowed; trying again slowly")
		return
	case status == LinkQuarantined:
		if short == quarantineAfter {
			l.cfg.Logger.Error().Err(err).Int("binds_dropped", short).Dur("again_in", quarantineFactor*l.cfg.BackoffMax).
				Msg("the SMSC takes this bind and drops it at once, again and again: the link is in quarantine, and tried rarely until a bind holds; ask the operator what is wrong with the account, such as too many binds")
		}
		return
	}
	l.mu.Lock()
	same := l.lastErr != nil && err != nil && l.lastErr.Error() == err.Error()
	l.mu.Unlock()
	if !same {
		l.cfg.Logger.Warn().Err(err).Msg("the link is down; trying again")
	}
}

// isCredentials tells whether err is a refusal that waiting will not mend.
func isCredentials(err error) bool {
	refusal, ok := errors.AsType[*StatusError](err)
	if !ok {
		return false
	}
	switch refusal.Status {
	case StatusInvPaswd, StatusInvSysID, StatusBindFail:
		return true
	default:
		return false
	}
}

// jittered spreads waits over the upper half of d, so that links which fell together
// do not come back together.
func jittered(d time.Duration) time.Duration {
	half := d / 2
	return half + rand.N(half+1)
}
