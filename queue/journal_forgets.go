package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// This file is what the journal may have forgotten. A message that is waiting has no story, and
// so has one that was sent and whose story is gone. The second kind is in no queue, but a
// crash may bring back what had left the queue just before it. Its story was written just
// before as well, and is there unless nobody worked on the queue for as long as the journal
// keeps a story at least. Then the log of its conversation is asked.

// earlySubject has a record while the journal lets stories go before Config.SentFor, and
// earlyAgain is how often it is written anew, so that it stays as long as they matter.
const (
	earlySubject = "sent.early"
	earlyAgain   = 24 * time.Hour
)

// awayLong is for how long nobody may have written to the journal before a story that is kept
// for keptLeast may be gone.
const awayLong = keptLeast - 2*time.Minute

// forgetful knows whether the journal may have forgotten that a message was tried. Its
// methods may be called concurrently.
type forgetful struct {
	mu      sync.Mutex
	early   bool      // stories go early
	written time.Time // when this process last put that on record
	until   time.Time // what left the queue shortly before may be forgotten
}

// away notes that nobody wrote to the journal since then.
func (f *forgetful) away(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early && time.Since(since.Round(0)) >= awayLong && since.After(f.until) {
		f.until = since
	}
}

// Forgot tells whether m, which has no story, was tried all the same; see [bridge.Journal]. It
// asks the log of the conversation, which has what its sender was told: only where something
// was told shortly before the queue was away does that take more than one look-up.
func (s *Store) Forgot(ctx context.Context, m bridge.MT) (bool, error) {
	s.forgetful.mu.Lock()
	until := s.forgetful.until
	s.forgetful.mu.Unlock()
	if m.AcceptedAt.After(until) {
		return false, nil
	}
	subject, from := conversationSubject(m.Handle, m.Phone)+"."+logStatuses, until.Add(-leftLately)
	var last *jetstream.RawStreamMsg
	_, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		last, err = s.streams[streamLog].GetLastMsgForSubject(ctx, subject)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && last.Time.Before(from) {
		return false, nil
	}
	tried := false
	if err == nil {
		cfg := jetstream.ConsumerConfig{FilterSubject: subject, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}
		err = s.scan(ctx, cfg, func(e bridge.Entry) { tried = tried || e.ID == m.ID && e.State != bridge.Accepted })
	}
	if err != nil {
		return false, fmt.Errorf("queue: whether message %s was tried: %w", m.ID, err)
	}
	return tried, nil
}

// leftLately is for how long before a crash what left the queue may come back: acknowledgements
// take a moment, and the kernel writes within half a minute what nobody synced.
const leftLately = 5 * time.Minute

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
