package smpp

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// account is what the links of one SMSC account share: the operator's rate, which
// counts segments, the pause while the SMSC throttles, and what the SMSC was told to send again. Each submit_sm needs a
// permit of it. All methods may be called concurrently.
type account struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	pause   pause
	pace    pace
	probing bool // the pause is over, and it is not known yet whether the throttling is
	probe   bool // the one permit of that time is out
	wakeAt  time.Time
	links   []*Link // replaced, never changed
	wake    func()  // lets the queue look again

	doubts doubts // has a lock of its own
}

// permit allows one submit_sm.
type permit struct {
	account *account
	probe   bool
	// segments is what it allows, as the rate counts; see [permit.charge].
	segments int
	// sent is set right before the writing.
	sent time.Time
}

func newAccount(wake func()) *account {
	return &account{wake: wake, limiter: rate.NewLimiter(rate.Inf, 1)}
}

// serve has links share the account, at most limit segments a second over all of them; 0: any
// number. What is known of the SMSC stays.
func (a *account) serve(links []*Link, limit float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links = links
	a.pace.limit = limit
	if limit > 0 {
		a.pace.slow = min(a.pace.slow, limit)
	}
	a.hold(time.Now())
}

// lowest is the rate of links that were given different ones: the lowest counts.
func lowest(links []*Link) (limit float64) {
	for _, l := range links {
		if r := l.cfg.Rate; r > 0 && (limit == 0 || r < limit) {
			limit = r
		}
	}
	return limit
}

// hold tells the limiter what the rate is now.
func (a *account) hold(now time.Time) {
	limit := rate.Inf
	if r := a.pace.rate(); r > 0 {
		limit = rate.Limit(r)
		// A burst of one, for an SMSC that counts by the tenth of a second refuses more;
		// but at high rates what the clock's grain of some milliseconds has let slip.
		a.limiter.SetBurstAt(now, max(1, int(r/200)))
	}
	if a.limiter.Limit() != limit {
		a.limiter.SetLimitAt(now, limit)
	}
}

// take gives a permit if one segment may be written now. Where not, the queue is told
// when to look again.
func (a *account) take(now time.Time) (*permit, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pause.active(now) || a.probing && a.probe {
		return nil, false // the end of the pause, or of the probe, wakes the queue
	}
	if a.pace.grow(now) {
		a.hold(now)
	}
	r := a.limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		a.wakeIn(now, wait)
		return nil, false
	}
	a.probe = a.probing
	return &permit{account: a, probe: a.probing, segments: 1}, true
}

// charge makes the permit one for a submit_sm of which the SMSC makes so many segments.
// Those beyond the first are owed: it may go at once, and what is behind it waits for all.
func (p *permit) charge(segments int, now time.Time) {
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()
	for ; p.segments < segments; p.segments++ {
		a.limiter.ReserveN(now, 1) // one by one: the limiter refuses more than a burst
	}
}

// wakeIn lets the queue look again after d, unless that is to happen before anyway. It
// looks once a second at least, since the pace may have grown meanwhile.
func (a *account) wakeIn(now time.Time, d time.Duration) {
	d = min(d, time.Second)
	if a.wakeAt.After(now) && !a.wakeAt.After(now.Add(d)) {
		return
	}
	a.wakeAt = now.Add(d)
	time.AfterFunc(d, a.wake)
}

// answered notes what the SMSC said to the permit's submit. It returns how long the
// account pauses from now on, zero where no pause begins by this answer.
func (p *permit) answered(class Class, now time.Time) (pause time.Duration, first bool) {
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()
	defer p.returnLocked()
	if class != ClassThrottle {
		if class == ClassOK {
			a.pace.accepted(now, p.segments)
		}
		// Any other answer too means that the SMSC listens to us again.
		if a.pause.accepted(p.sent) {
			a.probing = false
		}
		return 0, false
	}
	first = a.pause.next == 0
	if !a.pause.throttled(p.sent, now) {
		return 0, false
	}
	a.pace.throttled(now)
	a.hold(now)
	a.probing = true
	return a.pause.until.Sub(now), first
}

// giveBack ends a permit whose submit got no answer.
func (p *permit) giveBack() {
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	p.returnLocked()
}

func (p *permit) returnLocked() {
	if p.probe {
		p.probe, p.account.probe = false, false
	}
}

// paused tells since when the account pauses.
func (a *account) paused(now time.Time) (since time.Time, active bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause.began, a.pause.active(now)
}

// rate is to how many segments a second the account is held now; 0: no limit.
func (a *account) rate() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pace.rate()
}

// tellLinks wakes who watches the links of the account, and the queue.
func (a *account) tellLinks() {
	a.mu.Lock()
	links := a.links
	a.mu.Unlock()
	for _, l := range links {
		l.update(func() {})
	}
}
