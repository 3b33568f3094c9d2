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
)

// LinkStatuses lists the closed set, for metrics.
func LinkStatuses() []LinkStatus {
	return []LinkStatus{LinkConnecting, LinkBound, LinkPaused, LinkDown}
}

// LinkState is what is known of a link at one moment.
type LinkState struct {
	Name       string     `json:"name"`
	Account    string     `json:"account"`
	Bind       BindMode   `json:"bind"`
	Status     LinkStatus `json:"status"`
	Since      time.Time  `json:"since"`                // when it came to Status
	LastError  string     `json:"last_error,omitempty"` // why it was last down; kept while bound
	WindowUsed int        `json:"window_used"`          // submits without an answer
	Window     int        `json:"window"`
	Binds      uint64     `json:"binds"` // how often it has bound
}

// State gives the link's state now.
func (l *Link) State() LinkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := LinkState{
		Name: l.cfg.Name, Account: l.cfg.Account, Bind: l.cfg.Bind,
		Status: l.status, Since: l.since, Window: l.cfg.Window, Binds: l.binds,
	}
	if l.lastErr != nil {
		st.LastError = l.lastErr.Error()
	}
	if l.session != nil {
		st.WindowUsed = l.session.InFlight()
		if l.pause.active(time.Now()) {
			st.Status, st.Since = LinkPaused, l.pause.began
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
	l.onChange()
}

func (l *Link) setStatus(status LinkStatus) {
	l.update(func() { l.status, l.since = status, time.Now() })
}

func (l *Link) setBound(s *Session) {
	l.update(func() {
		l.session, l.status, l.since = s, LinkBound, time.Now()
		l.binds++
	})
	l.cfg.Logger.Info().Str("bind", string(l.cfg.Bind)).Msg("the link is bound")
}

func (l *Link) dropSession() {
	l.update(func() { l.session, l.status, l.since = nil, LinkDown, time.Now() })
}

// setDown notes why the link is down; nil means that it was stopped.
func (l *Link) setDown(err error) {
	l.update(func() {
		l.status, l.since = LinkDown, time.Now()
		if err != nil {
			l.lastErr = err
		}
	})
}

// changedWindow is called when a window slot became free.
func (l *Link) changedWindow() { l.onChange() }

// canTransmit tells whether the link's bind carries submits at all.
func (l *Link) canTransmit() bool { return l.cfg.Bind != Receiver }

// tryReserve takes room in the window if the link can submit at once.
func (l *Link) tryReserve() (*Slot, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.canTransmit() || l.session == nil || l.pause.active(time.Now()) {
		return nil, false
	}
	return l.session.TryReserve()
}

// noteAnswer lets the link pause or take breath, by the answer to what was sent.
func (l *Link) noteAnswer(class Class, sent time.Time) {
	switch class {
	case ClassThrottle:
		l.throttled(sent)
	case ClassLink:
		select {
		case l.rebind <- struct{}{}:
		default: // it is asked already
		}
	case ClassOK:
		l.mu.Lock()
		l.pause.accepted(sent)
		l.mu.Unlock()
	default: // it concerns the message only
	}
}

// throttled lets the link pause. Only the first of a row of pauses is worth a warning.
func (l *Link) throttled(sent time.Time) {
	l.mu.Lock()
	first := l.pause.next == 0
	began := l.pause.throttled(sent, time.Now())
	wait := time.Until(l.pause.until)
	l.mu.Unlock()
	if !began {
		return
	}
	event := l.cfg.Logger.Debug()
	if first {
		event = l.cfg.Logger.Warn()
	}
	event.Dur("pause", wait).Msg("the SMSC throttles us; the link pauses")
	l.update(func() {})
	time.AfterFunc(wait, func() { l.update(func() {}) })
}

var errNotBoundThere = errors.New("smpp: the SMSC says that we are not bound; binding again")

// tally counts what goes over a link.
type tally struct {
	outcomes           [6]atomic.Uint64
	segments           atomic.Uint64
	moStored, moFailed atomic.Uint64
}

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
	Segments uint64 // accepted submit_sm
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
