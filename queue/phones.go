package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file is the records of phones, for the addressing Book.
//
// What a record says decides without any further look who gets a reply, so it must not be a
// moment old: the phone would answer somebody who has just written to it, and another would
// read that. With the embedded server this process alone writes, and so it may remember what it
// wrote and read. At an external one another instance may have written meanwhile, and nothing
// is remembered; [Store.load] asks the leader.

// LoadRecord gives the record of phone and its revision; the zero Record and revision 0
// where there is none.
func (s *Store) LoadRecord(ctx context.Context, phone addressing.MSISDN) (addressing.Record, uint64, error) {
	if err := s.readable(); err != nil {
		return addressing.Record{}, 0, fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	era, key := s.commit.Era(), phoneKey(phone)
	if packed, rev, known := s.records.get(key, era); known {
		return addressing.Unpack(packed), rev, nil
	}
	began := s.records.begin(era)
	var r addressing.Record
	data, rev, err := s.load(ctx, s.phones, recordKey(phone))
	if errors.Is(err, bridge.ErrNotFound) {
		return r, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return addressing.Record{}, 0, fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	if s.server != nil {
		s.records.put(key, r.Packed(), rev, began)
	}
	return r, rev, nil
}

// phoneKey is the number of a phone as a number: it has at most 15 digits, and no country
// code begins with a zero.
func phoneKey(phone addressing.MSISDN) uint64 {
	key, _ := strconv.ParseUint(phone.Digits(), 10, 64) // a MSISDN has digits only
	if _, _, short := phone.ShortNumber(); short {
		key |= 1 << 63
	}
	return key
}

// recordKey names the record of a phone: 33612345678, or 33-114 for a short number.
func recordKey(phone addressing.MSISDN) string {
	if digits, country, short := phone.ShortNumber(); short {
		return country + "-" + digits
	}
	return phone.Digits()
}

// phoneOf reads what recordKey wrote.
func phoneOf(key string) (phone addressing.MSISDN, err error) {
	text := "+" + key
	if country, digits, short := strings.Cut(key, "-"); short {
		text = digits + ";phone-context=+" + country
	}
	return phone, phone.UnmarshalText([]byte(text))
}

// SaveRecord stores r if the revision is still rev; otherwise the error wraps
// [addressing.ErrConflict]. It returns once r is on disk.
func (s *Store) SaveRecord(ctx context.Context, phone addressing.MSISDN, r addressing.Record, rev uint64) error {
	era, next := s.commit.Era(), uint64(0)
	began := s.records.begin(era)
	data, err := json.Marshal(r)
	if err == nil {
		next, err = s.save(ctx, s.phones, recordKey(phone), data, rev)
	}
	if err != nil {
		s.records.doubt(phoneKey(phone), rev)
		if errors.Is(err, bridge.ErrConflict) {
			err = fmt.Errorf("%w (%w)", addressing.ErrConflict, err)
		}
		return fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	if s.server != nil {
		s.records.put(phoneKey(phone), r.Packed(), next, began)
	}
	return s.commit.Wait(ctx, era)
}

// RangeRecords calls fn for every record, in no order, until fn returns false. It reads
// the whole bucket, some 100,000 records a second: for an operator's question.
func (s *Store) RangeRecords(ctx context.Context, fn func(addressing.MSISDN, addressing.Record) bool) error {
	err := s.each(ctx, s.phones, func(e jetstream.KeyValueEntry) bool {
		var r addressing.Record
		phone, err := phoneOf(e.Key())
		if err := errors.Join(err, json.Unmarshal(e.Value(), &r)); err != nil {
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
