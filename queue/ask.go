package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// This file is what one instance asks another: how a connection to an SMSC ended.

// askWithin is how long an answer may take: the other instance may have to ask the SMSC.
const askWithin = 15 * time.Second

func fellSubject(process string) string { return "smsbridge.fell." + process }

// Process names this process among all at the server, for [Store.Fell]; it has no dot in it.
func (s *Store) Process() string { return s.id }

// AnswerFell answers what other instances ask by [Store.Fell] until the Store is closed. It
// blocks until the server knows of it, for 10 s at most.
// fell gets the name of a connection of this process, and may take a while; it is called
// concurrently. There is nobody to answer where the server is the embedded one.
func (s *Store) AnswerFell(fell func(ctx context.Context, connection string) bool) error {
	if s.keeper == nil {
		return nil
	}
	_, err := s.nc.Subscribe(fellSubject(s.id), func(m *nats.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed.Load() {
			return
		}
		s.runs.Go(func() {
			ctx, cancel := context.WithTimeout(s.ctx, askWithin)
			defer cancel()
			answer := "no"
			if fell(ctx, string(m.Data)) {
				answer = "yes"
			}
			_ = m.Respond([]byte(answer)) // who asked finds out in time that none came
		})
	})
	if err == nil {
		err = s.nc.Flush() // the server knows of it
	}
	if err != nil {
		return fmt.Errorf("queue: serve the other instances: %w", err)
	}
	return nil
}

// Fell tells whether a connection of the process ended other than in good order. It asks
// that process; one that does not answer has left in good order, and all its
// connections with it, or died with them.
func (s *Store) Fell(ctx context.Context, process, connection string) bool {
	if s.keeper == nil || strings.ContainsAny(process, " .*>\r\n\t") || process == "" {
		return false
	}
	if s.keeper.left(process) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := s.nc.RequestWithContext(ctx, fellSubject(process), []byte(connection))
	if err == nil {
		return string(answer.Data) == "yes"
	}
	// It may have left just now, and that is on its way to us.
	sleep(ctx, s.keeper.ttl/ticksPerLease)
	return !s.keeper.left(process)
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
