package addressing

import (
	"context"
	"fmt"
	"slices"
)

// Release ends the conversations of h with phone. Their pairs rest before they are given
// to another; a reply meanwhile goes to h, and opens the conversation again. The error
// wraps [ErrNobody] where there is none.
func (b *Book) Release(ctx context.Context, h Handle, phone MSISDN) error {
	return b.change(ctx, phone, func(r *Record) (bool, error) {
		found, changed := false, false
		for i := range r.Entries {
			if e := &r.Entries[i]; e.Handle == h {
				found = true
				if e.ReleasedAt.IsZero() {
					e.ReleasedAt, changed = b.now().UTC(), true
				}
			}
		}
		if !found {
			return false, fmt.Errorf("%w: %s has no conversation with %s", ErrNobody, h, phone.Masked())
		}
		return changed, nil
	})
}

// Conversations lists the conversations of phone.
func (b *Book) Conversations(ctx context.Context, phone MSISDN) ([]Conversation, error) {
	r, _, err := b.store.LoadRecord(ctx, phone)
	if err != nil {
		return nil, err
	}
	all := make([]Conversation, len(r.Entries))
	for i := range r.Entries {
		all[i] = r.Entries[i].conversation(phone)
	}
	return all, nil
}

// ConversationsOf lists the conversations of h. It reads every record: for an
// operator's question, not for the road of a message.
func (b *Book) ConversationsOf(ctx context.Context, h Handle) ([]Conversation, error) {
	return b.search(ctx, func(e *Entry) bool { return e.Handle == h })
}

// ConversationsOver lists the conversations over n, of any handle. It reads every record.
func (b *Book) ConversationsOver(ctx context.Context, n Number) ([]Conversation, error) {
	return b.search(ctx, func(e *Entry) bool { return e.Number == n })
}

func (b *Book) search(ctx context.Context, match func(*Entry) bool) ([]Conversation, error) {
	var all []Conversation
	err := b.store.RangeRecords(ctx, func(phone MSISDN, r Record) bool {
		for i := range r.Entries {
			if e := &r.Entries[i]; match(e) {
				all = append(all, e.conversation(phone))
			}
		}
		return true
	})
	slices.SortFunc(all, func(x, y Conversation) int { return y.LastUsed.Compare(x.LastUsed) })
	return all, err
}
