package smpp

import (
	"errors"
	"sync/atomic"
	"time"

	"smsbridge/bridge"
)

// LinkStatus is where a link stands.
type LinkStatus string

// The statuses of a link.
const (
	LinkConnecting LinkStatus = "connecting" // dialing or binding
	LinkBound      LinkStatus = "bound"
	LinkPaused     LinkStatus = "paused" // bound, and throttled by the SMSC for a moment
	LinkDown       LinkStatus = "down"   // waiting for the next attempt, or stopped
	// LinkQuarantined is down for longer: the SMSC drops each bind at once.
	LinkQuarantined LinkStatus = "quarantined"
)

// LinkStatuses lists the closed set, for metrics.
func LinkStatuses() []LinkStatus {
	return []LinkStatus{LinkConnecting, LinkBound, LinkPaused, LinkDown, LinkQuarantined}
}

// LinkState is what is known of a link at one moment.
type LinkState struct {
	Name      string     `json:"name"`
	Account   string     `json:"account"`
	Pool      string     `json:"pool"`
	Bind      BindMode   `json:"bind"`
	Status    LinkStatus `json:"status"`
	Since     time.Time  `json:"since"`                // when it came to Status; LinkDown: since when it has not been bound, over all attempts
	LastError string     `json:"last_error,omitempty"` // why it was last down; kept while bound
	// RetryAt is when a link that is down is tried again; zero where it is not.
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Listening is where the SMSC may call, for [OutbindConfig].
	Listening  string `json:"listening,omitempty"`
	WindowUsed int    `json:"window_used"` // submits without an answer
	Window     int    `json:"window"`
	Binds      uint64 `json:"binds"` // how often it has bound
	Held       bool   `json:"held"`  // see [Held]
	// Rate is to how many segments a second its account is held now: the operator's
	// limit, or less for a while after throttling; 0 means no limit.
	Rate float64 `json:"rate,omitempty"`
}

// State gives the link's state now.
func (l *Link) State() LinkState {
	pausedSince, paused := l.account.paused(time.Now())
	limit := l.account.rate()
	l.mu.Lock()
	defer l.mu.Unlock()
	st := LinkState{
		Name: l.cfg.Name, Account: l.cfg.Account, Pool: l.cfg.Pool, Bind: l.cfg.Bind,
		Status: l.status, Since: l.since, Window: l.cfg.Window, Binds: l.binds, Rate: limit,
		RetryAt: l.retryAt, Listening: l.listening, Held: l.isHeld(),
	}
	if l.lastErr != nil {
		st.LastError = l.lastErr.Error()
	}
	if l.session != nil {
		st.WindowUsed = l.session.InFlight()
		if paused {
			st.Status, st.Since = LinkPaused, pausedSince
		}
	}
	return st
}

// Changed gives a channel that is closed at the next change of Status. Take it before
// reading State, and again after it was closed.
func (l *Link) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// update changes the state by fn and tells those who wait.
func (l *Link) update(fn func()) {
	l.mu.Lock()
	fn()
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.queue.dispatch()
}

func (l *Link) setStatus(status LinkStatus) {
	l.update(func() { l.status, l.since, l.retryAt = status, time.Now(), time.Time{} })
}

func (l *Link) setBound(s *Session) {
	l.update(func() {
		l.session, l.status, l.since, l.downSince = s, LinkBound, time.Now(), time.Time{}
		l.binds++
	})
	l.cfg.Logger.Info().Str("bind", string(l.cfg.Bind)).Msg("the link is bound")
}

func (l *Link) dropSession() {
	l.update(func() {
		now := time.Now()
		l.session, l.status, l.since, l.downSince = nil, LinkDown, now, now
	})
}

// setDown notes why the link is down, nil meaning that it was stopped, and that it is
// tried again in wait.
func (l *Link) setDown(status LinkStatus, err error, wait time.Duration) {
	l.update(func() {
		now := time.Now()
		l.status, l.since, l.retryAt = status, now, time.Time{}
		if l.downSince.IsZero() {
			l.downSince = now
		}
		if status == LinkDown {
			l.since = l.downSince // an attempt that failed is no new fault
		}
		if err != nil {
			l.lastErr, l.retryAt = err, now.Add(wait)
		}
	})
}

// changedWindow is called when a window slot became free.
func (l *Link) changedWindow() { l.queue.dispatch() }

// canTransmit tells whether the link's bind carries submits at all.
func (l *Link) canTransmit() bool { return l.cfg.Bind != Receiver }

// room is how many more submits the window has room for; bound tells whether the link can
// submit at all, and may.
func (l *Link) room() (free int, bound bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.canTransmit() || l.session == nil || l.isHeld() {
		return 0, false
	}
	return l.cfg.Window - l.session.InFlight(), true
}

// tryReserve takes room in the window if the link can submit at once.
func (l *Link) tryReserve() (*Slot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return nil, false
	}
	return l.session.TryReserve()
}

// noteAnswer lets the account pause or take breath, or the link bind again, by the
// answer to what p allowed. Only the first of a row of pauses is worth a warning.
func (l *Link) noteAnswer(class Class, p *permit) {
	probe := p.probe
	wait, first := p.answered(class, time.Now())
	if class == ClassLink {
		select {
		case l.rebind <- struct{}{}:
		default: // it is asked already
		}
	}
	if wait > 0 {
		l.cfg.Logger.WithLevel(warnFirst(first)).Dur("pause", wait).Str("account", l.cfg.Account).Float64("rate_after", l.account.rate()).
			Msg("the SMSC throttles us; the account pauses")
		l.account.tellLinks()
		time.AfterFunc(wait, l.account.tellLinks)
	}
	if probe {
		l.queue.dispatch()
	}
}

var errNotBoundThere = errors.New("smpp: the SMSC says that we are not bound; binding again")

// tally counts what goes over a link.
type tally struct {
	outcomes           [6]atomic.Uint64
	segments           atomic.Uint64
	moStored, moFailed atomic.Uint64
}

// carried is how much went over the link, both ways.
func (t *tally) carried() uint64 { return t.segments.Load() + t.moStored.Load() }

func (t *tally) outcome(o bridge.Outcome) {
	for i, name := range bridge.Outcomes() {
		if name == o {
			t.outcomes[i].Add(1)
		}
	}
}

// LinkStats are the counts of a link since it was made. They only grow.
type LinkStats struct {
	Name, Account string
	// Submits counts submissions by outcome; each outcome is there.
	Submits  map[bridge.Outcome]uint64
	Segments uint64 // that the SMSC took, or makes of a message_payload that it took
	// MOStored and MOFailed count deliver_sm and data_sm by what Store said.
	MOStored, MOFailed uint64
	// The rest are those of [Counters].
	ResponseTimeouts, LateResponses, StrayResponses, Malformed, UnknownCommands, Panics uint64
}

// Stats gives the counts.
func (l *Link) Stats() LinkStats {
	st := LinkStats{
		Name: l.cfg.Name, Account: l.cfg.Account, Submits: make(map[bridge.Outcome]uint64, len(l.tally.outcomes)),
		Segments: l.tally.segments.Load(), MOStored: l.tally.moStored.Load(), MOFailed: l.tally.moFailed.Load(),
		ResponseTimeouts: l.counters.ResponseTimeouts.Load(), LateResponses: l.counters.LateResponses.Load(),
		StrayResponses: l.counters.StrayResponses.Load(), Malformed: l.counters.Malformed.Load(),
		UnknownCommands: l.counters.UnknownCommands.Load(), Panics: l.counters.Panics.Load(),
	}
	for i, o := range bridge.Outcomes() {
		st.Submits[o] = l.tally.outcomes[i].Load()
	}
	return st
}
