package bridge

import (
	"sync"
	"time"
)

// latelyKept is how many messages each of the two generations of lately has: some 3 MB in all.
const latelyKept = 10_000

// lately remembers the messages that were accepted last, for a sender who repeats one before it
// was tried. Its methods may be called concurrently.
type lately struct {
	mu             sync.Mutex
	younger, older map[string]accepted
}

// accepted is what a repeat is held against.
type accepted struct {
	digest string
	at     time.Time
}

func (l *lately) put(id string, a accepted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.younger == nil || len(l.younger) >= latelyKept {
		l.younger, l.older = make(map[string]accepted), l.younger
	}
	l.younger[id] = a
}

func (l *lately) get(id string) (a accepted, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, known = l.younger[id]; !known {
		a, known = l.older[id]
	}
	return a, known
}

// idSet is a set of messages. Its methods may be called concurrently.
type idSet struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

func (s *idSet) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = make(map[string]struct{})
	}
	s.ids[id] = struct{}{}
}

func (s *idSet) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, in := s.ids[id]
	return in
}

func (s *idSet) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}
