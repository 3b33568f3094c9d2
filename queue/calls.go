package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

var _ bridge.Calls = (*Store)(nil)

// Call-detail records stand in a stream of their own, below one subject for each kind. There they
// wait until they are written to a file, or for whoever reads the stream. It is bounded, and the
// oldest go first: records may never refuse a message.

// ErrNoCalls says that Config.CallsMaxBytes is not set, so that there is no stream for records.
var ErrNoCalls = errors.New("queue: no call-detail records are kept")

const (
	callsEvery = time.Second
	// callsAtOnce bounds what RunCalls holds in memory.
	callsAtOnce = 1000
)

// PublishCall stores c for [Store.RunCalls]. It does not wait for the disk. What was stored
// within Config.DuplicateWindow under the same id is not stored again.
func (s *Store) PublishCall(ctx context.Context, c bridge.Call) error {
	if s.cfg.CallsMaxBytes == 0 {
		return ErrNoCalls
	}
	if err := fence(ctx); err != nil {
		return err
	}
	_, err := s.put(ctx, "calls."+string(c.Kind), c, withID(c.ID))
	return err
}

// CallStats is how it goes with the records of [Store.RunCalls], since the start of it.
type CallStats struct {
	Waiting uint64 // records that are not written yet, as of a second ago
	Written uint64
	Lost    uint64 // records that went unwritten, since too many waited
	Failing bool   // the last write failed
}

type callCounters struct {
	waiting, written, lost atomic.Uint64
	failing                atomic.Bool
}

// CallStats gives the counts of RunCalls; zero where it runs in another instance.
func (s *Store) CallStats() CallStats {
	c := &s.calls
	return CallStats{Waiting: c.waiting.Load(), Written: c.written.Load(), Lost: c.lost.Load(), Failing: c.failing.Load()}
}

// RunCalls gives the records to write, the oldest first, up to 1000 at once, and removes them once
// it has returned nil: then they must be on disk. What a crash keeps from being removed comes
// again. Where write fails they stay and are tried again each second; the error is logged once a
// minute. It blocks until ctx ends. Of several instances one runs it.
func (s *Store) RunCalls(ctx context.Context, write func([]bridge.Call) error) error {
	if s.cfg.CallsMaxBytes == 0 {
		return ErrNoCalls
	}
	defer s.calls.waiting.Store(0)
	tick := time.NewTicker(callsEvery)
	defer tick.Stop()
	w := callWriter{s: s, write: write}
	for ctx.Err() == nil {
		more, err := w.once(ctx)
		s.calls.failing.Store(err != nil && ctx.Err() == nil)
		if err != nil && ctx.Err() == nil && time.Since(w.said) > time.Minute {
			w.said = time.Now()
			s.log.Error().Err(err).Uint64("waiting", s.calls.waiting.Load()).Msg("queue: call-detail records cannot be written; they wait, and messages go on")
		}
		if more && err == nil {
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	// What ended while the daemon drained is written before it stops, if that works at all.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for more := s.readable() == nil; more; {
		var err error
		if more, err = w.once(within); err != nil {
			break
		}
	}
	return nil
}

type callWriter struct {
	s     *Store
	write func([]bridge.Call) error
	next  uint64 // sequence after the last that was written; 0: not known
	said  time.Time
}

// passed counts what is gone before the record of sequence next.
func (w *callWriter) passed(next uint64) {
	if w.next > 0 && next > w.next {
		w.s.calls.lost.Add(next - w.next)
	}
	w.next = next
}

// once writes what there is, up to callsAtOnce, and tells whether there is more.
func (w *callWriter) once(ctx context.Context) (more bool, err error) {
	s := w.s
	if err := s.readable(); err != nil {
		return false, err
	}
	info, err := s.streams[streamCalls].Info(ctx)
	if err != nil {
		return false, fmt.Errorf("queue: call-detail records: %w", err)
	}
	s.calls.waiting.Store(info.State.Msgs)
	if info.State.Msgs == 0 {
		w.passed(info.State.LastSeq + 1)
		return false, nil
	}
	var batch []bridge.Call
	var first, last, gaps uint64
	err = s.scanStream(ctx, streamCalls, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}, func(m jetstream.Msg) bool {
		meta, err := m.Metadata()
		if err != nil {
			return false
		}
		var c bridge.Call
		if err := json.Unmarshal(m.Data(), &c); err != nil {
			s.log.Error().Err(err).Msg("queue: a call-detail record cannot be read and is left out")
		} else {
			batch = append(batch, c)
		}
		if first == 0 {
			first = meta.Sequence.Stream
		} else {
			gaps += meta.Sequence.Stream - last - 1
		}
		last = meta.Sequence.Stream
		return len(batch) < callsAtOnce
	})
	if err != nil {
		return false, fmt.Errorf("queue: call-detail records: %w", err)
	}
	if last == 0 {
		return false, nil
	}
	if err := w.write(batch); err != nil {
		return false, err
	}
	w.passed(first)
	s.calls.lost.Add(gaps)
	s.calls.written.Add(uint64(len(batch)))
	w.next = last + 1
	gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // also when ctx has ended
	defer cancel()
	if err := s.streams[streamCalls].Purge(gone, jetstream.WithPurgeSequence(w.next)); err != nil {
		return false, fmt.Errorf("queue: remove call-detail records that are written: %w", err)
	}
	s.calls.waiting.Store(info.State.LastSeq - min(info.State.LastSeq, last))
	return len(batch) == callsAtOnce, nil
}
