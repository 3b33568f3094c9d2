package smpp

import (
	"errors"
	"slices"
	"time"
)

// Held is what an operator keeps new messages from, by name. Whoever has begun finishes: the
// rest of a text whose first segments are on their way now, and what waits for its answer.
type Held struct {
	All    bool     // every message
	Links  []string // stay bound and take MO; other links of a route serve in their place
	Routes []string // as [RouteState] names them
}

// Hold replaces what is held; nothing is, to begin with. Names that there are not do no harm.
func (ls *Links) Hold(h Held) {
	ls.queue.held.Store(&Held{All: h.All, Links: slices.Clone(h.Links), Routes: slices.Clone(h.Routes)})
	for _, l := range ls.links() {
		l.update(func() {}) // tells who watches it, and the queue
	}
}

// holdsAll tells whether nobody may begin.
func (q *queue) holdsAll() bool {
	h := q.held.Load()
	return h != nil && h.All
}

func (q *queue) holdsRoute(name string) bool {
	h := q.held.Load()
	return h != nil && (h.All || slices.Contains(h.Routes, name))
}

// isHeld tells whether nobody may begin over l.
func (l *Link) isHeld() bool {
	h := l.queue.held.Load()
	return h != nil && slices.Contains(h.Links, l.cfg.Name)
}

// takeUnlessHeld is take where an operator does not hold the route.
func (q *queue) takeUnlessHeld(r *route) func(now time.Time) (grant, bool) {
	return func(now time.Time) (grant, bool) {
		if q.holdsRoute(r.name) {
			return grant{}, false
		}
		g, ok := r.take(now)
		g.route, g.costClass = r.name, r.CostClass
		return g, ok
	}
}

// errRebind ends a connection as an operator asked.
var errRebind = errors.New("smpp: an operator has the link bind anew")

// Rebind has a link unbind, once what is in flight is answered or DrainTimeout is over, and bind
// anew at once. One that is down is tried now, also out of quarantine; one that is
// connecting goes on. It tells whether there is such a link, and waits for nothing.
func (ls *Links) Rebind(name string) bool {
	links := ls.links()
	i := slices.IndexFunc(links, func(l *Link) bool { return l.cfg.Name == name })
	if i < 0 {
		return false
	}
	select {
	case links[i].anew <- struct{}{}:
	default: // it is asked already
	}
	return true
}
