package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file takes out of the store what is kept of a person. What is taken out of a stream is overwritten
// in its place ([jetstream.Stream.SecureDeleteMsg]), so that its octets do not wait for the server to
// write their block anew; of buckets the server lets nothing be overwritten. Each method can be called again where it broke off. All read the whole of their stream, some 100,000 messages a second.

// Erasure is how something is erased.
type Erasure struct {
	Dry bool // it is only counted
	// Overwrite is until when messages are overwritten. The server writes the whole block for each, some 20 ms
	// for one of 8 MB, and others wait meanwhile; what is left then is only removed.
	Overwrite time.Time
	Removed   int // messages that were removed and not overwritten
}

// EraseQueued takes messages that fit out of a stage: mt, mo or out. One that a handler has is left
// to it, and leaves the queue all the same.
func (s *Store) EraseQueued(ctx context.Context, stage string, fits func(Queued) bool, how *Erasure) (n int, err error) {
	stage = strings.ToUpper(stage)
	var found []uint64
	err = s.rangeQueued(ctx, stage, func(q rawQueued) bool {
		if one, err := q.decode(); err == nil && fits(one) {
			found = append(found, q.sequence)
		}
		return true
	})
	if err != nil || how.Dry {
		return len(found), err
	}
	return s.eraseFromQueue(ctx, stage, found, how)
}

// ending are messages to phones that are overwritten as they leave the queue.
type ending struct {
	mu  sync.Mutex
	n   map[uint64]int // by sequence, who wants it
	any atomic.Bool
}

func (e *ending) add(sequence uint64, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n == nil {
		e.n = make(map[uint64]int)
	}
	if e.n[sequence] += n; e.n[sequence] == 0 {
		delete(e.n, sequence)
	}
	e.any.Store(len(e.n) > 0)
}

func (e *ending) has(sequence uint64) bool {
	if !e.any.Load() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n[sequence] > 0
}

// EraseMTEnding has a message that a handler of this process has overwritten as it leaves the queue,
// until the function that it returns is called.
func (s *Store) EraseMTEnding(sequence uint64) (end func()) {
	s.ending.add(sequence, 1)
	return func() { s.ending.add(sequence, -1) }
}

// overwrite is for a message that is done, before it is acknowledged: what that takes out of the
// queue stays on the disk.
func (l *lane[M]) overwrite(sequence uint64) {
	if l.stage.name != stageMT || !l.s.ending.has(sequence) {
		return
	}
	stream := l.s.streams[stageMT]
	if _, err := l.s.eraseOne(context.Background(), stream, sequence, stream.SecureDeleteMsg); err != nil {
		l.log.Warn().Err(err).Msg("queue: a message that is to be erased leaves octets on the disk")
	}
}

// EraseMT is [Store.RemoveMT] that leaves nothing of the messages on the disk.
func (s *Store) EraseMT(ctx context.Context, sequences []uint64, how *Erasure) error {
	_, err := s.eraseFromQueue(ctx, stageMT, sequences, how)
	return err
}

func (s *Store) eraseFromQueue(ctx context.Context, stage string, sequences []uint64, how *Erasure) (n int, err error) {
	if n, err = s.eraseAll(ctx, s.streams[stage], sequences, how); err != nil {
		return n, err
	}
	gone := make(map[uint64]bool, len(sequences))
	for _, sequence := range sequences {
		gone[sequence] = true
	}
	s.atWork.each(func(l laneAtWork) { l.drop(stage, gone) })
	return n, nil
}

// EraseSaid takes out of the log what fits of the conversations of handles, or of a phone.
func (s *Store) EraseSaid(ctx context.Context, handles []addressing.Handle, phone addressing.MSISDN, fits func(bridge.Entry) bool, how *Erasure) (int, error) {
	return eraseFrom(ctx, s, streamLog, saidSubjects(handles, phone), fits, how)
}

// EraseDead takes dead letters that fit out. What could not be read of them is in their Raw.
func (s *Store) EraseDead(ctx context.Context, fits func(bridge.Dead) bool, how *Erasure) (int, error) {
	return eraseFrom(ctx, s, streamDead, []string{"dead.>"}, fits, how)
}

// EraseAudits takes out records of what operators did.
func (s *Store) EraseAudits(ctx context.Context, fits func(bridge.Audit) bool, how *Erasure) (int, error) {
	return eraseFrom(ctx, s, streamAudit, []string{auditSubject}, fits, how)
}

// EraseCalls takes out call-detail records that are in no file; none where none are kept.
func (s *Store) EraseCalls(ctx context.Context, fits func(bridge.Call) bool, how *Erasure) (int, error) {
	if s.cfg.CallsMaxBytes == 0 {
		return 0, nil
	}
	return eraseFrom(ctx, s, streamCalls, []string{"calls.>"}, fits, how)
}

// EraseStories takes stories that fit out of the journal, which must be at rest since long enough that
// their messages come back from no crash, and after that the SMSC's ids of those that fitsRef.
func (s *Store) EraseStories(ctx context.Context, fits func(bridge.Story) bool, fitsRef func(bridge.SegmentRef) bool, how *Erasure) (n int, err error) {
	var ids []string
	n, err = eraseFrom(ctx, s, streamSent, []string{storySubjects}, func(st bridge.Story) bool {
		if !fits(st) {
			return false
		}
		ids = append(ids, st.ID)
		return true
	}, how)
	if err != nil || how.Dry {
		return n, err
	}
	for _, id := range ids {
		s.stories.forget(id)
	}
	_, err = eraseMessages(ctx, s, streamSent, []string{"sent.id.>"}, func(subject string, ref bridge.SegmentRef) bool {
		fits := fitsRef(ref)
		if fits {
			s.refs.forget(subject)
		}
		return fits
	}, how)
	return n, err
}

// eraseFrom takes the records of a stream at subjects that fit out. A record that cannot be read
// is left out: scans have said so in the log.
func eraseFrom[T any](ctx context.Context, s *Store, stream string, subjects []string, fits func(T) bool, how *Erasure) (int, error) {
	return eraseMessages(ctx, s, stream, subjects, func(_ string, one T) bool { return fits(one) }, how)
}

// eraseMessages is eraseFrom that tells fits the subject as well.
func eraseMessages[T any](ctx context.Context, s *Store, stream string, subjects []string, fits func(subject string, one T) bool, how *Erasure) (int, error) {
	if len(subjects) == 0 {
		return 0, nil
	}
	var found []uint64
	cfg := jetstream.ConsumerConfig{FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverAllPolicy}
	err := s.scanStream(ctx, stream, cfg, func(m jetstream.Msg) bool {
		var one T
		meta, err := m.Metadata()
		if err == nil && json.Unmarshal(m.Data(), &one) == nil && fits(m.Subject(), one) {
			found = append(found, meta.Sequence.Stream)
		}
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("queue: erase from %s: %w", stream, err)
	}
	if how.Dry {
		return len(found), nil
	}
	return s.eraseAll(ctx, s.streams[stream], found, how)
}

// eraseAll erases messages, and returns once that is on disk. n are those that there were.
func (s *Store) eraseAll(ctx context.Context, stream jetstream.Stream, sequences []uint64, how *Erasure) (n int, err error) {
	era := s.commit.Era()
	for _, sequence := range sequences {
		erase := stream.SecureDeleteMsg
		if !time.Now().Before(how.Overwrite) {
			erase = stream.DeleteMsg
			how.Removed++
		}
		gone, err := s.eraseOne(ctx, stream, sequence, erase)
		if err != nil {
			return n, err
		}
		if !gone {
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, s.commit.Wait(ctx, era)
}

// eraseOne erases a message; gone tells that there was none any more.
func (s *Store) eraseOne(ctx context.Context, stream jetstream.Stream, sequence uint64, erase func(context.Context, uint64) error) (gone bool, err error) {
	if err := s.writable(); err != nil {
		return false, err
	}
	_, err = s.patiently(ctx, func(ctx context.Context) error { return erase(ctx, sequence) })
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("queue: erase from %s: %w", stream.CachedInfo().Config.Name, err)
	}
	return false, nil
}

// EraseRecord takes the record of a phone of that revision out of the store; the error wraps
// [addressing.ErrConflict] where there is a newer one. It returns once that is on disk.
func (s *Store) EraseRecord(ctx context.Context, phone addressing.MSISDN, rev uint64) error {
	s.records.forget(phoneKey(phone))
	err := s.eraseKey(ctx, s.phones, recordKey(phone), rev)
	if errors.Is(err, bridge.ErrConflict) {
		err = fmt.Errorf("%w (%w)", addressing.ErrConflict, err)
	}
	if err != nil {
		return fmt.Errorf("queue: record of %s: %w", phone.Masked(), err)
	}
	return nil
}

// eraseKey takes the record of a bucket of that revision out, and leaves no mark that says which
// key it had. The error wraps [bridge.ErrConflict] where there is a newer one. Of a bucket the server overwrites nothing:
// the octets are gone once it writes their block anew.
func (s *Store) eraseKey(ctx context.Context, kv jetstream.KeyValue, key string, rev uint64) error {
	if err := s.writable(); err != nil {
		return err
	}
	era := s.commit.Era()
	stream, err := s.js.Stream(ctx, "KV_"+kv.Bucket())
	if err != nil {
		return err
	}
	_, err = s.patiently(ctx, func(ctx context.Context) error {
		return stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+kv.Bucket()+"."+key), jetstream.WithPurgeSequence(rev+1))
	})
	if err != nil {
		return contractError(err)
	}
	_, _, err = s.load(ctx, kv, key)
	switch {
	case errors.Is(err, bridge.ErrNotFound):
		return s.commit.Wait(ctx, era)
	case err == nil:
		err = bridge.ErrConflict
	}
	return err
}

// EraseNote takes a record of what operators decided out of the store. Who follows them does not
// hear of it.
func (s *Store) EraseNote(ctx context.Context, key string) error {
	k, err := partKey(key)
	if err != nil {
		return err
	}
	_, rev, err := s.load(ctx, s.notes, k)
	if errors.Is(err, bridge.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = s.eraseKey(ctx, s.notes, k, rev)
	}
	if err != nil {
		return fmt.Errorf("queue: what operators decided: %w", err)
	}
	return nil
}

// EraseBegun takes a handle's list of conversations that it began out of the store; it tells
// whether there was one.
func (s *Store) EraseBegun(ctx context.Context, h addressing.Handle, how *Erasure) (bool, error) {
	_, rev, err := s.LoadBegun(ctx, h)
	if err != nil || rev == 0 || how.Dry {
		return rev > 0, err
	}
	if err := s.eraseKey(ctx, s.begun, token(h.String()), rev); err != nil && !errors.Is(err, bridge.ErrConflict) {
		return false, fmt.Errorf("queue: conversations begun: %w", err)
	}
	return true, nil
}

// ErasePhoneBegun takes a phone out of the lists of all handles.
func (s *Store) ErasePhoneBegun(ctx context.Context, phone addressing.MSISDN, how *Erasure) (n int, err error) {
	var found []addressing.Handle
	err = s.each(ctx, s.begun, func(e jetstream.KeyValueEntry) bool {
		var b bridge.Begun
		name, known := unescape(e.Key())
		h, err := addressing.ParseHandle(name)
		if known && err == nil && json.Unmarshal(e.Value(), &b) == nil && b.With(phone) {
			found = append(found, h)
		}
		return true
	})
	if err != nil || how.Dry {
		return len(found), err
	}
	for _, h := range found {
		if err := s.eraseFromBegun(ctx, h, phone); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *Store) eraseFromBegun(ctx context.Context, h addressing.Handle, phone addressing.MSISDN) error {
	for {
		b, rev, err := s.LoadBegun(ctx, h)
		if err != nil || !b.With(phone) {
			return err
		}
		if err = s.SaveBegun(ctx, h, b.Without(phone), rev); !errors.Is(err, bridge.ErrConflict) {
			return err
		}
	}
}

// EraseParts takes out small records of the hub that fit. What is written to one of them meanwhile
// stays for another try.
func (s *Store) EraseParts(ctx context.Context, fits func(key string, value []byte) bool, how *Erasure) (n int, err error) {
	found := make(map[string]uint64)
	err = s.RangeParts(ctx, func(key string, value []byte, rev uint64) bool {
		if fits(key, value) {
			found[key] = rev
		}
		return true
	})
	if err != nil || how.Dry {
		return len(found), err
	}
	for key, rev := range found {
		if err := s.eraseKey(ctx, s.parts, escape(key), rev); err != nil && !errors.Is(err, bridge.ErrConflict) {
			return n, fmt.Errorf("queue: part: %w", err)
		}
		n++
	}
	return n, nil
}
