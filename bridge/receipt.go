package bridge

import (
	"context"
	"errors"
	"fmt"
)

// receipt changes the status of the message that a delivery receipt belongs to. A
// receipt may come before the submit_sm_resp that tells its id: while a submit to
// its phone is under way it waits for that.
func (h *Hub) receipt(ctx context.Context, m MO, short Short) error {
	if short.Receipt.ByPhone {
		return h.receiptByPhone(ctx, m, short)
	}
	return h.match(ctx, m, short)
}

func (h *Hub) match(ctx context.Context, m MO, short Short) error {
	ref, err := h.awaitRef(ctx, m.Account, short)
	if errors.Is(err, ErrNotFound) {
		h.stats.receipt(false)
		h.log.Warn().Str("smsc", m.Account).Str("msisdn", short.Phone.Masked()).Str("message_id", m.ID).
			Msg("a receipt belongs to no message of this bridge; is the account shared with another program?")
		return nil
	}
	if err != nil {
		return err
	}
	h.stats.receipt(true)
	for {
		err := h.apply(ctx, ref, *short.Receipt)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil && short.Receipt.ByPhone {
			err = h.settle(ctx, m.Account, short, ref)
		}
		return err
	}
}

// awaitRef finds what a receipt belongs to. While a submit to its phone is under way it
// waits for the id that this brings.
func (h *Hub) awaitRef(ctx context.Context, account string, short Short) (SegmentRef, error) {
	for {
		// Looked at before the index is read: a submit that ends in between is in the index.
		var underWay <-chan struct{}
		if !short.Phone.IsZero() {
			underWay = h.submitting.empty(short.Phone.Digits())
		}
		ref, err := h.findRef(ctx, account, short)
		if !errors.Is(err, ErrNotFound) || underWay == nil {
			return ref, err
		}
		select {
		case <-underWay:
		case <-ctx.Done():
			return SegmentRef{}, ctx.Err()
		}
	}
}

// findRef tries the forms that the id may have been recorded in. Where ids are small
// numbers, one form of one id is another form of another: the message must be to the
// phone that the receipt is about, or else its id must be the very same.
func (h *Hub) findRef(ctx context.Context, account string, short Short) (SegmentRef, error) {
	if short.Receipt.ByPhone {
		return h.findWaiting(ctx, account, short)
	}
	var same *SegmentRef
	for i, candidate := range short.Receipt.Candidates {
		ref, err := h.Journal.Ref(ctx, account, []string{candidate})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return SegmentRef{}, err
		}
		s, _, err := h.Journal.Story(ctx, ref.MessageID)
		switch {
		case errors.Is(err, ErrNotFound):
			continue // older than the journal remembers
		case err != nil:
			return SegmentRef{}, err
		case s.Phone == short.Phone:
			return ref, nil
		case i == 0:
			same = &ref
		}
	}
	if same != nil {
		return *same, nil
	}
	return SegmentRef{}, ErrNotFound
}

// apply puts a receipt into the story, and tells the sender where that ends it. The
// sender is told first: a crash in between tells again, under the same id.
func (h *Hub) apply(ctx context.Context, ref SegmentRef, r Receipt) error {
	s, rev, err := h.Journal.Story(ctx, ref.MessageID)
	if errors.Is(err, ErrNotFound) {
		return nil // older than the journal remembers
	}
	if err != nil {
		return err
	}
	if s.State.Final() || ref.Segment >= len(s.Segments) || s.Segments[ref.Segment].State == r.State {
		return nil
	}
	if underWay := h.submitting.empty(s.Phone.Digits()); underWay != nil && s.State != Sent {
		// The rest is being submitted: the record is the worker's until that is done.
		select {
		case <-underWay:
			return ErrConflict
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.Segments[ref.Segment].State, s.Segments[ref.Segment].Code = r.State, r.Code
	// What has not been submitted to its end does not end by the receipts of its beginning.
	if c, ended := outcomeOf(s.Segments); ended && s.State == Sent {
		c.At = h.now()
		s.State, s.Reason, s.Detail, s.Told = c.State, c.Reason, c.Detail, true
		s.History = append(s.History, c)
		if err := h.tellFinal(ctx, s); err != nil {
			return err
		}
	}
	if _, err := h.Journal.PutStory(ctx, s, rev, false); err != nil {
		return err
	}
	if s.State.Final() {
		h.stats.ended(s.State, s.Reason)
	}
	return nil
}

// outcomeOf makes one status of the receipts of all segments: delivered when all
// are, and otherwise what the first that will not arrive came to.
func outcomeOf(segments []Segment) (Change, bool) {
	delivered := 0
	for i, s := range segments {
		which := ""
		if len(segments) > 1 {
			which = fmt.Sprintf(" (part %d of %d)", i+1, len(segments))
		}
		code := ""
		if s.Code != "" && s.Code != "000" {
			code = fmt.Sprintf(" Its code: %s.", s.Code)
		}
		switch s.State {
		case ReceiptDelivered:
			delivered++
		case ReceiptFailed:
			return Change{State: Failed, Reason: ReasonUndeliverable, Detail: "The operator could not deliver it to the phone" + which + "." + code}, true
		case ReceiptExpired:
			return Change{State: Expired, Reason: ReasonExpired, Detail: "The phone was not reached before the message's validity ended" + which + "." + code}, true
		case ReceiptUnknown:
			return Change{State: Unknown, Reason: ReasonUncertain, Detail: "The operator does not know whether the phone got it" + which + "." + code}, true
		}
	}
	return Change{State: Delivered}, delivered == len(segments) && delivered > 0
}
