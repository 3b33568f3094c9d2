package addressing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Release ends the conversations of h with phone. Their pairs rest before they are given
// to another; a reply meanwhile goes to h, and opens the conversation again. It tells whether
// any was not over; the error wraps [ErrNobody] where there is none.
func (b *Book) Release(ctx context.Context, h Handle, phone MSISDN) (changed bool, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		found := false
		changed = false
		for i := range r.Entries {
			if e := &r.Entries[i]; e.Handle == h {
				found = true
				if b.open(e) {
					e.ReleasedAt, changed = b.now().UTC(), true
				}
			}
		}
		if !found {
			return false, fmt.Errorf("%w: %s has no conversation with %s", ErrNobody, h, phone.Masked())
		}
		return changed, nil
	})
	return changed, err
}

// Conversations lists the conversations of phone.
func (b *Book) Conversations(ctx context.Context, phone MSISDN) ([]Conversation, error) {
	r, _, err := b.load(ctx, phone)
	if err != nil {
		return nil, err
	}
	var all []Conversation
	for i := range r.Entries {
		if e := &r.Entries[i]; !e.Handle.IsZero() {
			all = append(all, e.conversation(phone))
		}
	}
	return all, nil
}

// Phase is how far a conversation has come.
type Phase string

// The phases of a conversation.
const (
	PhaseOpen    Phase = "open"
	PhaseResting Phase = "resting" // it is over, and its pair is still its handle's
	PhaseOver    Phase = "over"    // its pair goes to another where none is free
	PhaseRemoved Phase = "removed" // its handle was removed
)

// View is a conversation as an operator sees it.
type View struct {
	Conversation
	Phase  Phase     `json:"state"`
	OverAt time.Time `json:"over_at"` // when it is over, or was
	FreeAt time.Time `json:"free_at"` // from when its pair may be another's
	// StoppedAt is when the phone, or an operator for it, refused the handle; zero where not.
	StoppedAt time.Time `json:"stopped_at,omitzero"`
	Why       string    `json:"why"` // all that in words
}

func (b *Book) view(r *Record, e *Entry, phone MSISDN) View {
	v := View{Conversation: e.conversation(phone), OverAt: b.overFrom(e), FreeAt: b.freeFrom(e)}
	switch now := b.now(); {
	case now.Before(v.OverAt):
		v.Phase, v.Why = PhaseOpen, "open until "+date(v.OverAt)+" if nobody writes"
	case now.Before(v.FreeAt):
		v.Phase, v.Why = PhaseResting, "over since "+date(v.OverAt)+", resting until "+date(v.FreeAt)+": a late reply is still its handle's"
	default:
		v.Phase, v.Why = PhaseOver, "over since "+date(v.OverAt)+": another gets the number on this phone where none is free"
	}
	if e.Handle.IsZero() {
		v.Handle, v.Phase = e.Was, PhaseRemoved
		v.Why = "its handle was removed on " + date(v.OverAt) + ", nobody gets an answer; resting until " + date(v.FreeAt)
		return v
	}
	if s := r.refused(e.Handle); s != nil {
		v.StoppedAt = s.At
		v.Why += "; opted out on " + date(s.At)
	}
	return v
}

// date writes a day for an operator. Times of conversations are known to the day.
func date(t time.Time) string { return t.Format(time.DateOnly) }

// Views lists the conversations of phone.
func (b *Book) Views(ctx context.Context, phone MSISDN) ([]View, error) {
	r, _, err := b.load(ctx, phone)
	if err != nil {
		return nil, err
	}
	all := make([]View, len(r.Entries))
	for i := range r.Entries {
		all[i] = b.view(&r, &r.Entries[i], phone)
	}
	return all, nil
}

// ViewsOf lists the conversations of h, the one used last first. It reads every record: for an
// operator's question, not for the road of a message.
func (b *Book) ViewsOf(ctx context.Context, h Handle) ([]View, error) {
	return b.search(ctx, func(e *Entry) bool { return e.Handle == h || e.Was == h && !h.IsZero() })
}

// ViewsOver lists the conversations over n, of any handle. It reads every record.
func (b *Book) ViewsOver(ctx context.Context, n Number) ([]View, error) {
	return b.search(ctx, func(e *Entry) bool { return e.Number == n })
}

func (b *Book) search(ctx context.Context, match func(*Entry) bool) ([]View, error) {
	var all []View
	err := b.rangeRecords(ctx, func(phone MSISDN, r *Record) bool {
		for i := range r.Entries {
			if e := &r.Entries[i]; match(e) {
				all = append(all, b.view(r, e, phone))
			}
		}
		return true
	})
	slices.SortFunc(all, func(x, y View) int { return y.LastUsed.Compare(x.LastUsed) })
	return all, err
}

// Optout is a [Stop] with the phone that it is of.
type Optout struct {
	Phone MSISDN `json:"phone"`
	// Handle must not write to the phone; absent where nobody must.
	Handle Handle    `json:"handle,omitzero"`
	At     time.Time `json:"at"`
	By     string    `json:"by"` // phone or operator
}

// Optouts lists those of phone, the one of everybody last.
func (b *Book) Optouts(ctx context.Context, phone MSISDN) ([]Optout, error) {
	r, _, err := b.load(ctx, phone)
	return r.optouts(phone), err
}

// RangeOptouts calls fn for each opt-out of any phone until it returns false. It reads every
// record.
func (b *Book) RangeOptouts(ctx context.Context, fn func(Optout) bool) error {
	return b.rangeRecords(ctx, func(phone MSISDN, r *Record) bool {
		for _, o := range r.optouts(phone) {
			if !fn(o) {
				return false
			}
		}
		return true
	})
}

func (r *Record) optouts(phone MSISDN) []Optout {
	var all []Optout
	add := func(s Stop) {
		by := "phone"
		if s.By == "" {
			by = "operator"
		}
		all = append(all, Optout{Phone: phone, Handle: s.Handle, At: s.At, By: by})
	}
	for _, s := range r.Stops {
		if !s.Handle.IsZero() {
			add(s)
		}
	}
	if r.StoppedAll != nil {
		add(*r.StoppedAll)
	}
	return all
}
