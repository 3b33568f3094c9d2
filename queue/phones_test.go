package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/queue"
)

// indexed is a record that says n.
func indexed(n int) addressing.Record {
	return addressing.Record{V: 2, Entries: []addressing.Entry{{Number: addressing.MustParseNumber("+33700000001"), Handle: ann, Index: n}}}
}

// TestRecordsChangedAtOnce: of those who change a record together none is forgotten, and
// nobody who reads it meanwhile goes back in time.
func TestRecordsChangedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name     string
		remember int
	}{{"remembered", 0}, {"few remembered", 1}, {"none remembered", -1}} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir(), func(c *queue.Config) { c.RememberedPhones, c.Durability = tt.remember, queue.Process })
			const writers, each = 4, 15
			var writing, reading sync.WaitGroup
			ctx, done := context.WithCancel(t.Context())
			for range 2 {
				reading.Go(func() {
					for last := uint64(0); ctx.Err() == nil; {
						_, rev, err := s.LoadRecord(t.Context(), phone(1))
						if err != nil || rev < last {
							t.Errorf("revision %d after %d, %v", rev, last, err)
							return
						}
						last = rev
						_, _, _ = s.LoadRecord(t.Context(), phone(2+rand.IntN(5)))
					}
				})
			}
			for range writers {
				writing.Go(func() {
					for changed := 0; changed < each; {
						r, rev, err := s.LoadRecord(t.Context(), phone(1))
						n := 0
						if len(r.Entries) > 0 {
							n = r.Entries[0].Index
						}
						if err == nil {
							err = s.SaveRecord(t.Context(), phone(1), indexed(n+1), rev)
						}
						switch {
						case err == nil:
							changed++
							err = s.SaveRecord(t.Context(), phone(2+rand.IntN(5)), indexed(1), 0)
						case !errors.Is(err, addressing.ErrConflict):
							t.Error(err)
							return
						}
						_ = err // of the other phone: it may be there already
					}
				})
			}
			writing.Wait()
			done()
			reading.Wait()
			if r, _, err := s.LoadRecord(t.Context(), phone(1)); err != nil || r.Entries[0].Index != writers*each {
				t.Errorf("%+v, %v; want %d changes", r, err, writers*each)
			}
		})
	}
}

// TestRecordOfUnknownFate: a write whose caller did not wait for its answer may be stored or
// not; who reads the record gets what is stored.
func TestRecordOfUnknownFate(t *testing.T) {
	s := open(t, t.TempDir(), listen, func(c *queue.Config) { c.Durability = queue.Process })
	_, js := client(t, s)
	kv, err := js.KeyValue(t.Context(), "phones")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 200; n++ {
		_, rev, err := s.LoadRecord(t.Context(), phone(1))
		if err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(60))*time.Microsecond)
		var reading sync.WaitGroup
		reading.Go(func() { _, _, _ = s.LoadRecord(t.Context(), phone(1)) })
		_ = s.SaveRecord(soon, phone(1), indexed(n), rev)
		cancel()
		reading.Wait()
		_, _, _ = s.LoadRecord(t.Context(), phone(1)) // which may come before that write
		_, other, err := s.LoadRecord(t.Context(), phone(2))
		if err == nil {
			err = s.SaveRecord(t.Context(), phone(2), indexed(n), other) // is stored after that write
		}
		if err != nil {
			t.Fatal(err)
		}
		got, gotRev, err := s.LoadRecord(t.Context(), phone(1))
		var want addressing.Record
		wantRev := uint64(0)
		if e, getErr := kv.Get(t.Context(), phone(1).Digits()); getErr == nil {
			wantRev, err = e.Revision(), errors.Join(err, json.Unmarshal(e.Value(), &want))
		}
		if err != nil || gotRev != wantRev || gotRev > 0 && got.Entries[0].Index != want.Entries[0].Index {
			t.Fatalf("write %d: read %+v at %d, %v; stored is %+v at %d", n, got, gotRev, err, want, wantRev)
		}
	}
}

// TestRecordChangedBehindOurBack: an operator's tool changes a record; the next change here
// fails once and then sees it.
func TestRecordChangedBehindOurBack(t *testing.T) {
	s := open(t, t.TempDir(), listen)
	_, js := client(t, s)
	kv, err := js.KeyValue(t.Context(), "phones")
	if err == nil {
		err = s.SaveRecord(t.Context(), phone(1), indexed(1), 0)
	}
	_, rev, loadErr := s.LoadRecord(t.Context(), phone(1))
	data, marshalErr := json.Marshal(indexed(2))
	if err := errors.Join(err, loadErr, marshalErr); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), phone(1).Digits(), data); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.SaveRecord(t.Context(), phone(1), indexed(3), rev), addressing.ErrConflict)
	r, rev, err := s.LoadRecord(t.Context(), phone(1))
	if err != nil || r.Entries[0].Index != 2 {
		t.Fatalf("%+v, %v; want what the tool wrote", r, err)
	}
	wantError(t, s.SaveRecord(t.Context(), phone(1), indexed(3), rev), nil)
}
