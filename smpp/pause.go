package smpp

import "time"

// How long a link pauses after a throttle answer: the first time, and at most. It
// doubles while the throttling goes on.
const (
	pauseMin = 250 * time.Millisecond
	pauseMax = 10 * time.Second
)

// pause decides how long a link that is being throttled stays silent. Its owner
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
// that the throttling is over.
func (p *pause) accepted(sent time.Time) {
	if sent.After(p.began) {
		p.next = 0
	}
}

func (p *pause) active(now time.Time) bool { return now.Before(p.until) }
