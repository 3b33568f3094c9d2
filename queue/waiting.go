package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// waiting counts the messages to phones that wait, by person and by route, so that no one
// of them takes all the room. It counts what the lanes of this process have taken and
// not finished, up to Config.Held in each: so it is right again soon after a start, and
// a bound holds but for the few messages that no lane has seen yet. Of several instances each
// counts the lanes that it works on, and tells the others, with its signs of life, of what many
// wait: their bounds hold but for what waits in a few seconds, and a tenth for each of them.
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

// maxMany bounds what an instance tells the others.
const maxMany = 1000

// manyWaiting are the keys, at most maxMany, of which at least a tenth of what may wait does.
func (s *Store) manyWaiting() map[string]int {
	if s.cfg.MTMaxPerHandle == 0 && s.cfg.MTMaxPerRoute == 0 {
		return nil
	}
	many := make(map[string]int)
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	for key, n := range s.waiting.n {
		limit := s.cfg.MTMaxPerHandle
		if strings.HasPrefix(key, routeKey("")) {
			limit = s.cfg.MTMaxPerRoute
		}
		if n >= max(1, limit/10) && len(many) < maxMany {
			many[key] = n
		}
	}
	return many
}

// waits is how many messages with that key wait, here and at the other instances.
func (s *Store) waits(key string) int {
	n := s.waiting.of(key)
	if s.keeper != nil {
		n += s.keeper.waiting(key)
	}
	return n
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
	if limit := s.cfg.MTMaxPerHandle; limit > 0 && s.waits(handleKey(m.Handle)) >= limit {
		return bridge.ErrHandleFull
	}
	if limit := s.cfg.MTMaxPerRoute; limit > 0 && s.cfg.RouteOf != nil &&
		s.waits(routeKey(s.routeOf(m))) >= limit {
		return bridge.ErrRouteFull
	}
	return nil
}

// overhead is about what the server stores beside a message's JSON: subject, headers, length and checksum.
const overhead = 256

// RoomMT tells whether PublishMT would refuse m for want of room; see [bridge.Queue]. How
// much the queue holds is asked for only once it was found full: the first that finds it so
// learns it from PublishMT.
func (s *Store) RoomMT(ctx context.Context, m bridge.MT) error {
	if err := s.room(&m); err != nil {
		return err
	}
	if err := s.space.check(s.cfg.MinFree); err != nil {
		return err
	}
	if err := s.fill.check(ctx); err != nil {
		return err
	}
	if !s.brim.Load() {
		return nil
	}
	stream, err := s.js.Stream(ctx, stageMT)
	if err != nil {
		return nil //nolint:nilerr // PublishMT finds out, waits for the server if need be, and says it
	}
	info := stream.CachedInfo()
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("queue: encode message %s: %w", m.ID, err)
	}
	if bound := info.Config.MaxMsgs; bound > 0 && info.State.Msgs >= uint64(bound) {
		return fmt.Errorf("%w: %d messages to phones wait, and so many may", bridge.ErrFull, bound)
	}
	if bound := info.Config.MaxBytes; bound > 0 && info.State.Bytes+uint64(len(data))+overhead > uint64(bound) {
		return fmt.Errorf("%w: messages to phones take %d of %d bytes", bridge.ErrFull, info.State.Bytes, bound)
	}
	return nil
}
