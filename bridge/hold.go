package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"smsbridge/addressing"
)

// Hold is what an operator keeps messages from until somebody resumes it. It outlives a restart,
// so that a crash does not undo in silence what somebody has decided.
type Hold struct {
	V    int       `json:"v"`
	Kind HoldKind  `json:"kind"`
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	By   string    `json:"by"` // who, as the operator's tool says
}

// HoldKind tells what is held.
type HoldKind string

// What can be held.
const (
	HoldLink  HoldKind = "link"
	HoldRoute HoldKind = "route"
	HoldStage HoldKind = "stage" // mt, mo or out
)

// Holds are all that is held, in every instance of the bridge: what one decides the others know
// within the time of a message between them. All methods may be called concurrently.
type Holds struct {
	notes   addressing.Notes
	changed func([]Hold)
	telling sync.Mutex // around changed

	mu   sync.Mutex
	revs map[string]uint64 // of each record that was seen
	all  map[string]Hold   // by key
}

// NewHolds reads what is held. It calls changed with all that is, one call at a time, each time
// that it changes, until the store is closed.
func NewHolds(ctx context.Context, notes addressing.Notes, changed func([]Hold)) (*Holds, error) {
	h := &Holds{notes: notes, changed: changed, revs: make(map[string]uint64), all: make(map[string]Hold)}
	if err := notes.FollowNotes(ctx, h.apply); err != nil {
		return nil, fmt.Errorf("bridge: what operators hold: %w", err)
	}
	return h, nil
}

// noteHold begins the keys of holds, among the records of all that operators decided.
const noteHold = "hold "

func holdKey(kind HoldKind, name string) string { return noteHold + string(kind) + " " + name }

// apply takes a record over into memory, unless it is older than what is known.
func (h *Holds) apply(key string, value []byte, rev uint64) error {
	if !strings.HasPrefix(key, noteHold) {
		return nil
	}
	var hold Hold
	if value != nil {
		if err := json.Unmarshal(value, &hold); err != nil {
			return fmt.Errorf("bridge: the record %q of what operators hold: %w", key, err)
		}
	}
	h.mu.Lock()
	if rev < h.revs[key] {
		h.mu.Unlock()
		return nil
	}
	h.revs[key] = rev
	if value == nil {
		delete(h.all, key)
	} else {
		h.all[key] = hold
	}
	h.mu.Unlock()

	h.telling.Lock()
	defer h.telling.Unlock()
	h.changed(h.All())
	return nil
}

// All gives what is held, by kind and name.
func (h *Holds) All() []Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Hold, 0, len(h.all))
	for _, key := range slices.Sorted(maps.Keys(h.all)) {
		all = append(all, h.all[key])
	}
	return all
}

// holdTries bounds how often a lost compare-and-set is tried again; each loss means that
// another has decided.
const holdTries = 8

// Set holds something, or lets it go, and tells whether it was otherwise before. It returns once
// that is on disk and this process goes by it.
func (h *Holds) Set(ctx context.Context, kind HoldKind, name, by string, held bool) (changed bool, err error) {
	key := holdKey(kind, name)
	for range holdTries {
		before, rev, loadErr := h.notes.LoadNote(ctx, key)
		if loadErr != nil {
			return false, loadErr
		}
		if (before != nil) == held {
			return false, h.apply(key, before, rev)
		}
		var value []byte
		if held {
			if value, err = json.Marshal(Hold{V: version, Kind: kind, Name: name, At: time.Now().UTC(), By: by}); err != nil {
				return false, err
			}
		}
		rev, err = h.notes.SaveNote(ctx, key, value, rev)
		if err == nil {
			return true, h.apply(key, value, rev)
		}
		if !errors.Is(err, addressing.ErrConflict) {
			return false, err
		}
	}
	return false, err
}
