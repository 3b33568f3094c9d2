package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// This file is the records in buckets: parts and marks for the hub; phones.go has those of
// phones.

// maxPartKey is the longest key of a part as the bucket has it: RangeParts must be able to
// read it back, so that it cannot become a digest.
const maxPartKey = 3000

func partKey(key string) (string, error) {
	t := escape(key)
	if len(t) > maxPartKey {
		return "", fmt.Errorf("queue: part: a key of %d bytes is too long", len(key))
	}
	return t, nil
}

// LoadPart reads a record; [bridge.ErrNotFound] where there is none. A key is any text of up
// to about 1000 bytes.
func (s *Store) LoadPart(ctx context.Context, key string) (value []byte, rev uint64, err error) {
	k, err := partKey(key)
	if err != nil {
		return nil, 0, err
	}
	value, rev, err = s.load(ctx, s.parts, k)
	if err != nil {
		return nil, 0, fmt.Errorf("queue: part: %w", err)
	}
	return value, rev, nil
}

// SavePart stores a record if its revision is still rev (0: there is none), and returns the
// new revision; otherwise the error wraps [bridge.ErrConflict]. All that was stored before is
// on disk before it; it does not wait for the record itself.
func (s *Store) SavePart(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	k, err := partKey(key)
	if err != nil {
		return 0, err
	}
	if err := s.commit.settled(ctx); err != nil {
		return 0, err
	}
	next, err := s.save(ctx, s.parts, k, value, rev)
	if err != nil {
		return 0, fmt.Errorf("queue: part: %w", err)
	}
	return next, nil
}

// DeletePart removes a record if its revision is still rev; otherwise the error wraps
// [bridge.ErrConflict]. All that was stored before is on disk before that; it does not wait
// for the removal itself.
func (s *Store) DeletePart(ctx context.Context, key string, rev uint64) error {
	k, err := partKey(key)
	if err == nil {
		err = s.writable()
	}
	if err == nil {
		err = s.commit.settled(ctx)
	}
	if err != nil {
		return err
	}
	_, err = s.patiently(ctx, func(ctx context.Context) error { return s.parts.Delete(ctx, k, jetstream.LastRevision(rev)) })
	if conflicting(err) {
		return fmt.Errorf("queue: part: %w (%w)", bridge.ErrConflict, err)
	}
	if err != nil {
		return fmt.Errorf("queue: part: %w", contractError(err))
	}
	return nil
}

// RangeParts calls fn for each record, in no order, until fn returns false.
func (s *Store) RangeParts(ctx context.Context, fn func(key string, value []byte, rev uint64) bool) error {
	err := s.each(ctx, s.parts, func(e jetstream.KeyValueEntry) bool {
		key, ok := unescape(e.Key())
		return !ok || fn(key, e.Value(), e.Revision()) // not ok: no key of ours
	})
	if err != nil {
		return fmt.Errorf("queue: read all parts: %w", err)
	}
	return nil
}

// Mark reads a mark; [bridge.ErrNotFound] where there is none. A key is any text.
func (s *Store) Mark(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.load(ctx, s.marks, token(key))
	if err != nil {
		return nil, fmt.Errorf("queue: mark: %w", err)
	}
	return value, nil
}

// SetMark stores a mark over what there is. All that was stored before is on disk before
// it; it does not wait for the mark itself.
func (s *Store) SetMark(ctx context.Context, key string, value []byte) error {
	if err := cmp.Or(fence(ctx), s.writable()); err != nil {
		return err
	}
	if err := s.commit.settled(ctx); err != nil {
		return err
	}
	_, err := s.patiently(ctx, func(ctx context.Context) error {
		_, err := s.marks.Put(ctx, token(key), value)
		return err
	})
	if err != nil {
		return fmt.Errorf("queue: mark: %w", contractError(err))
	}
	return nil
}

// load reads a record of a bucket; [bridge.ErrNotFound] where there is none. It sees every write
// that had returned when it was called, whichever instance made it.
func (s *Store) load(ctx context.Context, kv jetstream.KeyValue, key string) ([]byte, uint64, error) {
	if err := s.readable(); err != nil {
		return nil, 0, err
	}
	if s.server == nil {
		return s.loadFromLeader(ctx, kv.Bucket(), key)
	}
	e, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) { // deleted ones included
		return nil, 0, bridge.ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	return e.Value(), e.Revision(), nil
}

func (s *Store) save(ctx context.Context, kv jetstream.KeyValue, key string, value []byte, rev uint64) (next uint64, err error) {
	if err := s.writable(); err != nil {
		return 0, err
	}
	again, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		if rev == 0 {
			next, err = kv.Create(ctx, key, value) // also over one that was deleted
		} else {
			next, err = kv.Update(ctx, key, value, rev)
		}
		return err
	})
	if err == nil {
		return next, nil
	}
	if conflicting(err) {
		err = fmt.Errorf("%w (%w)", bridge.ErrConflict, err)
	}
	return s.mine(ctx, contractError(err), again, value, func(ctx context.Context) ([]byte, uint64, error) {
		return s.load(ctx, kv, key)
	})
}

// each calls fn for every record of a bucket until it returns false.
func (s *Store) each(ctx context.Context, kv jetstream.KeyValue, fn func(jetstream.KeyValueEntry) bool) error {
	if err := s.readable(); err != nil {
		return err
	}
	watch, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer func() { _ = watch.Stop() }()
	for {
		select {
		case e, open := <-watch.Updates():
			switch {
			case !open:
				return errors.New("the bucket stopped answering")
			case e == nil: // all that there was
				return nil
			case !fn(e):
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
