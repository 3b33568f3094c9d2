package addressing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Notes keeps what operators decide while the bridge runs: small records by key, with
// compare-and-set, of which every instance hears. A key is any text. Its methods may be
// called concurrently.
type Notes interface {
	// LoadNote gives a record and its revision; nil and 0 where there is none.
	LoadNote(ctx context.Context, key string) ([]byte, uint64, error)
	// SaveNote stores a record, or with a nil value removes it, if the revision is still rev, and
	// returns the new one; otherwise the error wraps [ErrConflict]. It returns once that is on disk.
	SaveNote(ctx context.Context, key string, value []byte, rev uint64) (uint64, error)
	// FollowNotes calls fn for each record there is and then returns, and goes on to call it with
	// each that changes, one at a time, until the store is closed. A nil value is of one that was removed.
	FollowNotes(ctx context.Context, fn func(key string, value []byte, rev uint64) error) error
}

// Directory is what operators have decided while the bridge runs: which handles have another
// name now or none, who is blocked, and which Numbers were added or retired. Every instance
// has all of it in memory, some 300 bytes for each decision, so that no message waits for it;
// what one instance decides the others know within the time of a message between them. All
// methods may be called concurrently.
type Directory struct {
	notes Notes
	now   func() time.Time

	mu      sync.RWMutex
	revs    map[string]uint64 // of each record that was seen
	people  map[Handle]person
	came    map[Handle][]Handle // by the new name, the names before it
	blocks  map[string]Block    // by key
	exact   map[Handle][]Block  // those of one handle
	wide    []Block             // those of many
	numbers numberNotes
	// registered are the names by which phones may write to somebody first.
	registered map[string]Registered
	erased     map[string]erased // by key

	waiting sync.Mutex
	waiters map[Handle]map[*func()]bool
}

// NewDirectory reads what there is. Without notes it is empty, and nothing can be changed. now
// is the clock; nil means time.Now.
func NewDirectory(ctx context.Context, notes Notes, now func() time.Time) (*Directory, error) {
	if now == nil {
		now = time.Now
	}
	d := &Directory{
		notes: notes, now: now, revs: make(map[string]uint64), people: make(map[Handle]person), came: make(map[Handle][]Handle),
		blocks: make(map[string]Block), exact: make(map[Handle][]Block), numbers: newNumberNotes(), registered: make(map[string]Registered), erased: make(map[string]erased), waiters: make(map[Handle]map[*func()]bool),
	}
	if notes == nil {
		return d, nil
	}
	if err := notes.FollowNotes(ctx, d.apply); err != nil {
		return nil, fmt.Errorf("addressing: what operators decided: %w", err)
	}
	return d, nil
}

// The kinds of records, which their keys begin with.
const (
	noteHandle = "handle "
	noteBlock  = "block "
	noteNumber = "number "
)

// noteVersion is the form of a record.
const noteVersion = 1

// apply takes a record over into memory. One that is older than what is known is passed over:
// what this process has stored it knows before it hears of it.
func (d *Directory) apply(key string, value []byte, rev uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if rev < d.revs[key] {
		return nil
	}
	var err error
	switch {
	case strings.HasPrefix(key, noteHandle):
		err = d.applyPerson(strings.TrimPrefix(key, noteHandle), value)
	case strings.HasPrefix(key, noteBlock):
		err = d.applyBlock(key, value)
	case strings.HasPrefix(key, noteName):
		err = d.applyName(strings.TrimPrefix(key, noteName), value)
	case strings.HasPrefix(key, noteErased):
		err = d.applyErased(key, value)
	case strings.HasPrefix(key, noteNumber):
		err = d.numbers.apply(strings.TrimPrefix(key, noteNumber), value)
	}
	if err != nil {
		return fmt.Errorf("addressing: the record %q of what operators decided: %w", key, err)
	}
	d.revs[key] = rev
	return nil
}

// OnMove calls moved, on a goroutine of its own, each time that something is decided about who
// has the name h, or had it, until stop is called: for who waits to reach that person, or shows what
// is theirs. It may be called without that too.
func (d *Directory) OnMove(h Handle, moved func()) (stop func()) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	if d.waiters[h] == nil {
		d.waiters[h] = make(map[*func()]bool)
	}
	d.waiters[h][&moved] = true
	return func() {
		d.waiting.Lock()
		defer d.waiting.Unlock()
		if delete(d.waiters[h], &moved); len(d.waiters[h]) == 0 {
			delete(d.waiters, h)
		}
	}
}

func (d *Directory) wake(h Handle) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	for moved := range d.waiters[h] {
		go (*moved)()
	}
}

// errReadOnly is for a directory without a store.
var errReadOnly = errors.New("addressing: there is no store for what operators decide")

// change reads a record, has it changed, and stores it if edit says so; a nil value removes it.
// Where another writer was first it begins again.
func (d *Directory) change(ctx context.Context, key string, edit func(value []byte) (next []byte, changed bool, err error)) (bool, error) {
	if d.notes == nil {
		return false, errReadOnly
	}
	var err error
	for range maxConflicts {
		value, rev, loadErr := d.notes.LoadNote(ctx, key)
		if loadErr != nil {
			return false, loadErr
		}
		next, changed, editErr := edit(value)
		if editErr != nil || !changed {
			return false, editErr
		}
		rev, err = d.notes.SaveNote(ctx, key, next, rev)
		if err == nil {
			return true, d.apply(key, next, rev)
		}
		if !errors.Is(err, ErrConflict) {
			return false, err
		}
	}
	return false, err
}

// editNote is an edit of a record that is JSON of T.
func editNote[T any](edit func(*T) (bool, error)) func([]byte) ([]byte, bool, error) {
	return func(value []byte) ([]byte, bool, error) {
		var note T
		if value != nil {
			if err := json.Unmarshal(value, &note); err != nil {
				return nil, false, err
			}
		}
		changed, err := edit(&note)
		if err != nil || !changed {
			return nil, false, err
		}
		next, err := json.Marshal(note)
		return next, true, err
	}
}

// person is what an operator has decided about who has a handle.
type person struct {
	V     int    `json:"v"`
	Moves []move `json:"moves"`
}

// move is that somebody is not called by the handle any more.
type move struct {
	To Handle    `json:"to,omitzero"` // their name from then on; zero: they were removed
	At time.Time `json:"at"`
	// Until is when the handle was given to somebody else; zero: it was not.
	Until time.Time `json:"until,omitzero"`
}

func (d *Directory) applyPerson(name string, value []byte) error {
	h, err := ParseHandle(name)
	if err != nil {
		return err
	}
	var p person
	if value != nil {
		if err := json.Unmarshal(value, &p); err != nil {
			return err
		}
	}
	for _, m := range d.people[h].Moves {
		d.wake(m.To)
		d.came[m.To] = slices.DeleteFunc(d.came[m.To], func(from Handle) bool { return from == h })
	}
	delete(d.people, h)
	d.wake(h)
	for _, m := range p.Moves {
		d.wake(m.To)
	}
	if len(p.Moves) == 0 {
		return nil
	}
	d.people[h] = p
	for _, m := range p.Moves {
		if !m.To.IsZero() && !slices.Contains(d.came[m.To], h) {
			d.came[m.To] = append(d.came[m.To], h)
		}
	}
	return nil
}

// Now is what the person is called today who was called h at the time at, and since when: h
// itself and the zero time, or another name, or the zero Handle where they were removed.
func (d *Directory) Now(h Handle, at time.Time) (now Handle, since time.Time) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.follow(h, at)
}

// follow goes from name to name. The first move may be before at: an instance whose clock is a
// little ahead wrote it down after the move, under the name that ended; only who got the name
// anew is another. From there on time only goes on, so that names which went to and fro end
// where the last move led.
func (d *Directory) follow(h Handle, at time.Time) (now Handle, since time.Time) {
	for first := true; !h.IsZero(); first = false {
		if at, gone := d.gone(h); gone {
			return Handle{}, at
		}
		i := slices.IndexFunc(d.people[h].Moves, func(m move) bool {
			return m.At.After(at) || first && (m.Until.IsZero() || m.Until.After(at))
		})
		if i < 0 {
			break
		}
		m := d.people[h].Moves[i]
		h, at, since = m.To, m.At, m.At
	}
	return h, since
}

// Gone tells whether nobody may write as h: whoever had the name has another now, or was removed.
func (d *Directory) Gone(h Handle) bool {
	now, _ := d.Now(h, d.now())
	return now != h
}

// Names are the handles that the person who is h today has had, h first.
func (d *Directory) Names(h Handle) []Handle {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.names(h)
}

func (d *Directory) names(h Handle) []Handle {
	all := []Handle{h}
	for i := 0; i < len(all); i++ {
		for _, from := range d.came[all[i]] {
			if !slices.Contains(all, from) {
				all = append(all, from)
			}
		}
	}
	return all
}
