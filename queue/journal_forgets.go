package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"smsbridge/bridge"
)

// This file is what the journal may have forgotten. A message that is waiting has no story, and
// so has one that was sent and whose story is gone. The second kind is in no queue, but a
// crash may bring back what had left the queue just before it. Its story was written just
// before as well, and is there unless nobody worked on the queue for as long as the journal
// keeps a story at least.

// earlySubject has a record while the journal lets stories go before Config.SentFor, and
// earlyAgain is how often it is written anew, so that it stays as long as they matter.
const (
	earlySubject = "sent.early"
	earlyAgain   = 24 * time.Hour
)

// awayLong is for how long nobody may have written to the journal before a story that is kept
// for keptLeast may be gone.
const awayLong = keptLeast - 10*time.Minute

// forgetful knows whether the journal may have forgotten that a message was tried. Its
// methods may be called concurrently.
type forgetful struct {
	mu      sync.Mutex
	early   bool      // stories go early
	written time.Time // when this process last put that on record
	until   time.Time // what was accepted until then may be forgotten
}

// away notes that nobody wrote to the journal since then.
func (f *forgetful) away(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early && time.Since(since.Round(0)) >= awayLong && since.After(f.until) {
		f.until = since
	}
}

// Forgets tells whether the story of a message that was accepted at that time may be gone
// although the message was tried.
func (s *Store) Forgets(acceptedAt time.Time) bool {
	s.forgetful.mu.Lock()
	defer s.forgetful.mu.Unlock()
	return !acceptedAt.After(s.forgetful.until)
}

// letGoEarly puts on disk that stories go early from now on, before the first does.
func (s *Store) letGoEarly(ctx context.Context) error {
	f := &s.forgetful
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early && time.Since(f.written) < earlyAgain {
		return nil
	}
	era := s.commit.Era()
	if _, err := s.put(ctx, earlySubject, struct{}{}); err != nil {
		return err
	}
	if err := s.commit.Wait(ctx, era); err != nil {
		return err
	}
	f.early, f.written = true, time.Now()
	return nil
}

// lookBack finds out, before anything is written, since when nobody wrote to the journal.
func (s *Store) lookBack(ctx context.Context) error {
	var early struct{}
	_, err := s.lastSent(ctx, earlySubject, &early)
	if errors.Is(err, bridge.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("queue: the journal: %w", err)
	}
	stream, err := s.js.Stream(ctx, streamSent)
	if err != nil {
		return fmt.Errorf("queue: the journal: %w", err)
	}
	s.forgetful.early = true
	s.forgetful.away(stream.CachedInfo().State.LastTime)
	return nil
}
