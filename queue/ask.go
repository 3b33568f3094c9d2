package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"smsbridge/bridge"
)

// This file is what one instance asks another: how a connection to an SMSC ended, and
// whether the SMSC may have sent a message again.

// askWithin is how long an answer may take: the other instance may have to ask the SMSC.
const askWithin = 15 * time.Second

// What another instance is asked; a subject for each, and each process.
const (
	askFell    = "fell"
	askDoubted = "doubted"
)

func askSubject(what, process string) string { return "smsbridge." + what + "." + process }

// Process names this process among all at the server, for [Store.Fell]; it has no dot in it.
func (s *Store) Process() string { return s.id }

// AnswerFor answers what other instances ask by [Store.Fell] and [Store.Doubted] until the Store is closed. It
// blocks until the server knows of it, for 10 s at most.
// What it is given may take a while, and is called concurrently. There is nobody to answer
// where the server is the embedded one.
func (s *Store) AnswerFor(connections bridge.Sessions) error {
	if s.keeper == nil {
		return nil
	}
	err := errors.Join(
		s.serve(askFell, func(ctx context.Context, data []byte) bool { return connections.Fell(ctx, string(data)) }),
		s.serve(askDoubted, func(ctx context.Context, data []byte) bool {
			var q bridge.Doubt
			return json.Unmarshal(data, &q) == nil && connections.Doubted(ctx, "", q)
		}),
	)
	if err == nil {
		err = s.nc.Flush() // the server knows of it
	}
	if err != nil {
		return fmt.Errorf("queue: serve the other instances: %w", err)
	}
	return nil
}

// serve answers one kind of question.
func (s *Store) serve(what string, holds func(ctx context.Context, data []byte) bool) error {
	_, err := s.nc.Subscribe(askSubject(what, s.id), func(m *nats.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed.Load() {
			return
		}
		s.runs.Go(func() {
			ctx, cancel := context.WithTimeout(s.ctx, askWithin)
			defer cancel()
			answer := "no"
			if holds(ctx, m.Data) {
				answer = "yes"
			}
			_ = m.Respond([]byte(answer)) // who asked finds out in time that none came
		})
	})
	return err
}

// Fell tells whether a connection of the process ended other than in good order. It asks
// that process; one that does not answer has left in good order, and all its
// connections with it, or died with them.
func (s *Store) Fell(ctx context.Context, process, connection string) bool {
	if !s.asks(process) || s.keeper.left(process) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := s.nc.RequestWithContext(ctx, askSubject(askFell, process), []byte(connection))
	if err == nil {
		return string(answer.Data) == "yes"
	}
	// It may have left just now, and that is on its way to us.
	sleep(ctx, s.keeper.ttl/ticksPerLease)
	return !s.keeper.left(process)
}

// Doubted asks a process what [bridge.Sessions] says; false where it does not answer.
func (s *Store) Doubted(ctx context.Context, process string, q bridge.Doubt) bool {
	if !s.asks(process) {
		return false
	}
	data, err := json.Marshal(q)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := s.nc.RequestWithContext(ctx, askSubject(askDoubted, process), data)
	return err == nil && string(answer.Data) == "yes"
}

// asks tells whether process may be one that answers.
func (s *Store) asks(process string) bool {
	return s.keeper != nil && process != "" && !strings.ContainsAny(process, " .*>\r\n\t")
}

// left tells whether a process has left in good order.
func (k *keeper) left(process string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, other := range k.instances {
		if other.Process == process && other.Gone == goneLeft {
			return true
		}
	}
	return false
}
