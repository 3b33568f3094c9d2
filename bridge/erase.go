package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"smsbridge/addressing"
)

// This file takes people out of the journal, for an operator who erases what is kept of one.

// EraseStory takes out of a story who wrote and to whom, and all that says more of them. The
// message ends before that, and its sender is told, unless it is over: one whose receipt has not
// come ends as [Unknown]. What stays is that the message is dealt with, so that whoever has it in
// hand, here or in another instance, does not send it. erased is false where the message is being
// sent now: it is to be tried again. It may be called concurrently with all that is done to
// the message.
func (h *Hub) EraseStory(ctx context.Context, id string) (erased bool, err error) {
	for {
		s, rev, err := h.Journal.Story(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			return true, nil
		case err != nil:
			return false, err
		case s.Erased:
			return true, nil
		case s.State == Sent && s.Told: // no receipts are asked for
			_, err = h.Journal.PutStory(ctx, nameless(s), rev, true)
		case s.State == Sent:
			err = h.endErased(ctx, s, rev)
		case !s.State.Final():
			return false, nil
		case !s.Told:
			err = h.tell(ctx, s, rev)
		default:
			_, err = h.Journal.PutStory(ctx, nameless(s), rev, true)
		}
		if err != nil && !errors.Is(err, ErrConflict) {
			return false, err
		}
	}
}

// endErased ends a message whose receipt nobody will be able to match.
func (h *Hub) endErased(ctx context.Context, s Story, rev uint64) error {
	c := Change{State: Unknown, At: h.now(), Reason: ReasonUncertain, Detail: "The operator of the bridge has erased what it knew of the message; it will not be known whether the phone got it."}
	s.change(c)
	if _, err := h.Journal.PutStory(ctx, s, rev, true); err != nil {
		return err
	}
	h.stats.ended(s.State, s.Reason)
	return nil
}

// nameless is what stays of a story that is over.
func nameless(s Story) Story {
	last := s.History[len(s.History)-1]
	return Story{
		V: s.V, ID: s.ID, State: s.State, Reason: s.Reason, NoReceipts: s.NoReceipts, Told: true, Erased: true,
		History: []Change{{State: last.State, At: last.At, Reason: last.Reason}},
	}
}

// RestsSince is when a story that is over last changed; false where its message is under way or its
// sender is not told.
func (s *Story) RestsSince() (at time.Time, rests bool) {
	if !s.Told || len(s.History) == 0 {
		return time.Time{}, false
	}
	return s.History[len(s.History)-1].At, true
}

// With tells whether phone is in the list.
func (b Begun) With(phone addressing.MSISDN) bool {
	return slices.ContainsFunc(b.Phones, func(w BeganWith) bool { return w.Phone == phone })
}

// Without is the list without phone.
func (b Begun) Without(phone addressing.MSISDN) Begun {
	b.Phones = slices.DeleteFunc(slices.Clone(b.Phones), func(w BeganWith) bool { return w.Phone == phone })
	return b
}
