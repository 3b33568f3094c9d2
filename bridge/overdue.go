package bridge

import (
	"context"
	"errors"
	"time"
)

// Stories reads the journal in the order in which it was last written.
type Stories interface {
	// RangeStories calls fn with each story that was last written after the revision
	// after, in order, until fn returns false. A story that is written meanwhile may be
	// left out: it comes again with its new revision.
	RangeStories(ctx context.Context, after uint64, fn func(rev uint64, s Story) bool) error
}

const (
	// overdueAfter is how long after a message's validity its receipt may still come.
	overdueAfter = time.Hour
	overdueEvery = time.Minute
	// overdueBatch bounds what is held in memory.
	overdueBatch = 500
)

// RunOverdue gives a message whose receipt has not come an hour after its validity the
// final state Unknown, and tells its sender. It blocks until ctx ends. Of several
// instances one runs it; two at once do no harm.
func (h *Hub) RunOverdue(ctx context.Context, stories Stories) error {
	every := time.NewTicker(overdueEvery)
	defer every.Stop()
	var settled uint64 // no story up to this revision can become overdue
	for {
		var err error
		if settled, err = h.endOverdue(ctx, stories, settled); err != nil && ctx.Err() == nil {
			h.log.Warn().Err(err).Msg("cannot look for messages without a receipt; trying again in a minute")
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endOverdue ends what is overdue after the revision settled, and returns the next
// settled. It stops at the first message whose receipt may still come: those behind it
// were sent later, and with one validity for all are seldom due before it.
func (h *Hub) endOverdue(ctx context.Context, stories Stories, settled uint64) (uint64, error) {
	for {
		var due []string
		seen := settled
		err := stories.RangeStories(ctx, settled, func(rev uint64, s Story) bool {
			switch at, open := h.overdueAt(s); {
			case open && h.now().Before(at):
				return false
			case open:
				due = append(due, s.ID)
			}
			seen = rev
			return len(due) < overdueBatch
		})
		if err != nil {
			return settled, err
		}
		for _, id := range due {
			if err := h.endUnknown(ctx, id); err != nil {
				return settled, err
			}
		}
		settled = seen
		if len(due) < overdueBatch {
			return settled, nil
		}
	}
}

// overdueAt is when there is something to do for a message: when its receipt is no longer
// waited for, or when its sender should have been told long ago that nobody knows, and a
// crash came before.
func (h *Hub) overdueAt(s Story) (at time.Time, open bool) {
	switch {
	case s.State == Sent && !s.NoReceipts:
		until := s.ExpiresAt
		if until.IsZero() && len(s.History) > 0 { // written by an older version
			until = s.History[0].At.Add(h.config().Validity)
		}
		return until.Add(overdueAfter), true
	case s.State == Unknown && !s.Told:
		return s.History[len(s.History)-1].At.Add(overdueEvery), true
	default:
		return time.Time{}, false
	}
}

// endUnknown ends a message that is still Sent, and tells its sender. The state is
// stored before that: a receipt that comes at this moment wins or loses, but never both.
func (h *Hub) endUnknown(ctx context.Context, id string) error {
	s, rev, err := h.Journal.Story(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.State == Sent {
		if rev, err = h.changeToUnknown(ctx, &s, rev); err != nil {
			return ignoreConflict(err)
		}
	}
	if s.State != Unknown || s.Told {
		return nil
	}
	return ignoreConflict(h.tell(ctx, s, rev))
}

// ignoreConflict: a receipt, or another instance, came first.
func ignoreConflict(err error) error {
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

func (h *Hub) changeToUnknown(ctx context.Context, s *Story, rev uint64) (uint64, error) {
	c := Change{
		State: Unknown, At: h.now(), Reason: ReasonUncertain,
		Detail: "The operator took the message and has never said whether the phone got it; its validity is over. Ask the recipient before you send it again.",
	}
	s.State, s.Reason, s.Detail = c.State, c.Reason, c.Detail
	s.History = append(s.History, c)
	rev, err := h.Journal.PutStory(ctx, *s, rev, true)
	if err != nil {
		return 0, err
	}
	h.stats.ended(s.State, s.Reason)
	h.log.Info().Str("message_id", s.ID).Str("msisdn", s.Phone.Masked()).Str("smsc", s.Account).
		Msg("message ended: no receipt came")
	return rev, nil
}
