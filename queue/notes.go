package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

var _ addressing.Notes = (*Store)(nil)

// LoadNote gives a record of what operators decided, and its revision; nil and 0 where there is
// none. A key is any text of up to about 1000 bytes.
func (s *Store) LoadNote(ctx context.Context, key string) ([]byte, uint64, error) {
	k, err := partKey(key)
	if err != nil {
		return nil, 0, err
	}
	value, rev, err := s.load(ctx, s.notes, k)
	if errors.Is(err, bridge.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("queue: what operators decided: %w", err)
	}
	return value, rev, nil
}

// SaveNote stores a record, or with a nil value removes it, if its revision is still rev;
// otherwise the error wraps [addressing.ErrConflict]. It returns once that is on disk. The
// revision of what was removed is at least the one that it returns.
func (s *Store) SaveNote(ctx context.Context, key string, value []byte, rev uint64) (next uint64, err error) {
	k, err := partKey(key)
	if err != nil {
		return 0, err
	}
	era := s.commit.Era()
	switch {
	case value != nil:
		next, err = s.save(ctx, s.notes, k, value, rev)
	case rev == 0:
		err = fmt.Errorf("%w: there is nothing to remove", bridge.ErrConflict) // NATS would remove whatever there is
	default:
		next, err = rev+1, s.removeNote(ctx, k, rev)
	}
	if errors.Is(err, bridge.ErrConflict) {
		err = fmt.Errorf("%w (%w)", addressing.ErrConflict, err)
	}
	if err != nil {
		return 0, fmt.Errorf("queue: what operators decide: %w", err)
	}
	return next, s.commit.Wait(ctx, era)
}

func (s *Store) removeNote(ctx context.Context, key string, rev uint64) error {
	if err := s.writable(); err != nil {
		return err
	}
	again, err := s.patiently(ctx, func(ctx context.Context) error { return s.notes.Delete(ctx, key, jetstream.LastRevision(rev)) })
	if conflicting(err) {
		if _, _, gone := s.load(ctx, s.notes, key); again && errors.Is(gone, bridge.ErrNotFound) {
			return nil // an earlier try, whose answer was lost
		}
		return fmt.Errorf("%w (%w)", bridge.ErrConflict, err)
	}
	return contractError(err)
}

// FollowNotes calls fn for each record and then returns, and goes on to call it with each that
// changes, one at a time, until the Store is closed. Around the loss of a connection it may call
// it again with what it had said. ctx bounds the first part only.
func (s *Store) FollowNotes(ctx context.Context, fn func(key string, value []byte, rev uint64) error) error {
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return ErrClosed
	}
	read := make(chan struct{})
	seenAll := sync.OnceFunc(func() { close(read) })
	s.runs.Go(func() {
		for attempt := 0; s.ctx.Err() == nil; attempt++ {
			began := time.Now()
			err := s.watchNotes(fn, seenAll)
			if time.Since(began) > s.cfg.RetryMax {
				attempt = 0
			}
			s.log.Debug().Err(err).Msg("queue: what operators decided is read anew")
			sleep(s.ctx, retryDelay(attempt, s.cfg.RetryMin, s.cfg.RetryMax))
		}
	})
	s.mu.Unlock()
	select {
	case <-read:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("queue: what operators decided: %w", ctx.Err())
	case <-s.ctx.Done():
		return ErrClosed
	}
}

// watchNotes calls fn until the connection or the watch breaks; seenAll once all that there was
// has been seen.
func (s *Store) watchNotes(fn func(key string, value []byte, rev uint64) error, seenAll func()) error {
	ctx, cancel := s.link.until(s.ctx)
	defer cancel()
	w, err := s.notes.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e, open := <-w.Updates():
			switch {
			case !open:
				return errors.New("the watch has ended")
			case e == nil:
				seenAll()
			default:
				s.sawNote(e, fn)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sawNote passes one record on; one that cannot be read hides no other.
func (s *Store) sawNote(e jetstream.KeyValueEntry, fn func(key string, value []byte, rev uint64) error) {
	key, ok := unescape(e.Key())
	if !ok {
		return // no key of ours
	}
	value := e.Value()
	if e.Operation() != jetstream.KeyValuePut {
		value = nil
	}
	if err := fn(key, value, e.Revision()); err != nil {
		s.log.Error().Err(err).Msg("queue: a record of what operators decided cannot be read")
	}
}
