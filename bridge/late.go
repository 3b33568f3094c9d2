package bridge

import (
	"context"
	"errors"
	"time"

	"smsbridge/addressing"
)

// This file is what the bridge makes of news about a message whose submit ended as unknown.
// Where the sender was told so, that stays the message's one final state; the news stands
// in its history, and the SMSC's id is recorded, so that the receipt is known. Where the
// message is to be sent again, what was accepted after all is not.

// late takes the answer to a submit of m that came when the submit had ended as unknown.
func (h *Hub) late(ctx context.Context, id string, phone addressing.MSISDN, res Result) {
	err := ErrConflict
	for errors.Is(err, ErrConflict) {
		var s Story
		var rev uint64
		if s, rev, err = h.atRest(ctx, id, phone); err == nil {
			err = h.hear(ctx, s, rev, res)
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) { // older than the journal remembers
		h.log.Warn().Err(err).Str("message_id", id).Str("link", res.Link).
			Msg("a late answer to a submit is not on record: its message stays as it is")
	}
}

// errElsewhere: nobody here knows when that submit ends.
var errElsewhere = errors.New("bridge: another instance submits the message again")

// atRest reads the story of a message once no turn of this instance submits it or is about
// to tell its end; those would find their story changed.
func (h *Hub) atRest(ctx context.Context, id string, phone addressing.MSISDN) (Story, uint64, error) {
	for {
		// Looked at before the story is read: a turn that ends in between is in it.
		underWay := h.submitting.empty(phone.Digits())
		s, rev, err := h.Journal.Story(ctx, id)
		switch {
		case err != nil || s.State != Submitting && (!s.State.Final() || s.Told):
			return s, rev, err
		case underWay == nil && s.State == Submitting:
			return Story{}, 0, errElsewhere
		case underWay == nil: // a crash came before
			return s, rev, errors.Join(h.tell(ctx, s, rev), ErrConflict)
		}
		select {
		case <-underWay:
		case <-ctx.Done():
			return Story{}, 0, ctx.Err()
		}
	}
}

// hear puts a late answer on record. [ErrConflict] asks to read the story again.
func (h *Hub) hear(ctx context.Context, s Story, rev uint64, res Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if c, news := s.lateAnswer(res); news {
		c.At = h.now()
		s.submitted(res, c.At)
		if c.State == s.State {
			s.note(c) // what the sender was told stays
		} else {
			s.change(c)
			s.NextAt = time.Time{}
		}
		var err error
		if rev, err = h.Journal.PutStory(ctx, s, rev, false); err != nil {
			return err
		}
		h.log.Info().Str("message_id", s.ID).Str("msisdn", s.Phone.Masked()).Str("link", res.Link).Str("state", string(s.State)).
			Bool("taken", res.taken()).Msg("a late answer tells what became of a submit")
	}
	if !res.taken() {
		return nil
	}
	if err := h.findable(ctx, s, res); err != nil || s.State != Sent {
		return err
	}
	if s.NoReceipts {
		return h.tell(ctx, s, rev)
	}
	return h.logStatus(ctx, s, s.History[len(s.History)-1])
}

// taken tells whether the SMSC accepted the last segment that was submitted.
func (r Result) taken() bool {
	return len(r.SMSCIDs) > 0 && (r.Outcome == OutcomeSent || r.Outcome == OutcomeNotWritten)
}

// findable records what the id that came late belongs to.
func (h *Hub) findable(ctx context.Context, s Story, res Result) error {
	place := len(res.SMSCIDs) - 1
	if id := res.SMSCIDs[place]; id != "" {
		return h.Journal.PutRef(ctx, res.Account, id, SegmentRef{V: version, MessageID: s.ID, Segment: place})
	}
	return h.wait(ctx, s)
}

// lateAnswer puts what a late answer says of segments into s, and gives the change that
// this means; none where the message went on without it.
func (s *Story) lateAnswer(res Result) (c Change, news bool) {
	if s.State != Unknown && s.State != Accepted {
		return Change{}, false // it was sent again, and that counts
	}
	c = Change{State: s.State, Reason: s.Reason}
	if !res.taken() {
		c.Detail = "The operator answered too late that it was not taken: " + full(res.Detail)
		return c, true
	}
	place := len(res.SMSCIDs) - 1
	if len(s.Segments) != place {
		return Change{}, false // this segment was sent again
	}
	s.Segments = append(s.Segments, Segment{SMSCID: res.SMSCIDs[place]})
	s.Link, s.Account = res.Link, res.Account
	switch {
	case s.State == Accepted && res.Outcome == OutcomeSent:
		s.NoReceipts = res.NoReceipts
		c = Change{State: Sent}
	case s.State == Accepted:
		c.Detail = "The operator answered too late that it took a part; the rest goes with the next attempt."
	case res.Outcome == OutcomeSent:
		c.Detail = "The operator answered too late that it took the message."
	default:
		c.Detail = "The operator answered too late that it took a part; the rest was not sent."
	}
	return c, true
}

// heardAfter puts a receipt that came after the end of a message into its history, where
// that end was that nobody knew.
func (h *Hub) heardAfter(ctx context.Context, s Story, rev uint64, ref SegmentRef, r Receipt) error {
	if s.State != Unknown || ref.Segment >= len(s.Segments) || s.Segments[ref.Segment].State.final() || !r.State.final() {
		return nil
	}
	s.Segments[ref.Segment].State, s.Segments[ref.Segment].Code = r.State, r.Code
	if c, ended := outcomeOf(s.Segments); ended {
		if c.State == Delivered {
			c.Detail = "The phone has what the operator took of it."
		}
		s.note(Change{State: Unknown, At: h.now(), Reason: s.Reason, Detail: "Its receipt came too late: " + c.Detail})
	}
	_, err := h.Journal.PutStory(ctx, s, rev, false)
	return err
}
