package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

var _ bridge.Letters = (*Store)(nil)

// letterVersion is the form of a dead letter.
const letterVersion = 1

// PublishDead keeps d for the operator. It does not wait for the disk.
func (s *Store) PublishDead(ctx context.Context, d bridge.Dead) error {
	if err := fence(ctx); err != nil {
		return err
	}
	if _, err := s.put(ctx, deadSubject(d.Stage, d.ID), d); err != nil {
		return err
	}
	if c := s.counters[strings.ToUpper(d.Stage)]; c != nil {
		c.dead.Add(1)
	}
	return nil
}

// OnGivenUp has tell called for each message that becomes a dead letter because its handler
// panicked again and again, or because it cannot be decoded. Where tell fails the
// message is given up once more. It is called before the first Run.
func (s *Store) OnGivenUp(tell func(context.Context, bridge.Dead) error) { s.givenUp = tell }

// giveUp makes a dead letter of a message, and tells who is to know.
func (s *Store) giveUp(ctx context.Context, d bridge.Dead) error {
	if err := s.PublishDead(ctx, d); err != nil || s.givenUp == nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil { // a second defect must not keep the first in the queue
			s.log.Error().Interface("panic", p).Str("message_id", d.ID).Bytes("stack", debug.Stack()).Msg("queue: a panic over a message that is given up")
		}
	}()
	return s.givenUp(ctx, d)
}

// rawID is the id of a letter whose message has none that could be read.
func rawID(data []byte) string {
	sum := sha256.Sum256(data)
	return "raw-" + hex.EncodeToString(sum[:12])
}

// DeadLetters gives the last limit dead letters, the newest first, and how many there are.
// Its cost is that of reading all of them; its memory is bounded by limit.
func (s *Store) DeadLetters(ctx context.Context, limit int) (last []bridge.Dead, total int, err error) {
	// A letter that was stored twice, around a crash, counts once.
	cfg := jetstream.ConsumerConfig{FilterSubject: "dead.>", DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	ring := make([]bridge.Dead, 0, limit)
	err = s.scanStream(ctx, streamDead, cfg, func(m jetstream.Msg) bool {
		var d bridge.Dead
		if err := json.Unmarshal(m.Data(), &d); err != nil {
			s.log.Error().Err(err).Msg("queue: a dead letter cannot be read")
			return true
		}
		if len(ring) < limit {
			ring = append(ring, d)
		} else if limit > 0 {
			ring[total%limit] = d
		}
		total++
		return true
	})
	if err != nil {
		return nil, 0, fmt.Errorf("queue: the dead letters: %w", err)
	}
	for i := range ring {
		last = append(last, ring[(total-1-i)%limit])
	}
	return last, total, nil
}

// DeadLetter reads a letter by its id; [bridge.ErrNotFound] where there is none.
func (s *Store) DeadLetter(ctx context.Context, id string) (bridge.Dead, error) {
	if err := s.readable(); err != nil {
		return bridge.Dead{}, err
	}
	for _, stage := range []string{stageMT, stageMO, stageOUT} {
		raw, err := s.streams[streamDead].GetLastMsgForSubject(ctx, deadSubject(stage, id))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		var d bridge.Dead
		if err == nil {
			err = json.Unmarshal(raw.Data, &d)
		}
		if err != nil {
			return bridge.Dead{}, fmt.Errorf("queue: dead letter %s: %w", id, err)
		}
		return d, nil
	}
	return bridge.Dead{}, fmt.Errorf("queue: dead letter %s: %w", id, bridge.ErrNotFound)
}

// RequeueDead puts the message of d back into its queue, at the end. It returns once that
// is on disk.
func (s *Store) RequeueDead(ctx context.Context, d bridge.Dead) error {
	era := s.commit.Era()
	var err error
	switch {
	case d.MT != nil:
		return s.PublishMT(ctx, *d.MT)
	case d.MO != nil:
		return s.PublishMO(ctx, *d.MO)
	case d.OUT != nil:
		err = s.PublishOUT(ctx, *d.OUT)
	default:
		_, err = s.putRaw(ctx, d.Subject, d.Raw, withID(d.ID))
	}
	if err != nil {
		return fmt.Errorf("queue: dead letter %s: %w", d.ID, err)
	}
	return s.commit.Wait(ctx, era)
}

// RemoveDead removes a letter, if there is one, and keeps a for as long as dead letters. It
// returns once both are on disk; the record comes first.
func (s *Store) RemoveDead(ctx context.Context, id string, a bridge.Audit) error {
	era := s.commit.Era()
	if _, err := s.put(ctx, auditSubject, a); err != nil {
		return err
	}
	subject := deadSubject(a.Stage, id)
	if err := s.streams[streamDead].Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
		return fmt.Errorf("queue: remove dead letter %s: %w", id, err)
	}
	return s.commit.Wait(ctx, era)
}

// KeepAudit keeps what an operator is about to do, for as long as dead letters. It returns once
// that is on disk.
func (s *Store) KeepAudit(ctx context.Context, a bridge.Audit) error {
	era := s.commit.Era()
	if _, err := s.put(ctx, auditSubject, a); err != nil {
		return fmt.Errorf("queue: the record of what an operator does: %w", err)
	}
	return s.commit.Wait(ctx, era)
}

// Audits gives the last limit things that operators did, the oldest first.
func (s *Store) Audits(ctx context.Context, limit int) ([]bridge.Audit, error) {
	var all []bridge.Audit
	cfg := jetstream.ConsumerConfig{FilterSubject: auditSubject, DeliverPolicy: jetstream.DeliverAllPolicy}
	err := s.scanStream(ctx, streamAudit, cfg, func(m jetstream.Msg) bool {
		var a bridge.Audit
		if err := json.Unmarshal(m.Data(), &a); err != nil {
			s.log.Error().Err(err).Msg("queue: a record of what an operator did cannot be read")
			return true
		}
		if all = append(all, a); len(all) > 2*limit {
			all = append(all[:0], all[len(all)-limit:]...)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("queue: what operators did: %w", err)
	}
	return all[max(0, len(all)-limit):], nil
}
