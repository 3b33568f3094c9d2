package smpp

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// queue is where submits wait for a link. Whoever may go by the same links stands in
// one line, so that a change of a link costs a look at the head of each line, however
// many wait. All methods may be called concurrently.
type queue struct {
	held atomic.Pointer[Held] // nil: nothing

	mu      sync.Mutex
	lines   []*line
	waiting int
	entered uint64
	round   uint64
}

// rank is who goes before whom. Within a rank who came first goes first.
type rank uint8

const (
	rankRefused   rank = iota // was throttled: it goes first when the account resumes
	rankContinued             // the next segment of a message that is on its way
	rankNew
	ranks
)

// line is submits that any of the same links may take.
type line struct {
	take func(now time.Time) (grant, bool)
	// likely is one of the links, by which most will go.
	likely *Link
	ranks  [ranks]list.List // of *waiter
	round  uint64           // of the dispatch that found no room for its head
	closed bool             // it is nobody's any more
}

// waiter is a submit that waits.
type waiter struct {
	line    *line
	rank    rank
	number  uint64
	element *list.Element // nil once it has its grant
	granted chan grant
}

// grant is leave to submit one segment: a link, a slot in its window, and a permit of its
// account.
type grant struct {
	link   *Link
	slot   *Slot
	permit *permit
	// route and costClass are of the route that gave it; empty where none did.
	route, costClass string
}

// addLine makes a line of those whom take can serve, most likely by the link likely.
func (q *queue) addLine(likely *Link, take func(now time.Time) (grant, bool)) *line {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &line{take: take, likely: likely}
	q.lines = append(q.lines, l)
	return l
}

// errMoved sends who waits in a line that was closed to another.
var errMoved = fmt.Errorf("%w: the configuration has changed", ErrNotWritten)

// closeLine takes l out. Who waits in it, or comes to it later, gets errMoved.
func (q *queue) closeLine(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.closed = true
	q.lines = slices.DeleteFunc(q.lines, func(other *line) bool { return other == l })
	for r := range l.ranks {
		for e := l.ranks[r].Front(); e != nil; e = l.ranks[r].Front() {
			w := e.Value.(*waiter)
			q.removeLocked(w)
			w.granted <- grant{}
		}
	}
}

// wait waits in l for a grant. Where ctx ends the wait the error wraps ErrNotWritten
// and ctx's.
func (q *queue) wait(ctx context.Context, l *line, r rank) (grant, error) {
	if err := ctx.Err(); err != nil {
		return grant{}, fmt.Errorf("%w: no link took it: %w", ErrNotWritten, err)
	}
	w := &waiter{line: l, rank: r, granted: make(chan grant, 1)}
	q.mu.Lock()
	if l.closed {
		q.mu.Unlock()
		return grant{}, errMoved
	}
	q.entered++
	q.waiting++
	w.number = q.entered
	w.element = l.ranks[r].PushBack(w)
	q.mu.Unlock()
	q.dispatch()
	select {
	case g := <-w.granted:
		if g.link == nil {
			return g, errMoved
		}
		return g, nil
	case <-ctx.Done():
	}
	if !q.leave(w) {
		g := <-w.granted
		if g.permit != nil { // and was not sent away
			g.permit.giveBack()
			if r != rankContinued { // it has the slot from before
				g.slot.Release()
			}
			q.dispatch()
		}
	}
	return grant{}, fmt.Errorf("%w: no link took it: %w", ErrNotWritten, ctx.Err())
}

// leave takes w out, and returns false where it has its grant already.
func (q *queue) leave(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.element == nil {
		return false
	}
	q.removeLocked(w)
	return true
}

func (q *queue) removeLocked(w *waiter) {
	w.line.ranks[w.rank].Remove(w.element)
	w.element = nil
	q.waiting--
}

// dispatch gives grants, in order, as far as there is room. It runs whenever a link, a
// window or an account may have got room.
func (q *queue) dispatch() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == 0 {
		return
	}
	q.round++
	now := time.Now()
	for w := q.nextLocked(); w != nil; w = q.nextLocked() {
		g, ok := w.line.take(now)
		if !ok {
			w.line.round = q.round // what is granted to others makes no room for it
			continue
		}
		q.removeLocked(w)
		w.granted <- g
	}
}

// nextLocked is who goes before all others of the lines that may still have room.
func (q *queue) nextLocked() *waiter {
	var best *waiter
	for _, l := range q.lines {
		if l.round == q.round {
			continue
		}
		for r := range l.ranks {
			head := l.ranks[r].Front()
			if head == nil {
				continue
			}
			w := head.Value.(*waiter)
			if best == nil || w.rank < best.rank || w.rank == best.rank && w.number < best.number {
				best = w
			}
			break
		}
	}
	return best
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
