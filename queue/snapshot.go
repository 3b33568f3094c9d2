package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// This file speaks the server's own snapshot of a stream (ADR-1 of NATS: JetStream API;
// $JS.API.STREAM.SNAPSHOT and RESTORE), which keeps the sequence and time of each message, and what
// was deleted between. The client library does not have it.

// Bounds of a snapshot.
const (
	chunkSize = 256 << 10 // octets; far below the server's usual largest message, 1 MiB
	// chunkWithin is how long the server may be silent: it packs a stream of many GB meanwhile.
	chunkWithin = 2 * time.Minute
)

// streamHead is what an export says before the chunks of a stream.
type streamHead struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"config"`
	State  streamState     `json:"state"`
}

// streamState is what of a stream's state an import can check.
type streamState struct {
	Msgs     uint64 `json:"messages"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// apiError is how the server refuses a request.
type apiError struct {
	Error *jetstream.APIError `json:"error"`
}

// refusedError says so in words.
type refusedError struct{ api *jetstream.APIError }

func (e *refusedError) Error() string { return "the NATS server refuses: " + e.api.Description }
func (e *refusedError) Unwrap() error { return e.api }

// exportStream writes a stream's head and chunks.
func (s *Store) exportStream(ctx context.Context, name string, out *frameWriter) error {
	inbox := s.nc.NewRespInbox()
	chunks, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = chunks.Unsubscribe() }()
	request, err := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": true, "chunk_size": chunkSize, "jsck": true})
	if err != nil {
		return err
	}
	var answer struct {
		Config json.RawMessage `json:"config"`
		State  streamState     `json:"state"`
	}
	if err := s.ask(ctx, "$JS.API.STREAM.SNAPSHOT."+name, request, &answer); err != nil {
		return err
	}
	if err := out.json(frameStream, streamHead{Name: name, Config: answer.Config, State: answer.State}); err != nil {
		return err
	}
	for {
		chunk, err := nextChunk(ctx, chunks)
		if err != nil {
			return err
		}
		if len(chunk.Data) == 0 {
			if status := chunk.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("the server broke off: %s %s", status, chunk.Header.Get("Description"))
			}
			return out.frame(frameEnd, nil)
		}
		if err := out.frame(frameChunk, chunk.Data); err != nil {
			return err
		}
		if chunk.Reply != "" { // the server waits for it before it sends many more
			if err := chunk.Respond(nil); err != nil {
				return err
			}
		}
	}
}

func nextChunk(ctx context.Context, chunks *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkWithin)
	defer cancel()
	return chunks.NextMsgWithContext(ctx)
}

// importStream makes a stream of the chunks that follow in an export, and compares it
// with its head.
func (s *Store) importStream(ctx context.Context, head streamHead, in *frameReader) error {
	var config map[string]any
	if err := json.Unmarshal(head.Config, &config); err != nil {
		return err
	}
	config["num_replicas"] = s.cfg.Replicas
	delete(config, "placement") // of the cluster that it comes from
	request, err := json.Marshal(map[string]any{"config": config, "state": head.State})
	if err != nil {
		return err
	}
	var answer struct {
		Subject string `json:"deliver_subject"`
	}
	// A cluster that has just come up, or has little time, takes some of its servers for away.
	err = s.whenReady(ctx, noPlace, func() error {
		return s.ask(ctx, "$JS.API.STREAM.RESTORE."+head.Name, request, &answer)
	})
	if err != nil {
		return err
	}
	for {
		kind, data, err := in.next()
		if err != nil {
			return err
		}
		if kind == frameEnd {
			break
		}
		if err := s.ask(ctx, answer.Subject, data, nil); err != nil {
			return err
		}
	}
	if err := s.ask(ctx, answer.Subject, nil, nil); err != nil { // that is all of it
		return err
	}
	return s.compare(ctx, head)
}

// compare tells whether a stream holds what an export says. What a stream keeps for
// a time only may have become less meanwhile.
func (s *Store) compare(ctx context.Context, head streamHead) error {
	stream, err := s.js.Stream(ctx, head.Name)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	got := info.State
	same := got.LastSeq == head.State.LastSeq && (got.Msgs == head.State.Msgs || info.Config.MaxAge > 0 && got.Msgs < head.State.Msgs)
	if !same {
		return fmt.Errorf("it has %d messages up to number %d, and the export %d up to number %d",
			got.Msgs, got.LastSeq, head.State.Msgs, head.State.LastSeq)
	}
	return nil
}

// ask sends a request and reads the answer into v. An empty answer says that all is well.
func (s *Store) ask(ctx context.Context, subject string, data []byte, v any) error {
	ctx, cancel := context.WithTimeout(ctx, chunkWithin)
	defer cancel()
	msg, err := s.nc.RequestWithContext(ctx, subject, data)
	// Nobody got it: a cluster that has just started chooses its leader first.
	for attempt := 0; errors.Is(err, nats.ErrNoResponders) && sleep(ctx, retryDelay(attempt, 50*time.Millisecond, time.Second)); attempt++ {
		msg, err = s.nc.RequestWithContext(ctx, subject, data)
	}
	if err != nil {
		return fmt.Errorf("the NATS server does not answer: %w", err)
	}
	if len(msg.Data) == 0 {
		return nil
	}
	var refused apiError
	if err := json.Unmarshal(msg.Data, &refused); err != nil {
		return err
	}
	if refused.Error != nil {
		return &refusedError{refused.Error}
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(msg.Data, v)
}
