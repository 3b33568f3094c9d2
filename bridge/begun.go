package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smsbridge/addressing"
)

// Begun is the phones with which a handle has begun a conversation, as a list of those
// that may be open. A number could not be kept honest: the conversation is in the record of
// its phone, and a crash between the two would leave it wrong for good. A list can be
// held against the Book, entry by entry, and adding a phone twice adds it once. A phone is
// entered before its conversation is made, so that there are never more than allowed; what
// is not open any more is taken out when the list is full.
type Begun struct {
	V      int         `json:"v"`
	Phones []BeganWith `json:"phones"`
	// Checked is when the list was last held against the Book.
	Checked time.Time `json:"checked"`
	// Names are the earlier names of the handle whose lists were taken over.
	Names []addressing.Handle `json:"names,omitempty"`
}

// BeganWith is one phone of [Begun].
type BeganWith struct {
	Phone addressing.MSISDN `json:"phone"`
	At    time.Time         `json:"at"`
}

// BegunStore keeps a [Begun] for each handle, with compare-and-set. Its methods may be
// called concurrently, from several instances.
type BegunStore interface {
	// LoadBegun reads the record and its revision: the zero Begun and 0 where there is none.
	LoadBegun(ctx context.Context, h addressing.Handle) (Begun, uint64, error)
	// SaveBegun stores b if the revision is still rev, and otherwise returns an error that
	// wraps [ErrConflict]. It returns once b is on disk.
	SaveBegun(ctx context.Context, h addressing.Handle, b Begun, rev uint64) error
}

const (
	// checkBegunEvery bounds what somebody costs who tries more than is allowed.
	checkBegunEvery = time.Minute
	// beginsWithin is longer than it takes to make a conversation once it is in the list.
	beginsWithin = time.Minute
	// maxBegunConflicts bounds how often a lost compare-and-set is tried again.
	maxBegunConflicts = 64
)

// mayConverse lets a handle go on with a conversation that is open, and begin one if it
// has not as many as the policy allows, if that has a bound. A conversation that it begins is noted.
func (h *Hub) mayConverse(ctx context.Context, handle addressing.Handle, phone addressing.MSISDN) error {
	if h.config().Policy.Conversations == 0 {
		return nil
	}
	open, err := h.isOpen(ctx, handle, phone)
	if err != nil || open {
		return refuseUnlessNil(err)
	}
	for range maxBegunConflicts {
		full, err := h.noteBegun(ctx, handle, phone)
		switch {
		case full:
			return &RefusalError{
				Reason: ReasonTooManyOpen,
				Text: fmt.Sprintf("You have begun conversations with %d phones, and more may not be open at once. One ends by itself when nothing was written in it for %s; or ask the operator of the bridge.",
					h.config().Policy.Conversations, inDays(h.config().Policy.OpenFor)),
			}
		case !errors.Is(err, ErrConflict):
			return refuseUnlessNil(err)
		}
	}
	return refuseStore(ErrConflict)
}

func refuseUnlessNil(err error) error {
	if err == nil {
		return nil
	}
	return refuseStore(err)
}

// noteBegun puts phone into the handle's list, or tells that it is full.
func (h *Hub) noteBegun(ctx context.Context, handle addressing.Handle, phone addressing.MSISDN) (full bool, err error) {
	b, rev, err := h.Begun.LoadBegun(ctx, handle)
	if err == nil {
		err = h.takeOver(ctx, handle, &b)
	}
	if err != nil || slices.ContainsFunc(b.Phones, func(w BeganWith) bool { return w.Phone == phone }) {
		return false, err
	}
	limit, now := h.config().Policy.Conversations, h.now()
	if len(b.Phones) >= limit {
		if now.Sub(b.Checked) < checkBegunEvery {
			return true, nil
		}
		if b.Phones, err = h.stillOpen(ctx, handle, b.Phones); err != nil {
			return false, err
		}
		b.Checked = now
	}
	if full = len(b.Phones) >= limit; !full {
		b.Phones = append(slices.Clone(b.Phones), BeganWith{Phone: phone, At: now})
	}
	b.V = version
	if err := h.Begun.SaveBegun(ctx, handle, b, rev); err != nil {
		return false, err
	}
	return full, nil
}

// takeOver puts the lists of the handle's earlier names into its own. What of them was somebody
// else's, who had the name after or before, goes when the list is full: the Book knows it.
func (h *Hub) takeOver(ctx context.Context, handle addressing.Handle, b *Begun) error {
	for _, name := range h.Book.Directory().Names(handle)[1:] {
		if slices.Contains(b.Names, name) {
			continue
		}
		earlier, _, err := h.Begun.LoadBegun(ctx, name)
		if err != nil {
			return err
		}
		for _, w := range earlier.Phones {
			if !slices.ContainsFunc(b.Phones, func(have BeganWith) bool { return have.Phone == w.Phone }) {
				b.Phones = append(slices.Clone(b.Phones), w)
			}
		}
		b.Names, b.Checked = append(slices.Clone(b.Names), name), time.Time{}
	}
	return nil
}

// stillOpen are those of the list whose conversation is open, or is being made.
func (h *Hub) stillOpen(ctx context.Context, handle addressing.Handle, all []BeganWith) ([]BeganWith, error) {
	var kept []BeganWith
	for _, w := range all {
		open, err := h.isOpen(ctx, handle, w.Phone)
		if err != nil {
			return nil, err
		}
		if open || h.now().Sub(w.At) < beginsWithin {
			kept = append(kept, w)
		}
	}
	return kept, nil
}

// isOpen tells whether the Book has a conversation of handle and phone that was used
// not long ago.
func (h *Hub) isOpen(ctx context.Context, handle addressing.Handle, phone addressing.MSISDN) (bool, error) {
	all, err := h.Book.Conversations(ctx, phone)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(c addressing.Conversation) bool {
		return c.Handle == handle && h.now().Sub(c.LastUsed) < h.config().Policy.OpenFor
	}), nil
}

// inDays tells a duration to a person.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if n := int(d / day); n != 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "a day"
}
