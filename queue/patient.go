package queue

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// A cluster that lost a node takes some seconds to choose new leaders (4 to 7 were
// measured). Meanwhile a request is answered by nobody, or its answer is lost although what
// it stored is there. So a request to a cluster is repeated until the answer is known,
// where a repeat does no harm.
const (
	// tryFor is how long one request waits for its answer.
	tryFor = 2 * time.Second
	// tryWithin bounds all of them, where the caller's context does not end before.
	tryWithin = 15 * time.Second
	tryPause  = 100 * time.Millisecond
)

// patiently calls try until it gives an answer, or an error that says what is wrong. It
// tells whether an earlier try may have been stored.
func (s *Store) patiently(ctx context.Context, try func(context.Context) error) (again bool, err error) {
	if s.server != nil {
		return false, try(ctx) // its answers are not lost
	}
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	for {
		one, done := context.WithTimeout(ctx, tryFor)
		err := try(one)
		done()
		if err == nil || !unanswered(err) || s.closed.Load() || !sleep(ctx, tryPause) {
			return again, err
		}
		again = true
	}
}

// codeInProcess: another copy of the same message is being stored.
const codeInProcess jetstream.ErrorCode = 10158

// unanswered tells errors after which nobody knows what became of a request.
func unanswered(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeInProcess {
		return true
	}
	return passing(err) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrDisconnected)
}

// mine resolves a conflict after a try without an answer: where the record is what was to be
// stored, that try stored it.
func (s *Store) mine(ctx context.Context, conflict error, again bool, data []byte, read func(context.Context) ([]byte, uint64, error)) (uint64, error) {
	if !again || !errors.Is(conflict, bridge.ErrConflict) {
		return 0, conflict
	}
	var stored []byte
	var rev uint64
	_, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		stored, rev, err = read(ctx)
		return err
	})
	if err == nil && bytes.Equal(stored, data) {
		return rev, nil
	}
	return 0, conflict
}
