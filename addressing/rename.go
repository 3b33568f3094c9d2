package addressing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file changes names. A change of name is one record, so that it is made or not, also in
// a crash: records of phones keep the old name until they are written for another reason, and
// whoever reads one goes from name to name ([Directory.Now]).

// Errors of changes to names.
var (
	// ErrGone: nobody has the name any more.
	ErrGone = fmt.Errorf("%w: the handle is not in use any more", ErrInvalid)
	// ErrTaken: somebody has, or had, the name.
	ErrTaken = fmt.Errorf("%w: the handle is somebody's", ErrInvalid)
)

// maxMoves bounds how often one name changes hands.
const maxMoves = 100

// Rename gives the person who is from the name to: their conversations, STOPs, blocks and
// Numbers go with them, and nobody may write as from any more. Where from was called to before,
// that undoes it. The error wraps [ErrGone] where from is not in use, and [ErrTaken] where
// to was somebody else's; whether it is somebody's now the caller asks the Book.
func (d *Directory) Rename(ctx context.Context, from, to Handle) error {
	if from == to || from.IsZero() || to.IsZero() {
		return fmt.Errorf("%w: the handle %s has that name", ErrInvalid, from)
	}
	if now, _ := d.Now(to, d.now()); now != to && now != from {
		return fmt.Errorf("%w: %s was somebody else's; smsbridge handle reuse %s gives it to a new person", ErrTaken, to, to)
	}
	return d.move(ctx, from, to)
}

// Remove ends the handle: nobody may write as h, and what phones answer to it is nobody's. The
// error wraps [ErrGone] where it is not in use.
func (d *Directory) Remove(ctx context.Context, h Handle) error { return d.move(ctx, h, Handle{}) }

func (d *Directory) move(ctx context.Context, from, to Handle) error {
	_, err := d.change(ctx, noteHandle+from.String(), editNote(func(p *person) (bool, error) {
		if err := d.mayMove(from); err != nil {
			return false, err
		}
		if len(p.Moves) >= maxMoves {
			return false, fmt.Errorf("%w: %s has changed hands %d times, which must be enough", ErrInvalid, from, maxMoves)
		}
		at := d.now().UTC()
		if last := d.lastMove(from); !at.After(last) {
			at = last.Add(1) // a clock was set back: moves are in order all the same
		}
		p.V, p.Moves = noteVersion, append(p.Moves, move{To: to, At: at})
		return true, nil
	}))
	return err
}

// mayMove tells whether anybody is called from now.
func (d *Directory) mayMove(from Handle) error {
	switch now, since := d.Now(from, d.now()); {
	case now == from:
		return nil
	case now.IsZero():
		return fmt.Errorf("%w: %s was removed on %s", ErrGone, from, date(since))
	default:
		return fmt.Errorf("%w: %s is called %s since %s", ErrGone, from, now, date(since))
	}
}

// lastMove is when somebody was last given or deprived of the name.
func (d *Directory) lastMove(h Handle) (last time.Time) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, m := range d.people[h].Moves {
		last = latest(last, m.At)
	}
	for _, from := range d.came[h] {
		for _, m := range d.people[from].Moves {
			if m.To == h {
				last = latest(last, m.At)
			}
		}
	}
	return last
}

// Restore undoes the removal of h. It tells whether h was removed.
func (d *Directory) Restore(ctx context.Context, h Handle) (bool, error) {
	return d.change(ctx, noteHandle+h.String(), editNote(func(p *person) (bool, error) {
		n := len(p.Moves)
		if n == 0 || !p.Moves[n-1].To.IsZero() || !p.Moves[n-1].Until.IsZero() {
			return false, nil
		}
		p.Moves = p.Moves[:n-1]
		return true, nil
	}))
}

// Reuse gives the name h, whose person was renamed, removed or erased, to a new person, who begins
// afresh. It tells whether the name was not in use.
func (d *Directory) Reuse(ctx context.Context, h Handle) (bool, error) {
	reused, err := d.reuse(ctx, h)
	if err != nil {
		return reused, err
	}
	unerased, err := d.change(ctx, erasedKey(h), func(value []byte) ([]byte, bool, error) { return nil, value != nil, nil })
	return reused || unerased, err
}

func (d *Directory) reuse(ctx context.Context, h Handle) (bool, error) {
	return d.change(ctx, noteHandle+h.String(), editNote(func(p *person) (bool, error) {
		n := len(p.Moves)
		if n == 0 || !d.Gone(h) || !p.Moves[n-1].Until.IsZero() {
			return false, nil
		}
		until := d.now().UTC()
		if last := d.lastMove(h); !until.After(last) {
			until = last.Add(1)
		}
		for i := range p.Moves {
			if m := &p.Moves[i]; m.Until.IsZero() { // also those that were undone by one back
				m.Until = until
			}
		}
		return true, nil
	}))
}

// GoneHandle is a name that is not in use any more.
type GoneHandle struct {
	Handle Handle    `json:"handle"`
	Now    Handle    `json:"now,omitzero"` // what its person is called today; absent: they were removed
	Since  time.Time `json:"since"`
}

// GoneHandles lists the names that nobody may use, in order.
func (d *Directory) GoneHandles() []GoneHandle {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []GoneHandle
	for h := range d.people {
		if now, since := d.follow(h, d.now()); now != h {
			all = append(all, GoneHandle{h, now, since})
		}
	}
	slices.SortFunc(all, func(x, y GoneHandle) int { return strings.Compare(x.Handle.String(), y.Handle.String()) })
	return all
}

// renamed brings the names in a record of a phone up to date. What was removed keeps its place
// for as long as its pair rests, and is nobody's.
func (d *Directory) renamed(r *Record) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for i := range r.Entries {
		e := &r.Entries[i]
		name := cmp.Or(e.Handle, e.Was)
		now, since := d.follow(name, latest(e.Created, e.Named))
		switch {
		case now.IsZero():
			e.Handle, e.Was = Handle{}, name
			if e.ReleasedAt.IsZero() {
				e.ReleasedAt = since
			}
		case now != name:
			e.Handle, e.Was, e.Named = now, Handle{}, since
		default:
			e.Handle, e.Was = name, Handle{}
		}
	}
	r.Entries = merged(r.Entries)
	for i := range r.Stops {
		s := &r.Stops[i]
		name := cmp.Or(s.Handle, s.Was)
		switch now, since := d.follow(name, latest(s.At, s.Named)); {
		case now.IsZero():
			s.Handle, s.Was = Handle{}, name
		case now != name:
			s.Handle, s.Was, s.Named = now, Handle{}, since
		default:
			s.Handle, s.Was = name, Handle{}
		}
	}
	if o := r.Owner; o != nil {
		name := cmp.Or(o.Handle, o.Was)
		switch now, since := d.follow(name, latest(o.At, o.Named)); {
		case now.IsZero():
			o.Handle, o.Was = Handle{}, name
		case now != name:
			o.Handle, o.Was, o.Named = now, Handle{}, since
		default:
			o.Handle, o.Was = name, Handle{}
		}
	}
}

// merged makes one conversation of two that a change of name has brought together.
func merged(all []Entry) []Entry {
	var kept []Entry
	for _, e := range all {
		i := slices.IndexFunc(kept, func(k Entry) bool { return k.Number == e.Number && k.Handle == e.Handle && !e.Handle.IsZero() })
		if i < 0 {
			kept = append(kept, e)
			continue
		}
		k := &kept[i]
		if e.LastUsed.After(k.LastUsed) {
			k.LastUsed, k.ReleasedAt = e.LastUsed, e.ReleasedAt
		}
		k.Introduced = k.Introduced || e.Introduced
	}
	return kept
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// InUse tells whether h has a conversation with any phone. It reads every record.
func (b *Book) InUse(ctx context.Context, h Handle) (bool, error) {
	found := false
	err := b.rangeRecords(ctx, func(_ MSISDN, r *Record) bool {
		found = slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Handle == h })
		return !found
	})
	return found, err
}

// Directory is what operators have decided while the bridge runs.
func (b *Book) Directory() *Directory { return b.dir }

// Rename is [Directory.Rename], which it refuses with [ErrTaken] where to is in use, unless
// merge says that both are one person.
func (b *Book) Rename(ctx context.Context, from, to Handle, merge bool) error {
	if err := b.dir.mayMove(from); err != nil {
		return err // as it is after the same command before
	}
	if !merge && from != to {
		used, err := b.InUse(ctx, to)
		if err != nil {
			return err
		}
		if _, has := b.Dedicated(to); used || has {
			return fmt.Errorf("%w: %s has conversations or a number of its own; if both are one person, say --merge", ErrTaken, to)
		}
	}
	return b.dir.Rename(ctx, from, to)
}
