package queue

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// RouteDepth is how much waits for one route.
type RouteDepth struct {
	Route    string // as Config.RouteOf named it
	Messages int    // that are in the queue, those being submitted included
	OldestAt time.Time
}

// RouteDepths tells what waits for each route, by name; a route that nothing waits for is not
// among them. It counts what the lanes of this process have taken, up to Config.Held in each: where more waits
// the rest is not known by route, and of several instances each knows its own lanes.
func (s *Store) RouteDepths() []RouteDepth {
	byRoute := make(map[string]RouteDepth)
	s.atWork.each(func(l laneAtWork) { l.depths(byRoute) })
	var all []RouteDepth
	for _, name := range slices.Sorted(maps.Keys(byRoute)) {
		all = append(all, byRoute[name])
	}
	return all
}

// laneAtWork is a lane that runs, whatever its stage.
type laneAtWork interface {
	depths(byRoute map[string]RouteDepth)
	goOn()
	drop(stage string, gone map[uint64]bool)
	idle(now time.Time) (stage string, since time.Duration)
}

// atWork knows the lanes that run in this process.
type atWork struct {
	mu  sync.Mutex
	all map[laneAtWork]bool
}

// add notes that a lane runs, until the function that it returns is called.
func (w *atWork) add(l laneAtWork) (gone func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[laneAtWork]bool)
	}
	w.all[l] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, l)
	}
}

func (w *atWork) each(fn func(laneAtWork)) {
	w.mu.Lock()
	lanes := slices.Collect(maps.Keys(w.all))
	w.mu.Unlock()
	for _, l := range lanes {
		fn(l)
	}
}

// depths adds what waits in the lane, where its stage has routes.
func (l *lane[M]) depths(byRoute map[string]RouteDepth) {
	if l.stage.route == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.lines {
		d := byRoute[ln.crew.route]
		d.Route = ln.crew.route
		d.Messages += len(ln.msgs)
		if at := time.Unix(0, ln.msgs[0].at).UTC(); d.OldestAt.IsZero() || at.Before(d.OldestAt) {
			d.OldestAt = at
		}
		byRoute[ln.crew.route] = d
	}
}
