package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// idleAfter is after how long without a message or a sign of life of its consumer, of which
// there is one each pullBeat, a lane is not at work.
const idleAfter = 6 * pullBeat

// pulse is when a lane last heard of its consumer.
type pulse struct{ at atomic.Pointer[time.Time] }

// beat notes that it hears of it now. The monotonic clock counts: one that is set must not
// end a pulse.
func (p *pulse) beat() {
	now := time.Now()
	p.at.Store(&now)
}

// since is for how long it has heard nothing.
func (p *pulse) since(now time.Time) time.Duration { return now.Sub(*p.at.Load()) }

func (l *lane[M]) idle(now time.Time) (stage string, since time.Duration) {
	// A lane that takes a message holds the lock; one that never gives it back is stuck.
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stage.name, l.pulse.since(now)
}

// Working tells, by an error, which stages have no Run, or a lane here that has heard nothing
// of the server for a minute. Lanes of other instances are theirs to watch. It blocks with a lane
// that does.
func (s *Store) Working() error { return s.working(time.Now()) }

func (s *Store) working(now time.Time) error {
	var wrong []string
	s.mu.Lock()
	for _, stage := range []string{stageMT, stageMO, stageOUT} {
		if !s.running[stage] {
			wrong = append(wrong, strings.ToLower(stage)+" has no workers")
		}
	}
	s.mu.Unlock()
	silent := make(map[string]time.Duration)
	s.atWork.each(func(l laneAtWork) {
		if stage, since := l.idle(now); since > idleAfter {
			silent[stage] = max(silent[stage], since)
		}
	})
	for stage, since := range silent {
		wrong = append(wrong, fmt.Sprintf("%s has workers that heard nothing of the queue for %s", strings.ToLower(stage), since.Round(time.Second)))
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("queue: messages are not being worked on: " + strings.Join(wrong, "; "))
}

// probeEvery bounds how often a store is written to see whether it can be: who asks more
// often is given the last answer.
const probeEvery = time.Second

// probes remembers the last trial.
type probes struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Writable is [Store.Healthy], shown by a record that is written and on disk as the
// configured durability promises, and that each work queue has room for another message: where
// one has not, the error wraps [bridge.ErrFull]. It is tried once a second at most.
func (s *Store) Writable(ctx context.Context) error {
	s.probes.mu.Lock()
	defer s.probes.mu.Unlock()
	if time.Since(s.probes.at) < probeEvery {
		return s.probes.err
	}
	err := s.Healthy(ctx)
	if err == nil {
		err = s.probe(ctx)
	}
	if err == nil {
		err = s.full(ctx)
	}
	if ctx.Err() == nil || err == nil {
		s.probes.at, s.probes.err = time.Now(), err
	}
	return err
}

// probe writes a mark of this process, which goes by itself as others do.
func (s *Store) probe(ctx context.Context) error {
	era := s.commit.Era()
	err := s.SetMark(ctx, "writable-"+s.id, []byte(time.Now().UTC().Format(time.RFC3339)))
	if err == nil {
		err = s.commit.Wait(ctx, era)
	}
	if err != nil {
		return fmt.Errorf("queue: it cannot be written: %w", err)
	}
	return nil
}
