package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// RangeMT calls fn with each message to a phone that is queued now, in the order of the queue,
// until fn returns false; sequence is for [Store.RemoveMT]. One that cannot be read is left out: it becomes a dead
// letter. It reads some 100,000 messages a second.
func (s *Store) RangeMT(ctx context.Context, fn func(sequence uint64, m bridge.MT) bool) error {
	return s.rangeQueued(ctx, stageMT, func(q rawQueued) bool {
		one, err := q.decode()
		return err != nil || fn(q.sequence, *one.MT)
	})
}

// RemoveMT takes messages to phones out of the queue, which the journal says have ended; those that are gone
// are left out. A message that a handler has is left to it. It does not wait for the disk: what a power cut
// brings back is seen to have ended.
func (s *Store) RemoveMT(ctx context.Context, sequences []uint64) error {
	gone := make(map[uint64]bool, len(sequences))
	for _, sequence := range sequences {
		// What the server has no more was handled meanwhile.
		if err := s.streams[stageMT].DeleteMsg(ctx, sequence); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			return fmt.Errorf("queue: remove from mt: %w", err)
		}
		gone[sequence] = true
	}
	s.atWork.each(func(l laneAtWork) { l.drop(stageMT, gone) })
	return nil
}

// drop forgets messages that were removed from the queue, but for those that a handler has.
func (l *lane[M]) drop(stage string, gone map[uint64]bool) {
	if l.stage.name != stage {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	for key, ln := range l.lines {
		l.dropFrom(ln, gone)
		if len(ln.msgs) == 0 {
			delete(l.lines, key)
		}
	}
	for _, c := range l.crews {
		kept := c.ready[:0]
		for _, ln := range c.ready {
			if len(ln.msgs) > 0 {
				kept = append(kept, ln)
			}
		}
		clear(c.ready[len(kept):])
		c.ready = kept
		l.dispatch(l.ctx, c)
	}
}

// dropFrom drops what is gone of a line. The lock is held.
func (l *lane[M]) dropFrom(ln *line[M], gone map[uint64]bool) {
	if gone[ln.msgs[0].seq] && ln.retry != nil && ln.retry.Stop() {
		ln.retry = nil // it need not wait for its next attempt
		ln.attempts, ln.panics, ln.lastErr = 0, 0, ""
		ln.wait()
	}
	kept := make([]*held[M], 0, len(ln.msgs))
	for i, h := range ln.msgs {
		if !gone[h.seq] || i == 0 && ln.busy {
			kept = append(kept, h)
			continue
		}
		if h.msg != nil {
			h.msg = nil
			l.whole--
		}
		l.s.waiting.add(ln.counted, -1)
		l.finish(h, "")
	}
	ln.msgs = kept
}
