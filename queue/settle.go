package queue

import (
	"context"
	"time"
)

// Acknowledgements as the server reads them.
var (
	ackDone     = []byte("+ACK")
	ackProgress = []byte("+WPI")
)

// finish hands h over for its acknowledgement. The lock is held.
func (l *lane[M]) finish(h *held[M], term string) {
	h.term = term
	l.finished = append(l.finished, h)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// settle acknowledges what is finished until done is closed and nothing is left, and
// tells the server that the rest is still being worked on. It is one goroutine, so that
// one sync serves all that finished meanwhile.
func (l *lane[M]) settle(done <-chan struct{}) {
	sweep := time.NewTicker(l.s.cfg.AckWait / 3)
	defer sweep.Stop()
	for {
		select {
		case <-l.wake:
			l.acknowledge()
		case <-sweep.C:
			l.sweep()
		case <-done:
			l.acknowledge()
			return
		}
	}
}

// acknowledge takes what is finished out of the queue, once all that was stored before is on
// disk: the handlers' results must not be lost together with their cause. What the disk
// may have lost is handled again.
func (l *lane[M]) acknowledge() {
	l.mu.Lock()
	batch := l.finished
	l.finished = nil
	l.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	era := l.s.commit.Era()
	if err := l.s.commit.Wait(context.Background(), era); err != nil {
		l.giveBack(batch, err)
		return
	}
	batch, lost := splitByEra(batch, era)
	if len(lost) > 0 {
		l.giveBack(lost, errLost)
		l.s.link.renew() // each lane begins anew, from its oldest message
	}
	for _, h := range batch {
		l.mu.Lock()
		reply := h.reply
		l.remember(h)
		l.mu.Unlock()
		l.overwrite(h.seq)
		answer := ackDone
		if h.term != "" {
			answer = []byte("+TERM " + h.term)
		}
		if err := l.s.nc.Publish(reply, answer); err != nil {
			// It comes again, and the journal knows that it is done.
			l.log.Warn().Err(err).Msg("queue: an acknowledgement was not sent")
			continue
		}
		l.lastAck = reply
		l.stats.acked.Add(1)
	}
}

// splitByEra tells messages whose handling began in era from others.
func splitByEra[M any](batch []*held[M], era uint64) (of, others []*held[M]) {
	for _, h := range batch {
		if h.since.era == era {
			of = append(of, h)
		} else {
			others = append(others, h)
		}
	}
	return of, others
}

// giveBack forgets messages that cannot be acknowledged: they come again when the lane
// begins anew.
func (l *lane[M]) giveBack(batch []*held[M], why error) {
	l.log.Error().Err(why).Int("messages", len(batch)).Msg("queue: messages that were handled stay queued and will be handled again")
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range batch {
		delete(l.held, h.seq)
	}
}

// confirmWithin bounds the wait for the server at the end of a Run.
const confirmWithin = 5 * time.Second

// confirm waits until the server has worked on every acknowledgement. It reads them
// at once but works on them later, in order: a server that stops, or a consumer that is
// set back for the next Run, would forget the rest, and the messages would come again.
// An acknowledgement that asks for an answer is answered after all before it.
func (l *lane[M]) confirm() {
	if l.lastAck == "" || !l.s.nc.IsConnected() {
		return
	}
	if _, err := l.s.nc.Request(l.lastAck, ackDone, confirmWithin); err != nil {
		l.log.Warn().Err(err).Msg("queue: the last acknowledgements were not confirmed; some messages may be handled again")
	}
}

// remembered is how many messages a lane still knows after their acknowledgement: one
// that got lost with a connection must not bring the message back to the handler.
const remembered = 1024

// remember marks h as acknowledged and forgets the oldest such. The lock is held.
func (l *lane[M]) remember(h *held[M]) {
	h.acked = true
	l.acked = append(l.acked, h.seq)
	if len(l.acked) > remembered {
		delete(l.held, l.acked[0])
		l.acked = l.acked[1:]
	}
}

// sweep tells the server that all that is held is still being worked on, in time for the
// second sweep from now to come before AckWait ends.
func (l *lane[M]) sweep() {
	l.mu.Lock()
	replies := make([]string, 0, len(l.held))
	for _, h := range l.held {
		if !h.acked {
			replies = append(replies, h.reply)
		}
	}
	l.mu.Unlock()
	for _, reply := range replies {
		if err := l.s.nc.Publish(reply, ackProgress); err != nil {
			return // a new connection sets the consumer back
		}
	}
}
