package addressing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file erases people. The names of somebody who was erased are nobody's, as those of who was
// removed: what is still on its way finds nobody, and no stranger inherits a reply. What says so
// knows the names by their digest only.

const noteErased = "erased "

// erased is the record that a name was erased.
type erased struct {
	V  int       `json:"v"`
	At time.Time `json:"at"`
	// Done says that all that was kept under the name is gone.
	Done bool `json:"done,omitempty"`
}

// erasedKey is SHA-256 of the name: who guesses a name can tell that it is the one.
func erasedKey(h Handle) string {
	sum := sha256.Sum256([]byte("smsbridge erased " + h.String()))
	return noteErased + hex.EncodeToString(sum[:])
}

func (d *Directory) applyErased(key string, value []byte) error {
	if value == nil {
		delete(d.erased, key)
		return nil
	}
	var e erased
	if err := json.Unmarshal(value, &e); err != nil {
		return err
	}
	d.erased[key] = e
	d.wakeErased(key)
	if e.Done {
		d.forget(func(h Handle) bool { return erasedKey(h) == key })
	}
	return nil
}

// wakeErased is [Directory.wake] for whose name has that digest.
func (d *Directory) wakeErased(key string) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	for h, all := range d.waiters {
		if erasedKey(h) != key {
			continue
		}
		for moved := range all {
			go (*moved)()
		}
	}
}

// forget drops from memory what is said of names; other instances do not hear that their
// records are gone. The lock is held.
func (d *Directory) forget(is func(Handle) bool) {
	for h := range d.people {
		if is(h) {
			_ = d.applyPerson(h.String(), nil) // without a value it cannot fail
		}
	}
	for h, blocks := range d.exact {
		if is(h) {
			for _, b := range slices.Clone(blocks) {
				_ = d.applyBlock(blockKey(b.pattern, b.Prefix), nil)
			}
		}
	}
	for name, r := range d.registered {
		if is(r.Handle) {
			delete(d.registered, name)
		}
	}
}

// Person tells who somebody is whose handle is h, under all names: is tells it of a handle and the
// time at which it was theirs, and names are those that nobody else has been given since. It
// knows also who was removed or is being erased.
func (d *Directory) Person(h Handle) (is func(h Handle, at time.Time) bool, names []Handle) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	last := d.lastName(h, d.now())
	for _, name := range d.names(last) {
		if d.lastName(name, d.now()) == last {
			names = append(names, name)
		}
	}
	return func(h Handle, at time.Time) bool {
		d.mu.RLock()
		defer d.mu.RUnlock()
		return !h.IsZero() && d.lastName(h, at) == last
	}, names
}

// lastName is [Directory.follow] up to the last name, whether or not it ended.
func (d *Directory) lastName(h Handle, at time.Time) Handle {
	for first := true; ; first = false {
		i := slices.IndexFunc(d.people[h].Moves, func(m move) bool {
			return m.At.After(at) || first && (m.Until.IsZero() || m.Until.After(at))
		})
		if i < 0 || d.people[h].Moves[i].To.IsZero() {
			return h
		}
		h, at = d.people[h].Moves[i].To, d.people[h].Moves[i].At
	}
}

// EraseNames ends the names, for what is kept of their person to be erased: from now on they
// are nobody's. [Directory.Reuse] gives a name to a new person.
func (d *Directory) EraseNames(ctx context.Context, names []Handle) error {
	for _, h := range names {
		_, err := d.change(ctx, erasedKey(h), editNote(func(e *erased) (bool, error) {
			before := *e
			*e = erased{V: noteVersion, At: before.At}
			if e.At.IsZero() {
				e.At = d.now().UTC()
			}
			return before != *e, nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// NotesOf are the keys of the records that name one of the names: what became of them, their blocks and the
// words by which phones reach them. kept are the Numbers that an operator added for one of them.
func (d *Directory) NotesOf(names []Handle) (keys []string, kept []Number) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, h := range names {
		if _, moved := d.people[h]; moved {
			keys = append(keys, noteHandle+h.String())
		}
		for _, b := range d.exact[h] {
			keys = append(keys, blockKey(b.pattern, b.Prefix))
		}
		kept = append(kept, d.numbers.dedicated[h]...)
	}
	for name, r := range d.registered {
		if slices.Contains(names, r.Handle) {
			keys = append(keys, noteName+name)
		}
	}
	return keys, kept
}

// EraseNotes ends what [Directory.EraseNames] began: erase, which takes a key of [Directory.NotesOf]
// out of the store for good, is called with each.
func (d *Directory) EraseNotes(ctx context.Context, names []Handle, erase func(ctx context.Context, key string) error) error {
	keys, _ := d.NotesOf(names)
	for _, key := range keys {
		if err := erase(ctx, key); err != nil {
			return err
		}
	}
	for _, h := range names {
		_, err := d.change(ctx, erasedKey(h), editNote(func(e *erased) (bool, error) {
			changed := !e.Done && !e.At.IsZero()
			e.Done = true
			return changed, nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// gone tells whether a name was erased, and since when. The lock is held.
func (d *Directory) gone(h Handle) (since time.Time, gone bool) {
	if len(d.erased) == 0 || h.IsZero() {
		return time.Time{}, false
	}
	e, gone := d.erased[erasedKey(h)]
	return e.At, gone
}

// EraseHandle takes somebody out of the records of all phones, who was erased: of a conversation
// stays that its Number is nobody's on that phone until it has rested; of a STOP nothing, since nobody can write
// under that name. With dry it only counts. It gives in how many records they were.
func (b *Book) EraseHandle(ctx context.Context, is func(h Handle, at time.Time) bool, dry bool) (n int, err error) {
	var phones []MSISDN
	err = b.store.RangeRecords(ctx, func(phone MSISDN, r Record) bool {
		r = r.clone()
		if r.erase(is) {
			phones = append(phones, phone)
		}
		return true
	})
	if err != nil || dry {
		return len(phones), err
	}
	for _, phone := range phones {
		err := b.change(ctx, phone, func(r *Record) (bool, error) {
			return r.erase(is), nil
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// erase takes a person out of r.
func (r *Record) erase(is func(h Handle, at time.Time) bool) (changed bool) {
	for i := range r.Entries {
		e := &r.Entries[i]
		if is(cmp.Or(e.Handle, e.Was), latest(e.Created, e.Named)) {
			e.Handle, e.Was, e.Named, changed = Handle{}, Handle{}, time.Time{}, true
		}
	}
	kept := slices.DeleteFunc(r.Stops, func(s Stop) bool { return is(cmp.Or(s.Handle, s.Was), latest(s.At, s.Named)) })
	changed = changed || len(kept) < len(r.Stops)
	r.Stops = kept
	if o := r.Owner; o != nil && is(cmp.Or(o.Handle, o.Was), latest(o.At, o.Named)) {
		r.Owner, changed = nil, true
	}
	return changed
}

// ErasePhone erases the record of a phone, but for its STOPs: without them it would be written to
// again, and had asked for none. remove takes a record of that revision out of the store for good, or
// returns an error that wraps [ErrConflict]. With dry it only looks. It gives how many conversations
// there were, an own phone counted as one, and how many STOPs are kept.
func (b *Book) ErasePhone(ctx context.Context, phone MSISDN, remove func(ctx context.Context, rev uint64) error, dry bool) (n, kept int, err error) {
	for range maxConflicts {
		r, rev, err := b.store.LoadRecord(ctx, phone)
		if err != nil {
			return 0, 0, err
		}
		n, kept = len(r.Entries), len(r.Stops)
		if r.StoppedAll != nil {
			kept++
		}
		if r.Owner != nil {
			n++
		}
		switch {
		case dry || rev == 0 || n == 0 && kept > 0:
			return n, kept, nil
		case kept == 0:
			err = remove(ctx, rev)
		default:
			next := r.clone()
			next.Entries, next.Owner = nil, nil
			err = b.store.SaveRecord(ctx, phone, next, rev)
		}
		if !errors.Is(err, ErrConflict) {
			return n, kept, err
		}
	}
	return 0, 0, fmt.Errorf("addressing: the record of %s changes all the time: %w", phone.Masked(), ErrConflict)
}
