package smpp

import "time"

// steadyAfter is how long a bind must have held, or have carried something, for the next
// back-off to begin anew: an SMSC that binds and drops at once is not asked every second.
const steadyAfter = 10 * time.Second

// A link is put in quarantine after quarantineAfter binds in a row that the SMSC took and
// dropped, before steadyAfter and without anything carried: each may cost messages whose
// outcome nobody knows. It is tried again after quarantineFactor times the longest
// back-off, 5 min by default, until a bind holds.
const (
	quarantineAfter  = 5
	quarantineFactor = 5
)

// retry decides how long a link waits before it binds again.
type retry struct {
	min, max time.Duration
	next     time.Duration // zero: min
	short    int           // binds in a row that were dropped at once
}

// ending is how a connection ended, or why there was none.
type ending struct {
	bound       time.Duration // 0: it was never bound
	useful      bool          // it carried a segment or an MO
	credentials bool          // waiting will not mend it
}

// after gives the wait, before it is spread by chance, and whether it is a quarantine.
func (r *retry) after(e ending) (wait time.Duration, quarantine bool) {
	switch {
	case e.bound > steadyAfter || e.useful:
		r.next, r.short = 0, 0
	case e.bound > 0:
		r.short++
	}
	wait = max(r.next, r.min)
	r.next = min(2*wait, r.max)
	switch {
	case e.credentials:
		return r.max, false
	case r.short >= quarantineAfter:
		return quarantineFactor * r.max, true
	default:
		return wait, false
	}
}
