package addressing

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Conversation is a Handle, a phone and the Number between them. A dedicated or pool
// Number belongs to one Handle at most on each phone; a shared one may have several.
type Conversation struct {
	Handle   Handle    `json:"handle"`
	Phone    MSISDN    `json:"phone"`
	Number   Number    `json:"number"`
	LastUsed time.Time `json:"last_used"`
	// Index is what the phone may call the Handle by on a shared Number: #1, #2 and so
	// on; 0 elsewhere.
	Index int `json:"index,omitempty"`
	// Introduced tells that the phone was told who writes, or the Handle that nobody can
	// answer; see [Book.Introduced].
	Introduced bool `json:"introduced,omitempty"`
}

// Record is all that is kept of one phone: its conversations, and who must not write to
// it any more. It decides both directions, so that handle to Number and Number to handle
// cannot disagree.
type Record struct {
	V       int     `json:"v"`
	Entries []Entry `json:"conversations"`
	// Stops are the handles that the phone has stopped, each once.
	Stops []Stop `json:"stops,omitempty"`
	// StoppedAll is set where the phone wants nothing from anybody; its Handle is zero.
	StoppedAll *Stop `json:"stopped_all,omitempty"`
	// Owner is whose own phone it is, by a code that it was sent; nil where nobody has said so.
	Owner *Owner `json:"owner,omitempty"`
}

// Owner is the person whose own a phone is.
type Owner struct {
	Handle Handle    `json:"handle"`
	At     time.Time `json:"at"`
	// Named and Was are as those of an [Entry].
	Named time.Time `json:"named,omitzero"`
	Was   Handle    `json:"was,omitzero"`
}

// Entry is one conversation of the phone whose Record it stands in.
type Entry struct {
	Number   Number    `json:"number"`
	Handle   Handle    `json:"handle"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"` // to the day: see touchEvery
	// ReleasedAt is when somebody ended the conversation; zero where it ends by silence.
	ReleasedAt time.Time `json:"released_at,omitzero"`
	Index      int       `json:"n,omitempty"`
	Introduced bool      `json:"introduced,omitempty"`
	// Named is since when the handle is called so, where that is later than Created.
	Named time.Time `json:"named,omitzero"`
	// Was is who it belonged to where they were removed; Handle is zero then.
	Was Handle `json:"was,omitzero"`
}

// Stop is the word of a phone, or of an operator, that a handle must not write to it.
type Stop struct {
	Handle Handle    `json:"handle"`
	At     time.Time `json:"at"`
	// By is the id of the message that said so. The same message again says nothing new.
	By string `json:"by,omitempty"`
	// Named and Was are as those of an [Entry].
	Named time.Time `json:"named,omitzero"`
	Was   Handle    `json:"was,omitzero"`
}

// ErrConflict is what a [Store] says when the record changed since it was read.
var ErrConflict = errors.New("addressing: the record was changed by someone else")

// Store keeps a Record for each phone, with compare-and-set. Its methods may be
// called concurrently, from several instances.
type Store interface {
	// LoadRecord gives the record of phone and its revision; a phone without a record
	// has the zero Record and revision 0.
	LoadRecord(ctx context.Context, phone MSISDN) (Record, uint64, error)
	// SaveRecord stores r if the revision is still rev, and otherwise returns an error
	// that wraps [ErrConflict]. It returns once r is on disk.
	SaveRecord(ctx context.Context, phone MSISDN, r Record, rev uint64) error
	// RangeRecords calls fn for every record until fn returns false. It reads them all,
	// for the operator's questions only.
	RangeRecords(ctx context.Context, fn func(MSISDN, Record) bool) error
}

// recordVersion is the version of the record's form in the store: 2 has shared Numbers
// and stops, 3 has handles that were renamed or removed. A record of a lower version is one of
// the highest that has none of these.
const recordVersion = 3

// clone is a copy that can be changed while others read r.
func (r *Record) clone() Record {
	c := Record{V: recordVersion, Entries: slices.Clone(r.Entries), Stops: slices.Clone(r.Stops)}
	if r.StoppedAll != nil {
		all := *r.StoppedAll
		c.StoppedAll = &all
	}
	if r.Owner != nil {
		own := *r.Owner
		c.Owner = &own
	}
	return c
}

// over are the conversations over n, of which there are several only where n is shared,
// or was. Those of handles that were removed are not among them.
func (r *Record) over(n Number) []*Entry {
	return slices.DeleteFunc(r.held(n), func(e *Entry) bool { return e.Handle.IsZero() })
}

// held are all conversations over n: while they rest their pairs are nobody else's.
func (r *Record) held(n Number) []*Entry {
	var all []*Entry
	for i := range r.Entries {
		if r.Entries[i].Number == n {
			all = append(all, &r.Entries[i])
		}
	}
	return all
}

func (r *Record) entry(n Number, h Handle) *Entry {
	for i := range r.Entries {
		if r.Entries[i].Number == n && r.Entries[i].Handle == h && !h.IsZero() {
			return &r.Entries[i]
		}
	}
	return nil
}

// stopped tells whether h must not write to the phone.
func (r *Record) stopped(h Handle) bool { return r.refused(h) != nil }

// refused is why h must not write to the phone; nil where it may.
func (r *Record) refused(h Handle) *Stop {
	if r.StoppedAll != nil {
		return r.StoppedAll
	}
	return r.stop(h)
}

func (r *Record) stop(h Handle) *Stop {
	for i := range r.Stops {
		if r.Stops[i].Handle == h {
			return &r.Stops[i]
		}
	}
	return nil
}

// nextIndex is above all that stand on n: what a phone remembers means nobody else.
func (r *Record) nextIndex(n Number) int {
	most := 0
	for _, e := range r.held(n) {
		most = max(most, e.Index)
	}
	return most + 1
}

func (e *Entry) conversation(phone MSISDN) Conversation {
	return Conversation{
		Handle: e.Handle, Phone: phone, Number: e.Number, LastUsed: e.LastUsed, Index: e.Index, Introduced: e.Introduced,
	}
}
