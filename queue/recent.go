package queue

import "sync"

// recent remembers the records that this process wrote or read last, so that what follows at
// once upon a write, such as the dispatch of a message upon its acceptance, need not ask
// the server. Two generations bound it: when the younger is full, the older is forgotten, but
// for what was asked for since. Only who is alone in writing may trust it; with an era of the
// committer all is forgotten, since the disk may have lost what the server had acknowledged.
// With size 0 it remembers nothing. All methods may be called concurrently.
type recent[K comparable, V any] struct {
	size int // of a generation

	mu             sync.Mutex
	era, turn      uint64
	younger, older map[K]revised[V]
}

// revised is a record with its revision in the stream, 0 where there is no record; or, with the bit unknown in that, the
// word that what is older must not be remembered. There may be millions, so they are small.
type revised[V any] struct {
	value V
	rev   uint64
}

// unknown is a bit that no revision has: a stream would need 290,000 years to get there at a
// million messages a second.
const unknown = 1 << 63

func (r revised[V]) unknown() bool { return r.rev&unknown != 0 }

func (r revised[V]) newerThan(rev uint64) bool { return r.rev&^unknown > rev }

// moment is when a read or a write began: the era, and how often a generation had been
// forgotten.
type moment struct{ era, turn uint64 }

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, younger: make(map[K]revised[V])}
}

// get gives the record, unless it is not remembered from this era.
func (r *recent[K, V]) get(key K, era uint64) (v V, rev uint64, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if era != r.era {
		return v, 0, false
	}
	found, young := r.younger[key]
	if !young {
		if found, known = r.older[key]; known {
			r.keep(key, found)
		}
	}
	if found.unknown() {
		return v, 0, false
	}
	return found.value, found.rev, young || known
}

// begin is to be asked before a read or a write, for put.
func (r *recent[K, V]) begin(era uint64) moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return moment{era, r.turn}
}

// put remembers a record that was written or read since began. Of two whose callers come here in
// the wrong order the later one counts. Where a later one may have been forgotten already, what
// is known is only that no older one counts.
func (r *recent[K, V]) put(key K, v V, rev uint64, began moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if began.era > r.era {
		r.era, r.younger, r.older = began.era, make(map[K]revised[V]), nil
	}
	if r.size == 0 || r.last(key).newerThan(rev) {
		return
	}
	// What was put since began is forgotten by the second turn at the soonest.
	if began.era < r.era || r.turn > began.turn+1 {
		r.keep(key, revised[V]{rev: rev | unknown})
		return
	}
	r.keep(key, revised[V]{value: v, rev: rev})
}

// doubt is for a write over the revision rev that failed, or of which nobody knows what
// became of it: it may still be stored. So what is not newer than rev may be out of date, and is
// not remembered, also where a read that began before brings it only now.
func (r *recent[K, V]) doubt(key K, rev uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 || r.last(key).newerThan(rev) {
		return // that write has come too late, or is known
	}
	r.keep(key, revised[V]{rev: rev + 1 | unknown})
}

// forget is doubt where the write was not bound to a revision: the record is not remembered
// again until the doubt falls out of both generations.
func (r *recent[K, V]) forget(key K) { r.doubt(key, unknown-2) }

// last is what is known of key, if anything; the lock is held.
func (r *recent[K, V]) last(key K) revised[V] {
	if found, young := r.younger[key]; young {
		return found
	}
	return r.older[key]
}

// keep puts an entry into the younger generation; the lock is held.
func (r *recent[K, V]) keep(key K, v revised[V]) {
	delete(r.older, key)
	if _, young := r.younger[key]; !young && len(r.younger) >= r.size {
		r.younger, r.older = make(map[K]revised[V]), r.younger
		r.turn++
	}
	r.younger[key] = v
}
