package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// receiptWait is how long a receipt whose message is not known is looked at again: the
// answer to its submit may be with another instance, or not on record yet after a crash.
const receiptWait = 10 * time.Second

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
	for err == nil {
		err = h.apply(ctx, ref, m, *short.Receipt)
		if err == nil {
			h.stats.receipt(true)
			h.stats.receiptCame(m.Account, h.now())
			if short.Receipt.ByPhone {
				return h.unwait(ctx, m.Account, short, ref)
			}
			return nil
		}
		if errors.Is(err, ErrConflict) {
			err = nil // the story was written meanwhile
		}
	}
	if errors.Is(err, ErrNotFound) {
		return h.unmatched(m, short)
	}
	return err
}

// unmatched lets a receipt wait whose message is not known, or gives it up after receiptWait.
func (h *Hub) unmatched(m MO, short Short) error {
	since := m.ReceivedAt
	if since.Before(h.began) {
		since = h.began
	}
	switch age := h.now().Sub(since); {
	case age < 0: // the clock was set back since it came
		return &LaterError{At: h.now().Add(receiptWait)}
	case age < receiptWait:
		return &LaterError{At: since.Add(min(2*age+time.Second, receiptWait))}
	}
	h.stats.receipt(false)
	h.log.Warn().Str("smsc", m.Account).Str("msisdn", short.Phone.Masked()).Str("message_id", m.ID).
		Msg("a receipt belongs to no message of this bridge; is the account shared with another program?")
	return nil
}

// awaitRef finds what a receipt belongs to. While a submit to its phone is under way it
// waits for the id that this brings, unless the id is known as it is written: the other
// forms of one that is not yet known would be looked for in vain.
func (h *Hub) awaitRef(ctx context.Context, account string, short Short) (SegmentRef, error) {
	for {
		// Looked at before the index is read: a submit that ends in between is in the index.
		var underWay <-chan struct{}
		if !short.Phone.IsZero() {
			underWay = h.submitting.empty(short.Phone.Digits())
		}
		candidates := short.Receipt.Candidates
		if underWay != nil && len(candidates) > 0 {
			candidates = candidates[:1]
		}
		ref, err := h.findRef(ctx, account, short, candidates)
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

// findRef tries forms that the id may have been recorded in, in order. Where ids are small
// numbers, one form of one id is another form of another: the message must be to the
// phone that the receipt is about, or else its id must be the very same.
func (h *Hub) findRef(ctx context.Context, account string, short Short, candidates []string) (SegmentRef, error) {
	if short.Receipt.ByPhone {
		return h.findWaiting(ctx, account, short)
	}
	var same *SegmentRef
	for i, candidate := range candidates {
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
// first word on a segment counts: receipts overtake each other. The error is [ErrNotFound]
// where the story is not known, or not to the replica that was asked.
func (h *Hub) apply(ctx context.Context, ref SegmentRef, m MO, r Receipt) error {
	s, rev, err := h.Journal.Story(ctx, ref.MessageID)
	if err != nil {
		return err
	}
	switch {
	case s.State.Final() && s.Told:
		return h.heardAfter(ctx, s, rev, ref, r)
	case s.State.Final():
		return h.tell(ctx, s, rev) // a crash came before that
	case s.State != Sent:
		return &LaterError{At: h.now().Add(receiptWait)} // the rest of the text is not sent yet
	case ref.Segment >= len(s.Segments) || s.Segments[ref.Segment].State.final() || s.Segments[ref.Segment].State == r.State:
		return nil
	}
	s.Segments[ref.Segment].State, s.Segments[ref.Segment].Code = r.State, r.Code
	s.ReceiptAt = h.now()
	if c, ended := outcomeOf(s.Segments); ended {
		c.At = h.now()
		s.State, s.Reason, s.Detail = c.State, c.Reason, c.Detail
		s.History = append(s.History, c)
	}
	if rev, err = h.Journal.PutStory(ctx, s, rev, false); err != nil {
		return err
	}
	h.traceReceipt(s, m, ref, r)
	if !s.State.Final() {
		return nil
	}
	h.stats.ended(s.State, s.Reason)
	if i := slices.IndexFunc(s.History, func(c Change) bool { return c.State == Sent }); i >= 0 {
		h.stats.receiptAfter(h.now().Sub(s.History[i].At))
	}
	if s.State == Delivered {
		h.stats.deliveredAfter(s.History[0].At, h.now(), s.Trace) // it begins with the acceptance
	}
	return h.tell(ctx, s, rev)
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
