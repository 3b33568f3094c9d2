package bridge

import (
	"sync"
	"time"
)

// latelyKept is how many values each of the two generations of lately has.
const latelyKept = 10_000

// lately remembers something of the last messages or addresses, of 20,000 at most. Its methods
// may be called concurrently.
type lately[V any] struct {
	mu             sync.Mutex
	younger, older map[string]V
}

// accepted is what a sender's repeat of a message that was not tried yet is held against.
type accepted struct {
	digest string
	at     time.Time
}

func (l *lately[V]) put(id string, v V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.younger == nil || len(l.younger) >= latelyKept {
		l.younger, l.older = make(map[string]V), l.younger
	}
	l.younger[id] = v
}

func (l *lately[V]) get(id string) (v V, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, known = l.younger[id]; !known {
		v, known = l.older[id]
	}
	return v, known
}

func (l *lately[V]) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.younger, id)
	delete(l.older, id)
}
