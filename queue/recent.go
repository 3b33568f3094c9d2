package queue

import "sync"

// recent remembers the records that this process wrote or read last, so that what follows at
// once upon a write, such as the dispatch of a message upon its acceptance, need not ask
// the server. Two generations bound it: when the younger is full, the older is forgotten.
// Only who is alone in writing may trust it; with an era of the committer all is forgotten,
// since the disk may have lost what the server had acknowledged. With size 0 it remembers
// nothing. All methods may be called concurrently.
type recent[V any] struct {
	size int // of a generation

	mu             sync.Mutex
	era            uint64
	younger, older map[string]revised[V]
}

// revised is a record with its revision in the stream.
type revised[V any] struct {
	value V
	rev   uint64
}

func newRecent[V any](size int) *recent[V] {
	return &recent[V]{size: size, younger: make(map[string]revised[V])}
}

// get gives the record, unless it is not remembered from this era.
func (r *recent[V]) get(key string, era uint64) (v V, rev uint64, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if era != r.era {
		return v, 0, false
	}
	found, known := r.younger[key]
	if !known {
		found, known = r.older[key]
	}
	return found.value, found.rev, known
}

// put remembers a record that was written or read in era. Of two whose callers come here in
// the wrong order the later one counts.
func (r *recent[V]) put(key string, v V, rev, era uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if era > r.era {
		r.era, r.younger, r.older = era, make(map[string]revised[V]), nil
	}
	if r.size == 0 || era < r.era || r.younger[key].rev > rev || r.older[key].rev > rev {
		return
	}
	if len(r.younger) >= r.size {
		r.younger, r.older = make(map[string]revised[V]), r.younger
	}
	r.younger[key] = revised[V]{v, rev}
	delete(r.older, key)
}

// forget is for a write of which nobody knows what became of it.
func (r *recent[V]) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.younger, key)
	delete(r.older, key)
}
