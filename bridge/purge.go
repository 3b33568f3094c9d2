package bridge

import (
	"context"
	"errors"
	"sync"
)

// Purge gives up a message that waits to be submitted, for an operator: it ends as failed, its
// sender is told, and whoever has it in hand finds that it has ended. It returns false where
// there is nothing to give up: the message has ended, or an SMSC has it or may have it. It may be
// called concurrently, and while the message is dispatched: the record of its story decides who was
// first. Once it returns true the end is on record; the message leaves the queue with its next
// dispatch, or sooner where the caller removes it.
func (h *Hub) Purge(ctx context.Context, m MT) (bool, error) {
	if accepted := h.accepting.empty(m.ID); accepted != nil {
		select {
		case <-accepted: // its sender hears of that first
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	for {
		t, err := h.take(ctx, m)
		if err != nil {
			return false, ignoreDone(err)
		}
		if t.story.State != Accepted || t.story.Digest != digest(m.Phone, m.Text) {
			return false, nil
		}
		d := decision{step: stepEnd, state: Failed, reason: ReasonPurged, detail: "The operator of the bridge has removed it from the queue; it was not sent."}
		if len(t.story.Segments) > 0 {
			d.detail = "The operator of the bridge has removed it from the queue; only the beginning of it was sent."
		}
		before := t.rev
		err = t.end(ctx, d)
		if errors.Is(err, ErrConflict) && t.rev == before {
			continue // its dispatch was faster
		}
		h.inHand.purged(m.ID)
		if errors.Is(err, ErrConflict) {
			err = nil // its dispatch has found the end, and told the sender
		}
		return t.rev != before, err
	}
}

// errPurged ends the wait of a message for a link.
var errPurged = errors.New("bridge: an operator has given the message up")

// inHand are the messages that wait for a link, each with what ends its wait.
type inHand struct {
	mu  sync.Mutex
	all map[string]context.CancelCauseFunc
}

// add notes that a message waits, until the function that it returns is called.
func (w *inHand) add(id string, end context.CancelCauseFunc) (gone func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[string]context.CancelCauseFunc)
	}
	w.all[id] = end
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
		end(nil)
	}
}

// purged ends the wait of a message, if it waits here.
func (w *inHand) purged(id string) {
	w.mu.Lock()
	end := w.all[id]
	w.mu.Unlock()
	if end != nil {
		end(errPurged)
	}
}
