package addressing

import (
	"context"
	"slices"
	"time"
)

// Stopping is what a STOP or a START did.
type Stopping struct {
	// Conversations are those of the handles who may not write any more, or may again.
	Conversations []Conversation
	// All tells that it holds for everybody.
	All bool
	// Changed tells that it said something new, now or when the same message came before.
	Changed bool
}

// Stop has phone receive no more of the handles that have the Number n on it, or with
// all of anybody. Which of several on a shared Number the phone means cannot be told, so it
// means those that text names at its start, or else all of them: a STOP that is not heeded
// is worse than one too many. Where they were all stopped already, or there are none, it
// means everybody. by is the id of the message that says so, in which it is idempotent.
func (b *Book) Stop(ctx context.Context, phone MSISDN, n Number, text string, all bool, by string) (s Stopping, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		s = Stopping{}
		now := b.now().UTC()
		entries := r.over(n)
		if e, _ := named(entries, text); e != nil {
			entries = []*Entry{e}
		}
		changed := false
		for _, e := range entries {
			stop := r.stop(e.Handle)
			if !all && r.StoppedAll == nil && (stop == nil || stop.By == by) {
				s.Conversations, s.Changed = append(s.Conversations, e.conversation(phone)), true
			}
			if stop == nil {
				r.Stops = append(r.Stops, Stop{Handle: e.Handle, At: now, By: by})
				changed = true
			}
		}
		if s.Changed {
			return changed, nil
		}
		s.All = true
		for _, e := range r.Entries {
			if !e.Handle.IsZero() {
				s.Conversations = append(s.Conversations, e.conversation(phone))
			}
		}
		if r.StoppedAll != nil {
			s.Changed = r.StoppedAll.By == by
			return changed, nil
		}
		s.Changed, r.StoppedAll = true, &Stop{At: now, By: by}
		return true, nil
	})
	return s, err
}

// Start undoes each STOP of phone that concerns the Number n, and one that concerned
// everybody. Called again by the same message it finds nothing changed.
func (b *Book) Start(ctx context.Context, phone MSISDN, n Number) (s Stopping, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		s = Stopping{All: r.StoppedAll != nil}
		for _, e := range r.Entries {
			if (s.All || e.Number == n) && !e.Handle.IsZero() && r.stopped(e.Handle) {
				s.Conversations = append(s.Conversations, e.conversation(phone))
			}
		}
		r.StoppedAll = nil
		r.Stops = slices.DeleteFunc(r.Stops, func(stop Stop) bool {
			return s.All || r.entry(n, stop.Handle) != nil
		})
		s.Changed = s.All || len(s.Conversations) > 0
		return s.Changed, nil
	})
	return s, err
}

// SetOptout is an operator's word: h, or with the zero Handle everybody, must not write to
// phone, or may again. It tells whether that is new.
func (b *Book) SetOptout(ctx context.Context, phone MSISDN, h Handle, stop bool) (changed bool, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		changed, err = r.setOptout(h, stop, b.now().UTC()), nil
		return changed, nil
	})
	return changed, err
}

func (r *Record) setOptout(h Handle, stop bool, now time.Time) bool {
	switch {
	case h.IsZero() && stop && r.StoppedAll == nil:
		r.StoppedAll = &Stop{At: now}
		return true
	case h.IsZero() && !stop:
		changed := r.StoppedAll != nil || len(r.Stops) > 0
		r.StoppedAll, r.Stops = nil, nil
		return changed
	case !h.IsZero() && stop && r.stop(h) == nil:
		r.Stops = append(r.Stops, Stop{Handle: h, At: now})
		return true
	case !h.IsZero() && !stop && r.stop(h) != nil:
		r.Stops = slices.DeleteFunc(r.Stops, func(s Stop) bool { return s.Handle == h })
		return true
	default:
		return false
	}
}
