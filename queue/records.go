package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file is the records in buckets: phones for the addressing Book, parts and marks
// for the hub.

// LoadRecord gives the record of phone and its revision; the zero Record and revision 0
// where there is none.
func (s *Store) LoadRecord(ctx context.Context, phone addressing.MSISDN) (addressing.Record, uint64, error) {
	var r addressing.Record
	data, rev, err := s.load(ctx, s.phones, phone.Digits())
	if errors.Is(err, bridge.ErrNotFound) {
		return r, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return addressing.Record{}, 0, fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	return r, rev, nil
}

// SaveRecord stores r if the revision is still rev; otherwise the error wraps
// [addressing.ErrConflict]. It returns once r is on disk.
func (s *Store) SaveRecord(ctx context.Context, phone addressing.MSISDN, r addressing.Record, rev uint64) error {
	era := s.commit.Era()
	data, err := json.Marshal(r)
	if err == nil {
		_, err = s.save(ctx, s.phones, phone.Digits(), data, rev)
	}
	if errors.Is(err, bridge.ErrConflict) {
		err = fmt.Errorf("%w (%w)", addressing.ErrConflict, err)
	}
	if err != nil {
		return fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	return s.commit.Wait(ctx, era)
}

// RangeRecords calls fn for every record, in no order, until fn returns false. It reads
// the whole bucket, some 100,000 records a second: for an operator's question.
func (s *Store) RangeRecords(ctx context.Context, fn func(addressing.MSISDN, addressing.Record) bool) error {
	err := s.each(ctx, s.phones, func(e jetstream.KeyValueEntry) bool {
		var phone addressing.MSISDN
		var r addressing.Record
		if err := errors.Join(phone.UnmarshalText([]byte("+"+e.Key())), json.Unmarshal(e.Value(), &r)); err != nil {
			// One record that cannot be read hides no other.
			s.log.Error().Err(err).Msg("queue: a record of a phone cannot be read")
			return true
		}
		return fn(phone, r)
	})
	if err != nil {
		return fmt.Errorf("queue: read the records of all phones: %w", err)
	}
	return nil
}

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

func (s *Store) load(ctx context.Context, kv jetstream.KeyValue, key string) ([]byte, uint64, error) {
	if err := s.readable(); err != nil {
		return nil, 0, err
	}
	var e jetstream.KeyValueEntry
	_, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		e, err = kv.Get(ctx, key)
		return err
	})
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
