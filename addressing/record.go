package addressing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Conversation is a Handle, a phone and the Number between them. For each phone a
// Number belongs to one Handle at most, and so a reply has one owner.
type Conversation struct {
	Handle   Handle    `json:"handle"`
	Phone    MSISDN    `json:"phone"`
	Number   Number    `json:"number"`
	LastUsed time.Time `json:"last_used"`
}

// Record is all that is kept of one phone: its conversations. It decides both
// directions, so that handle to Number and Number to handle cannot disagree.
type Record struct {
	V       int     `json:"v"`
	Entries []Entry `json:"conversations"`
}

// Entry is one conversation of the phone whose Record it stands in.
type Entry struct {
	Number   Number    `json:"number"`
	Handle   Handle    `json:"handle"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"` // to the day: see touchEvery
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

// owner is whose the Number is on this phone.
func (r *Record) owner(n Number) (Handle, bool) {
	if e := r.entry(n); e != nil {
		return e.Handle, true
	}
	return Handle{}, false
}

func (r *Record) entry(n Number) *Entry {
	for i := range r.Entries {
		if r.Entries[i].Number == n {
			return &r.Entries[i]
		}
	}
	return nil
}

// with is a copy of r with one more entry. It refuses to give one Number to two
// handles, whoever asks.
func (r *Record) with(e Entry) (Record, error) {
	if h, taken := r.owner(e.Number); taken {
		return Record{}, fmt.Errorf("addressing: %s belongs to %s on this phone already", e.Number, h)
	}
	entries := make([]Entry, 0, len(r.Entries)+1)
	entries = append(entries, r.Entries...)
	return Record{V: recordVersion, Entries: append(entries, e)}, nil
}

// recordVersion is the version of the record's form in the store.
const recordVersion = 1

func (e Entry) conversation(phone MSISDN) Conversation {
	return Conversation{Handle: e.Handle, Phone: phone, Number: e.Number, LastUsed: e.LastUsed}
}
