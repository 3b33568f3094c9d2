package smpp

import "time"

// This file is how an account gets out of throttling. An answer that throttles begins a
// pause of the whole account: 250 ms, then twice as long each time, at most 10 s. When
// it is over one submit goes out alone, the refused one first. If that is refused too
// the next pause begins; if not the others follow, at half the rate at which the SMSC had
// taken segments when it refused. Each second without a refusal adds a tenth of that rate, so
// that after five seconds it is reached again, and at twice of it the SMSC is taken for
// recovered: then the operator's rate alone counts.

// How long an account pauses after a throttle answer: the first time, and at most.
const (
	pauseMin = 250 * time.Millisecond
	pauseMax = 10 * time.Second
)

// pause decides how long an account that is being throttled stays silent. Its owner
// guards it and gives it the time.
type pause struct {
	until time.Time
	began time.Time
	next  time.Duration // zero: it has not begun
}

// throttled notes a throttle answer to what was sent at sent, and tells whether a
// pause begins. Of many answers to one burst only the first counts: the others were
// on their way when the pause began.
func (p *pause) throttled(sent, now time.Time) bool {
	if !sent.After(p.began) {
		return false
	}
	if p.next == 0 {
		p.next = pauseMin
	}
	p.began, p.until = now, now.Add(p.next)
	p.next = min(2*p.next, pauseMax)
	return true
}

// accepted notes that the SMSC took what was sent at sent: after a pause that means
// that the throttling is over, which it tells.
func (p *pause) accepted(sent time.Time) bool {
	if !sent.After(p.began) {
		return false
	}
	p.next = 0
	return true
}

func (p *pause) active(now time.Time) bool { return now.Before(p.until) }

// The pace after a pause, in segments a second: never slower than minPace, and faster by
// minStep each second at least.
const (
	minPace = 5
	minStep = 1
)

// pace is the rate of an account. Its owner guards it and gives it the time.
type pace struct {
	limit float64 // the operator's; 0: none
	slow  float64 // below it since a throttle answer; 0: not slowed
	base  float64 // what the SMSC took when it refused
	grown time.Time

	// What was accepted in the second that began at second, and in the one before.
	second      time.Time
	count, last float64
	fresh       bool // something was accepted since the pace was last cut
}

// rate is what the account is held to; 0: nothing.
func (p *pace) rate() float64 {
	if p.slow > 0 {
		return p.slow
	}
	return p.limit
}

// accepted counts segments.
func (p *pace) accepted(now time.Time, segments int) {
	p.turn(now)
	p.count += float64(segments)
	p.fresh = true
}

func (p *pace) turn(now time.Time) {
	switch past := now.Sub(p.second); {
	case past >= 2*time.Second:
		p.second, p.count, p.last = now, 0, 0
	case past >= time.Second:
		p.second, p.count, p.last = p.second.Add(time.Second), 0, p.count
	}
}

// recent is how many segments were accepted in the last second.
func (p *pace) recent(now time.Time) float64 {
	p.turn(now)
	return p.count + p.last*(1-now.Sub(p.second).Seconds())
}

// throttled cuts the pace to half. Where nothing was accepted since the last cut the
// refusal says nothing about the rate, and only the pause grows.
func (p *pace) throttled(now time.Time) {
	p.grown = now
	if p.slow > 0 && !p.fresh {
		return
	}
	p.fresh = false
	if p.base = p.slow; p.base == 0 {
		p.base = p.recent(now)
	}
	p.slow = max(p.base/2, minPace)
	if p.limit > 0 {
		p.slow = min(p.slow, p.limit)
	}
}

// grow raises the pace for each second that went well, and tells whether it did.
func (p *pace) grow(now time.Time) bool {
	seconds := now.Sub(p.grown) / time.Second
	if p.slow == 0 || seconds < 1 {
		return false
	}
	p.grown = p.grown.Add(seconds * time.Second)
	p.slow += float64(seconds) * max(p.base/10, minStep)
	if p.limit > 0 && p.slow >= p.limit || p.limit == 0 && p.slow >= 2*max(p.base, minPace) {
		p.slow = 0
	}
	return true
}
