package addressing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file is which Numbers there are: those of the configuration, and those that an operator
// adds and retires while the bridge runs.

// The uses of a Number.
const (
	UsePool      = "pool"
	UseShared    = "shared"
	UseDedicated = "dedicated"
)

// numberNote is what an operator has decided about a Number.
type numberNote struct {
	V int `json:"v"`
	// Use is what it was added for; empty where only the configuration has it.
	Use       string    `json:"use,omitempty"`
	Handle    Handle    `json:"handle,omitzero"` // of a dedicated one
	AddedAt   time.Time `json:"added_at,omitzero"`
	RetiredAt time.Time `json:"retired_at,omitzero"` // zero: it is in use
}

// numberNotes are the notes of all Numbers, and what follows from them.
type numberNotes struct {
	all          map[Number]numberNote
	pool, shared []Number
	dedicated    map[Handle][]Number
}

func newNumberNotes() numberNotes {
	return numberNotes{all: make(map[Number]numberNote), dedicated: make(map[Handle][]Number)}
}

func (c *numberNotes) apply(key string, value []byte) error {
	var n Number
	if err := n.UnmarshalText([]byte(key)); err != nil {
		return err
	}
	var note numberNote
	if value != nil {
		if err := json.Unmarshal(value, &note); err != nil {
			return err
		}
	}
	before := c.all[n]
	is := func(other Number) bool { return other == n }
	// The slices are read by others without the lock: each change makes new ones.
	c.pool = slices.DeleteFunc(slices.Clone(c.pool), is)
	c.shared = slices.DeleteFunc(slices.Clone(c.shared), is)
	c.dedicated[before.Handle] = slices.DeleteFunc(slices.Clone(c.dedicated[before.Handle]), is)
	delete(c.all, n)
	if value == nil {
		return nil
	}
	c.all[n] = note
	switch note.Use {
	case UsePool:
		c.pool = append(c.pool, n)
	case UseShared:
		c.shared = append(c.shared, n)
	case UseDedicated:
		c.dedicated[note.Handle] = append(c.dedicated[note.Handle], n)
	}
	return nil
}

func (d *Directory) number(n Number) numberNote {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.numbers.all[n]
}

// AddNumber adds n to those of the configuration, in use at once. h is whose it is where use is
// [UseDedicated]. It tells whether it is new. The error wraps [ErrInvalid] where the configuration
// has n or does not serve n or h, or where n was added for another use or person.
func (b *Book) AddNumber(ctx context.Context, n Number, use string, h Handle) (bool, error) {
	if err := b.checkNumber(n, use, h); err != nil {
		return false, err
	}
	return b.dir.change(ctx, noteNumber+n.String(), editNote(func(note *numberNote) (bool, error) { return b.addTo(note, n, use, h) }))
}

func (b *Book) checkNumber(n Number, use string, h Handle) error {
	switch {
	case use == UsePool && !n.CanReply():
		return fmt.Errorf("%w: nobody can answer %s, so it cannot be in the pool", ErrInvalid, n)
	case use == UseDedicated == h.IsZero():
		return fmt.Errorf("%w: a dedicated number, and no other, is for a handle", ErrInvalid)
	case b.fileUse(n) != "":
		return fmt.Errorf("%w: %s is in the configuration", ErrInvalid, n)
	}
	if readable := b.plan().readable; readable != nil && n.Kind() == ShortCode {
		if err := readable(n); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if use != UseDedicated {
		return nil
	}
	if b.dir.Gone(h) {
		return fmt.Errorf("%w: %s", ErrGone, h)
	}
	if err := b.served(h); err != nil {
		return err
	}
	if own, has := b.Dedicated(h); has && own != n {
		return fmt.Errorf("%w: the handle %s has a number of its own, %s", ErrInvalid, h, own)
	}
	return nil
}

func (b *Book) served(h Handle) error {
	if served := b.plan().served; served != nil {
		if err := served(h); err != nil {
			return fmt.Errorf("%w: nobody would read it: %w", ErrInvalid, err)
		}
	}
	return nil
}

func (b *Book) addTo(note *numberNote, n Number, use string, h Handle) (bool, error) {
	switch {
	case note.Use == use && note.Handle == h && note.RetiredAt.IsZero():
		return false, nil
	case note.Use != "" && note.RetiredAt.IsZero():
		return false, fmt.Errorf("%w: %s was added as %s; retire it first", ErrInvalid, n, strings.TrimSpace(note.Use+" "+note.Handle.String()))
	}
	*note = numberNote{V: noteVersion, Use: use, Handle: h, AddedAt: b.now().UTC()}
	return true, nil
}

// Retire has no new conversation go over n; those that are open go on until they are over, and
// what phones answer still arrives. With undo it is in use again. It tells whether that is new. The
// error wraps [ErrInvalid] where n is no Number of the bridge.
func (b *Book) Retire(ctx context.Context, n Number, undo bool) (bool, error) {
	return b.dir.change(ctx, noteNumber+n.String(), editNote(func(note *numberNote) (bool, error) {
		switch {
		case note.Use == "" && b.fileUse(n) == "":
			return false, fmt.Errorf("%w: %s is no number of this bridge; smsbridge number ls lists them", ErrInvalid, n)
		case note.RetiredAt.IsZero() != undo:
			note.V = noteVersion
			if note.RetiredAt = b.now().UTC(); undo {
				note.RetiredAt = time.Time{}
			}
			return true, nil
		default:
			return false, nil
		}
	}))
}

// NumberView is a Number as an operator sees it.
type NumberView struct {
	Number    Number    `json:"number"`
	Use       string    `json:"use"`                 // pool, shared or dedicated
	Handle    Handle    `json:"handle,omitzero"`     // of a dedicated one; absent where its handle was removed
	AddedAt   time.Time `json:"added_at,omitzero"`   // absent: the configuration has it
	RetiredAt time.Time `json:"retired_at,omitzero"` // absent: it is in use
	Open      int       `json:"open"`                // conversations over it that are not over
}

// Numbers lists all Numbers of the bridge, in order. It reads every record of a phone.
func (b *Book) Numbers(ctx context.Context) ([]NumberView, error) {
	open := make(map[Number]int)
	err := b.rangeRecords(ctx, func(_ MSISDN, r *Record) bool {
		b.countOpen(r, open)
		return true
	})
	if err != nil {
		return nil, err
	}
	return b.views(open), nil
}

// views lists all Numbers, in order, with the conversations that are open over each.
func (b *Book) views(open map[Number]int) (all []NumberView) {
	add := func(n Number, use string) {
		v := NumberView{Number: n, Use: use, Open: open[n]}
		note := b.dir.number(n)
		v.AddedAt, v.RetiredAt = note.AddedAt, note.RetiredAt
		if use == UseDedicated {
			v.Handle, _ = b.OwnerOf(n)
		}
		all = append(all, v)
	}
	for n := range b.plan().owners {
		add(n, UseDedicated)
	}
	for _, n := range b.plan().pool {
		add(n, UsePool)
	}
	for _, n := range b.plan().shared {
		add(n, UseShared)
	}
	b.dir.mu.RLock()
	added := make(map[Number]string)
	for n, note := range b.dir.numbers.all {
		if note.Use != "" && b.fileUse(n) == "" {
			added[n] = note.Use
		}
	}
	b.dir.mu.RUnlock()
	for n, use := range added {
		add(n, use)
	}
	slices.SortFunc(all, func(x, y NumberView) int { return strings.Compare(x.Number.String(), y.Number.String()) })
	return all
}

// countOpen counts the conversations of a phone over each Number that are not over.
func (b *Book) countOpen(r *Record, open map[Number]int) {
	for i := range r.Entries {
		if e := &r.Entries[i]; b.open(e) && !e.Handle.IsZero() {
			open[e.Number]++
		}
	}
}

// fileUse is what the configuration has n for; empty where it has it not.
func (b *Book) fileUse(n Number) string { return b.plan().uses[n] }

// useOf is what n is for today: what the configuration says goes before what was added.
func (b *Book) useOf(n Number) string {
	if use := b.fileUse(n); use != "" {
		return use
	}
	return b.dir.number(n).Use
}

// numbers are the pool and the shared Numbers.
func (b *Book) numbers() (pool, shared []Number) {
	b.dir.mu.RLock()
	defer b.dir.mu.RUnlock()
	c := &b.dir.numbers
	with := func(file, added []Number) []Number {
		if len(added) == 0 {
			return file
		}
		all := slices.Clone(file)
		for _, n := range added {
			if b.fileUse(n) == "" {
				all = append(all, n)
			}
		}
		return all
	}
	return with(b.plan().pool, c.pool), with(b.plan().shared, c.shared)
}

// current tells whether n is still a Number that h may write from.
func (b *Book) current(n Number, h Handle) bool {
	if owner, dedicated := b.OwnerOf(n); dedicated {
		return owner == h
	}
	return b.InPool(n) || b.Shared(n)
}

// reaches tells whether phone can be written to from n: a short code means something in
// its own country only.
func reaches(n Number, phone MSISDN) bool {
	return n.kind != ShortCode || strings.HasPrefix(phone.digits, n.country)
}

// Dedicated is the Number that belongs to h on every phone, under whatever name of theirs
// it was given to them.
func (b *Book) Dedicated(h Handle) (Number, bool) {
	for _, name := range b.dir.Names(h) {
		if n, ok := b.plan().dedicated[name]; ok {
			if owner, _ := b.OwnerOf(n); owner == h {
				return n, true
			}
		}
		b.dir.mu.RLock()
		added := b.dir.numbers.dedicated[name]
		b.dir.mu.RUnlock()
		for _, n := range added {
			if owner, ok := b.OwnerOf(n); ok && owner == h {
				return n, true
			}
		}
	}
	return Number{}, false
}

// OwnerOf is the handle that n is dedicated to; the zero Handle where that was removed.
func (b *Book) OwnerOf(n Number) (Handle, bool) {
	if h, ok := b.plan().owners[n]; ok {
		// The file is from nobody knows when, and means who has the name now, or had it last.
		now, _ := b.dir.Now(h, b.now())
		return now, true
	}
	note := b.dir.number(n)
	if note.Use != UseDedicated || b.fileUse(n) != "" {
		return Handle{}, false
	}
	now, _ := b.dir.Now(note.Handle, note.AddedAt)
	return now, true
}

// InPool tells whether n is one of the pool.
func (b *Book) InPool(n Number) bool { return b.useOf(n) == UsePool }

// Shared tells whether several handles may have n on one phone.
func (b *Book) Shared(n Number) bool { return b.useOf(n) == UseShared }

// Ours tells whether n is a Number of the bridge today.
func (b *Book) Ours(n Number) bool { return b.useOf(n) != "" }

// Retired tells whether no new conversation may go over n.
func (b *Book) Retired(n Number) bool { return !b.dir.number(n).RetiredAt.IsZero() }
