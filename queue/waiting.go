package queue

import (
	"sync"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// waiting counts the messages to phones that wait, by person and by route, so that no one
// of them takes all the room. It counts what the lanes of this process have taken and
// not finished, up to Config.Held in each: so it is right again soon after a start, and
// a bound holds but for the few messages that no lane has seen yet. Of several instances
// each counts the lanes that it works on.
type waiting struct {
	mu sync.Mutex
	n  map[string]int
}

// add counts n more of each key.
func (w *waiting) add(keys []string, n int) {
	if len(keys) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n == nil {
		w.n = make(map[string]int)
	}
	for _, key := range keys {
		if w.n[key] += n; w.n[key] == 0 {
			delete(w.n, key)
		}
	}
}

func (w *waiting) of(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n[key]
}

func handleKey(h addressing.Handle) string { return "handle " + h.String() }

func routeKey(name string) string { return "route " + name }

// countedAs are the keys of a message, as far as there are bounds. The bridge's own answers
// are nobody's.
func (s *Store) countedAs(m *bridge.MT) (keys []string) {
	if s.cfg.MTMaxPerHandle > 0 && !m.Handle.IsZero() {
		keys = append(keys, handleKey(m.Handle))
	}
	if s.cfg.MTMaxPerRoute > 0 && s.cfg.RouteOf != nil {
		keys = append(keys, routeKey(s.routeOf(m)))
	}
	return keys
}

// routeOf names the route that m would take now.
func (s *Store) routeOf(m *bridge.MT) string {
	if s.cfg.RouteOf == nil {
		return ""
	}
	return s.cfg.RouteOf(m.Handle, m.Phone)
}

// room refuses m while as many as may wait of its sender, or of its route, do.
func (s *Store) room(m *bridge.MT) error {
	if limit := s.cfg.MTMaxPerHandle; limit > 0 && s.waiting.of(handleKey(m.Handle)) >= limit {
		return bridge.ErrHandleFull
	}
	if limit := s.cfg.MTMaxPerRoute; limit > 0 && s.cfg.RouteOf != nil &&
		s.waiting.of(routeKey(s.routeOf(m))) >= limit {
		return bridge.ErrRouteFull
	}
	return nil
}
