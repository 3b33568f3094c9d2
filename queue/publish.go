package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// PublishMT stores m for [Store.RunMT]; see [bridge.Queue]. It blocks for the server, 5 s at
// most and for a cluster 15 s, or until ctx ends, and for the disk.
func (s *Store) PublishMT(ctx context.Context, m bridge.MT) error {
	if err := s.room(&m); err != nil {
		return err
	}
	era := s.commit.Era()
	if err := s.publish(ctx, stageMT, mtSubject(&m, s.lanes), m.Once(), m); err != nil {
		return err
	}
	return s.commit.Wait(ctx, era)
}

// PublishMO stores m for [Store.RunMO]; it blocks like PublishMT.
func (s *Store) PublishMO(ctx context.Context, m bridge.MO) error {
	era := s.commit.Era()
	if err := s.publish(ctx, stageMO, moSubject(&m, s.lanes), m.ID, m); err != nil {
		return err
	}
	return s.commit.Wait(ctx, era)
}

// PublishOUT stores m for [Store.RunOUT]. It does not wait for the disk.
func (s *Store) PublishOUT(ctx context.Context, m bridge.OUT) error {
	if m.Handle.IsZero() {
		return fmt.Errorf("queue: store in out: message %s is for nobody", m.ID) // no lane would ever take it
	}
	return s.publish(ctx, stageOUT, outSubject(&m, s.lanes), m.ID, m)
}

// AppendLog adds e to the log of its conversation. It does not wait for the disk.
func (s *Store) AppendLog(ctx context.Context, e bridge.Entry) error {
	var opts []header
	if e.Kind == bridge.EntryMT && s.server == nil {
		// The instance that accepts a message and the one that sends it may both write its
		// line; a second one after its statuses would look as if it began again.
		opts = append(opts, withID("mt "+e.ID))
	}
	_, err := s.put(ctx, logSubject(&e), e, opts...)
	return err
}

// publish puts a message into a work queue. New work is refused while there is room left
// to finish what is there: only MT and MO start anything.
func (s *Store) publish(ctx context.Context, stage, subject, id string, m any) error {
	if err := fence(ctx); err != nil {
		return err
	}
	if stage != stageOUT {
		if err := s.space.check(s.cfg.MinFree); err != nil {
			return err
		}
	}
	if stage == stageMT {
		if err := s.fill.check(ctx); err != nil {
			return err
		}
	}
	_, err := s.put(ctx, subject, m, withID(id))
	if full := errors.Is(err, bridge.ErrFull); stage == stageMT && full != s.brim.Load() {
		s.brim.Store(full)
	}
	if err != nil {
		return err
	}
	s.counters[stage].published.Add(1)
	return nil
}

// put stores v as JSON. Errors are those of the hub's contract: ErrFull, ErrConflict. What is
// stored with a condition is in SENT.
func (s *Store) put(ctx context.Context, subject string, v any, opts ...header) (uint64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("queue: encode for %s: %w", room(subject), err)
	}
	return s.putRaw(ctx, subject, data, opts...)
}

// putRaw is put for what is JSON already.
func (s *Store) putRaw(ctx context.Context, subject string, data []byte, opts ...header) (uint64, error) {
	if err := s.writable(); err != nil {
		return 0, err
	}
	m := nats.NewMsg(subject)
	m.Data = data
	for _, set := range opts {
		set(m.Header)
	}
	var seq uint64
	again, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		seq, err = s.publisher.publish(ctx, m)
		return err
	})
	if err == nil {
		return seq, nil
	}
	seq, err = s.mine(ctx, contractError(err), again, data, func(ctx context.Context) ([]byte, uint64, error) {
		raw, err := s.streams[streamSent].GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return nil, 0, err
		}
		return raw.Data, raw.Sequence, nil
	})
	if err != nil {
		return 0, fmt.Errorf("queue: store in %s: %w", room(subject), err)
	}
	return seq, nil
}

// readable says why nothing can be read: the store is closed, or the embedded server has let
// go of a disk that failed.
func (s *Store) readable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.server == nil {
		return nil
	}
	_, err := s.server.current()
	return err
}

// writable says why nothing may be written: the store is closed, its disk failed, or the
// disk is so full that a stream could freeze.
func (s *Store) writable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.server != nil {
		if err := s.server.writeErr(); err != nil {
			return err
		}
	}
	if err := s.commit.Err(); err != nil {
		return err
	}
	return s.space.check(s.cfg.MinFree / 4)
}

// room is the first token of a subject: the rest may tell a phone number.
func room(subject string) string {
	first, _, _ := strings.Cut(subject, ".")
	return first
}

// Error codes of the server that the client gives no name.
const (
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStorageExceeded       jetstream.ErrorCode = 10047
	codeStoreFailed           jetstream.ErrorCode = 10077
)

// contractError wraps what the hub distinguishes.
func contractError(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return err
	}
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return fmt.Errorf("%w (%w)", bridge.ErrConflict, err)
	case codeInsufficientResources, codeStorageExceeded:
		return fmt.Errorf("%w (%w)", bridge.ErrFull, err)
	case codeStoreFailed:
		// One code for whatever the store says; full is "maximum messages (or bytes) exceeded".
		if strings.Contains(api.Description, "maximum") && strings.Contains(api.Description, "exceeded") {
			return fmt.Errorf("%w (%w)", bridge.ErrFull, err)
		}
	}
	return err
}
