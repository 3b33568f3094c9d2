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

// A pull request asks for batch messages and ends after pullFor; the server gives a sign of
// life each pullBeat.
const (
	pullBatch = 256
	pullFor   = 30 * time.Second
	pullBeat  = 10 * time.Second
)

// troubled is how often a lane starts again in vain before that is worth a warning.
const troubled = 3

// fetch takes messages until ctx ends, through whatever happens to the server.
func (l *lane[M]) fetch(ctx context.Context) {
	last := ""
	for attempt := 0; ctx.Err() == nil; attempt++ {
		took, err := l.pull(ctx)
		if ctx.Err() != nil {
			return
		}
		if took {
			attempt, last = 0, ""
		}
		// A new connection is no trouble by itself, and has been logged once for all lanes.
		if text := err.Error(); attempt >= troubled && text != last && !errors.Is(err, errReconnected) {
			last = text
			l.log.Warn().Err(err).Int("attempt", attempt).Msg("queue: messages are not coming in; starting the lane again and again")
		} else {
			l.log.Debug().Err(err).Msg("queue: starting the lane again")
		}
		sleep(ctx, retryDelay(attempt, l.s.cfg.RetryMin, l.s.cfg.RetryMax))
	}
}

// Why a lane starts again although the server serves.
var (
	errGap         = errors.New("queue: a delivery was lost")
	errReconnected = errors.New("queue: there is a new connection")
)

// pull takes messages in the order of the stream until something breaks that order.
//
// It begins by setting the consumer back to the start of the queue (Stream.ResetConsumer,
// NATS 2.14): whatever a former owner or a broken connection did not acknowledge comes
// first again, in order, at once and not after AckWait. What is held already is known
// by its sequence. Messages that had been acknowledged and came back with a crash are
// found here too and do not stay in the queue for ever. From then on the consumer numbers
// its deliveries one by one: a gap is a lost message, and the next one must not
// overtake it.
func (l *lane[M]) pull(ctx context.Context) (took bool, err error) {
	// A new connection may have lost deliveries without a later one to show the gap.
	link, cancel := l.s.link.until(ctx)
	defer cancel()
	defer func() {
		if link.Err() != nil && ctx.Err() == nil {
			err = errReconnected
		}
	}()
	// Subscribing first and leaving last keeps an old request from taking messages that a new
	// one waits for: the server sees them in this order.
	sub, err := l.s.nc.SubscribeSync(l.s.nc.NewInbox())
	if err != nil {
		return false, fmt.Errorf("queue: subscribe: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	defer context.AfterFunc(link, func() { _ = sub.Unsubscribe() })() // ends NextMsg

	cfg := l.consumerConfig()
	stream := l.s.streams[l.stage.name]
	if l.takeover {
		// What a former holder asked for would still be given to it, wherever it is: setting
		// the consumer back does not end its requests, but the end of the consumer does.
		err := stream.DeleteConsumer(link, cfg.Durable)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return false, fmt.Errorf("queue: take over consumer %s of %s: %w", cfg.Durable, l.stage.name, err)
		}
		l.takeover = false
	}
	if _, err := stream.CreateOrUpdateConsumer(link, cfg); err != nil {
		return false, fmt.Errorf("queue: consumer %s of %s: %w", cfg.Durable, l.stage.name, err)
	}
	if _, err := stream.ResetConsumerToSequence(link, cfg.Durable, 1); err != nil {
		return false, fmt.Errorf("queue: reset consumer %s of %s: %w", cfg.Durable, l.stage.name, err)
	}
	subject := "$JS.API.CONSUMER.MSG.NEXT." + l.stage.name + "." + cfg.Durable
	var delivered uint64
	for {
		if err := ctx.Err(); err != nil {
			return took, err // of a lease that was lost while this process stood still, too
		}
		if err := l.s.nc.PublishRequest(subject, sub.Subject, pullRequest); err != nil {
			return took, fmt.Errorf("queue: ask for messages: %w", err)
		}
		n, err := l.receive(ctx, sub, &delivered)
		took = took || n > 0
		if err != nil {
			return took, err
		}
	}
}

var pullRequest = mustJSON(map[string]any{
	"batch": pullBatch, "expires": pullFor.Nanoseconds(), "idle_heartbeat": pullBeat.Nanoseconds(),
})

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// receive takes what one request brings, and returns nil when the request is over.
func (l *lane[M]) receive(ctx context.Context, sub *nats.Subscription, delivered *uint64) (n int, err error) {
	for n < pullBatch {
		msg, err := sub.NextMsg(2*pullBeat + pullBeat/2)
		if err != nil {
			return n, fmt.Errorf("queue: no sign of life of the consumer: %w", err)
		}
		l.pulse.beat()
		if status := msg.Header.Get("Status"); len(msg.Data) == 0 && status != "" {
			switch status {
			case "100": // a sign of life
				continue
			case "404", "408": // the request is over
				return n, nil
			default:
				return n, fmt.Errorf("queue: the consumer ended: %s %s", status, msg.Header.Get("Description"))
			}
		}
		meta, err := msg.Metadata()
		if err != nil {
			return n, fmt.Errorf("queue: a delivery without its numbers: %w", err)
		}
		if meta.Sequence.Consumer != *delivered+1 {
			return n, errGap
		}
		*delivered++
		n++
		l.take(ctx, meta.Sequence.Stream, meta.Timestamp, msg.Subject, msg.Reply, msg.Data)
	}
	return n, nil
}
