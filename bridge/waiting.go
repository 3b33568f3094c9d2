package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Some SMSCs give every message the same id. Then a receipt can only be matched by its
// phone: for each phone there is a list of the segments without a final receipt, in
// the order in which they were sent.

// waiting is that list.
type waiting struct {
	V        int          `json:"v"`
	Segments []SegmentRef `json:"segments"`
	At       time.Time    `json:"at"` // when it was last written
}

// maxWaiting bounds the list: the oldest goes, and is found overdue in the end.
const maxWaiting = 500

func waitingKey(account string, phone string) string { return "wait " + account + " " + phone }

// wait adds the segments of s that have no id of their own. It may run twice.
func (h *Hub) wait(ctx context.Context, s Story) error {
	var more []SegmentRef
	for i, segment := range s.Segments {
		if segment.SMSCID == "" && !segment.State.final() {
			more = append(more, SegmentRef{V: version, MessageID: s.ID, Segment: i})
		}
	}
	if len(more) == 0 {
		return nil
	}
	return h.changeWaiting(ctx, waitingKey(s.Account, s.Phone.Digits()), func(w *waiting) {
		for _, ref := range more {
			if !slices.Contains(w.Segments, ref) {
				w.Segments = append(w.Segments, ref)
			}
		}
		w.Segments = w.Segments[max(0, len(w.Segments)-maxWaiting):]
	})
}

// receiptByPhone is receipt where ids say nothing. A repeat must not be taken for the
// receipt of the next segment, and of two at once each must find its own.
func (h *Hub) receiptByPhone(ctx context.Context, m MO, short Short) error {
	return h.once(ctx, m, short.Phone, func() error {
		h.byPhone.Lock()
		defer h.byPhone.Unlock()
		return h.match(ctx, m, short)
	})
}

// findWaiting finds what a receipt belongs to: the segment that was sent with its
// reference, or where the SMSC returns none the one that has waited longest.
func (h *Hub) findWaiting(ctx context.Context, account string, short Short) (SegmentRef, error) {
	w, _, err := h.loadWaiting(ctx, waitingKey(account, short.Phone.Digits()))
	if err != nil {
		return SegmentRef{}, err
	}
	for _, ref := range w.Segments {
		if r := short.Receipt.Reference; r == nil || *r == UserReference(ref.MessageID, ref.Segment) {
			return ref, nil
		}
	}
	return SegmentRef{}, ErrNotFound
}

// unwait takes a segment off the list once its receipt is final.
func (h *Hub) unwait(ctx context.Context, account string, short Short, ref SegmentRef) error {
	if !short.Receipt.State.final() {
		return nil
	}
	return h.changeWaiting(ctx, waitingKey(account, short.Phone.Digits()), func(w *waiting) {
		w.Segments = slices.DeleteFunc(w.Segments, func(other SegmentRef) bool { return other == ref })
	})
}

func (h *Hub) loadWaiting(ctx context.Context, key string) (waiting, uint64, error) {
	value, rev, err := h.Parts.LoadPart(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return waiting{V: version}, 0, nil
	}
	if err != nil {
		return waiting{}, 0, err
	}
	var w waiting
	if err := json.Unmarshal(value, &w); err != nil {
		return w, rev, err
	}
	if h.now().Sub(w.At) >= h.config().Validity+overdueAfter {
		w.Segments = nil // all of them are overdue, and a receipt that comes now is of none of them
	}
	return w, rev, nil
}

func (h *Hub) changeWaiting(ctx context.Context, key string, change func(*waiting)) error {
	for {
		w, rev, err := h.loadWaiting(ctx, key)
		if err != nil {
			return err
		}
		change(&w)
		w.At = h.now()
		value, err := json.Marshal(w)
		if err != nil {
			return err
		}
		if _, err = h.Parts.SavePart(ctx, key, value, rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
