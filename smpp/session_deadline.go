package smpp

import (
	"fmt"
	"time"
)

// deadlines are the requests that were begun and have no answer, in the order in which
// their time runs out. It is that of their writing, since all have the same timeout, so
// that one timer serves all of them; a timer for each costs more than all else that a
// Session does for it. They belong to the Session's mutex.
type deadlines struct {
	first, last *request
	timer       *time.Timer // nil before the first request
	running     bool        // timer will fire, at the latest when the first is overdue
}

func (d *deadlines) add(r *request, deadline time.Time) {
	r.deadline = deadline
	r.prev = d.last
	if d.last == nil {
		d.first = r
	} else {
		d.last.next = r
	}
	d.last = r
}

// remove takes r out, if it is there.
func (d *deadlines) remove(r *request) {
	if r.deadline.IsZero() {
		return
	}
	if r.prev == nil {
		d.first = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		d.last = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.prev, r.next, r.deadline = nil, nil, time.Time{}
}

// awaitLocked begins the wait for the answer to r.
func (s *Session) awaitLocked(r *request, now time.Time) {
	d := &s.deadlines
	d.add(r, now.Add(s.cfg.ResponseTimeout))
	if d.running {
		return
	}
	d.running = true
	if d.timer == nil {
		d.timer = time.AfterFunc(s.cfg.ResponseTimeout, s.expire)
		return
	}
	d.timer.Reset(s.cfg.ResponseTimeout)
}

// expire ends the requests whose response is overdue.
func (s *Session) expire() {
	if s.expireDue() {
		s.end(ErrDeaf)
	}
}

// expireDue also tells whether the peer is deaf.
func (s *Session) expireDue() (deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.deadlines
	now := time.Now()
	for d.first != nil && !d.first.deadline.After(now) {
		s.cfg.Counters.ResponseTimeouts.Add(1)
		overdue := d.first
		s.failLocked(overdue, fmt.Errorf("%w after %s", errResponseTimeout, s.cfg.ResponseTimeout))
		s.giveUpLocked(overdue)
		deaf = s.doubtLocked(overdue) || deaf
	}
	d.running = d.first != nil
	if d.running {
		d.timer.Reset(d.first.deadline.Sub(now))
	}
	return deaf
}
