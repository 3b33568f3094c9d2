package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Conversations gives the latest text of each of h's conversations, newest first. Its cost
// is that of as many look-ups as h has conversations, however long they are.
func (s *Store) Conversations(ctx context.Context, h addressing.Handle) ([]bridge.Entry, error) {
	var all []bridge.Entry
	err := s.scan(ctx, jetstream.ConsumerConfig{
		FilterSubject: handleSubject(h) + ".*." + logTexts,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, func(e bridge.Entry) { all = append(all, e) })
	if err != nil {
		return nil, fmt.Errorf("queue: conversations of %s: %w", h, err)
	}
	slices.Reverse(all) // they come in the order of the stream
	return all, nil
}

// windows are how far back Messages looks, until it has seen enough texts; 0 is all the
// way. Texts are read from a point in time on, since a stream has no way back.
var windows = []time.Duration{24 * time.Hour, 10 * 24 * time.Hour, 0}

// Messages gives the last limit texts between h and phone and their statuses, in order,
// oldest first; nothing for a limit below 1. A text that stands twice is given once. Its
// cost is that of reading the conversation's last day, or its last ten days, or all
// of it, where the shorter does not have as many texts; its memory is bounded by limit.
func (s *Store) Messages(ctx context.Context, h addressing.Handle, phone addressing.MSISDN, limit int) ([]bridge.Entry, error) {
	if limit < 1 {
		return nil, nil
	}
	all, err := s.tailOf(ctx, []string{conversationSubject(h, phone) + ".*"}, limit)
	if err != nil {
		return nil, fmt.Errorf("queue: messages of %s and %s: %w", h, phone.Masked(), err)
	}
	return all, nil
}

// tailOf gives the last limit texts at subjects of the log, and their statuses.
func (s *Store) tailOf(ctx context.Context, subjects []string, limit int) ([]bridge.Entry, error) {
	var t *tail
	for _, back := range windows {
		t = &tail{limit: limit}
		cfg := jetstream.ConsumerConfig{FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverAllPolicy}
		if back > 0 {
			start := time.Now().Add(-back)
			cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &start
		}
		if err := s.scan(ctx, cfg, t.add); err != nil {
			return nil, err
		}
		if t.enough() {
			break
		}
	}
	return t.entries(), nil
}

// tail keeps the last texts and their statuses of entries that are added in order.
type tail struct {
	limit int
	all   []bridge.Entry
	texts []string // ids in all, in order
}

func (t *tail) enough() bool { return len(t.texts) >= t.limit }

func (t *tail) add(e bridge.Entry) {
	if e.Kind != bridge.EntryStatus {
		if slices.Contains(t.texts, e.ID) {
			return // the same entry may stand twice after a crash
		}
		t.texts = append(t.texts, e.ID)
	}
	t.all = append(t.all, e)
	if len(t.texts) >= 2*t.limit {
		t.cut()
	}
}

// cut drops all but the last limit texts and what belongs to them.
func (t *tail) cut() {
	t.texts = slices.Clone(t.texts[max(0, len(t.texts)-t.limit):])
	keep := make(map[string]bool, len(t.texts))
	for _, id := range t.texts {
		keep[id] = true
	}
	t.all = slices.DeleteFunc(t.all, func(e bridge.Entry) bool { return !keep[e.ID] })
}

func (t *tail) entries() []bridge.Entry {
	t.cut()
	return t.all
}

// scanBatch is how many entries are asked for at once, and scanWait how long for each time:
// they are there already.
const (
	scanBatch = 500
	scanWait  = 5 * time.Second
)

// scan calls fn for each entry of the log that cfg selects and that is there now.
func (s *Store) scan(ctx context.Context, cfg jetstream.ConsumerConfig, fn func(bridge.Entry)) error {
	return s.scanStream(ctx, streamLog, cfg, func(m jetstream.Msg) bool {
		s.decodeEntry(m, fn)
		return true
	})
}

// scanStream calls fn for each message of a stream that cfg selects and that is there now,
// until fn returns false.
func (s *Store) scanStream(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, fn func(jetstream.Msg) bool) error {
	if err := s.readable(); err != nil {
		return err
	}
	cfg.AckPolicy, cfg.MemoryStorage = jetstream.AckNonePolicy, true
	cfg.InactiveThreshold = time.Minute // it removes itself if we cannot
	cfg.Replicas = 1
	c, err := s.streams[stream].CreateConsumer(ctx, cfg)
	if err != nil {
		return err
	}
	info := c.CachedInfo()
	defer func() {
		// Also when ctx has ended: that is no reason to leave it behind for a minute.
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.streams[stream].DeleteConsumer(gone, info.Name)
	}()
	stopped := false
	for left := info.NumPending; left > 0 && !stopped; {
		within, cancel := context.WithTimeout(ctx, scanWait)
		batch, err := c.Fetch(int(min(left, scanBatch)), jetstream.FetchContext(within))
		if err != nil {
			cancel()
			return err
		}
		n := uint64(0)
		for m := range batch.Messages() {
			n++
			if stopped = stopped || !fn(m); stopped {
				continue // the rest of the batch is on its way already
			}
			if meta, err := m.Metadata(); err == nil && meta.NumPending == 0 {
				left = n // the last one, whatever expired meanwhile
			}
		}
		err = batch.Error()
		late := within.Err() != nil
		cancel()
		if err != nil && (!late || ctx.Err() != nil) {
			return err
		}
		if n == 0 {
			// What was there when the scan began may have expired meanwhile.
			now, err := c.Info(ctx)
			if err == nil && now.NumPending > 0 {
				err = errors.New("the stream does not answer")
			}
			return err
		}
		left -= min(n, left)
	}
	return nil
}

// decodeEntry calls fn with the entry in m; one that cannot be read hides no other.
func (s *Store) decodeEntry(m jetstream.Msg, fn func(bridge.Entry)) {
	var e bridge.Entry
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		s.log.Error().Err(err).Msg("queue: an entry of the log cannot be read")
		return
	}
	fn(e)
}

// LogEnd is the sequence of the last entry of the log, of any handle; 0 where there is none.
func (s *Store) LogEnd(ctx context.Context) (uint64, error) {
	stream, err := s.js.Stream(ctx, streamLog)
	if err != nil {
		return 0, fmt.Errorf("queue: the end of the log: %w", err)
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// Follow is [Store.FollowAll] for one handle.
func (s *Store) Follow(ctx context.Context, h addressing.Handle, after uint64, fn func(seq uint64, e bridge.Entry) error) error {
	return s.FollowAll(ctx, []addressing.Handle{h}, after, fn)
}

// FollowAll calls fn with each entry of the conversations of all of handles whose sequence in the log is above
// after, and then with each new one, in order, each once; after 0 begins with what comes
// next. It blocks until ctx ends or the Store is closed, which gives nil, or until fn returns an
// error, which it returns.
// The loss of the connection is waited out, and nothing is left out then.
// To show what there is and then what comes, with no gap: [Store.LogEnd], then Messages,
// then FollowAll from that end; what stands in both has the same message id.
func (s *Store) FollowAll(ctx context.Context, handles []addressing.Handle, after uint64, fn func(seq uint64, e bridge.Entry) error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	last, err := s.LogEnd(ctx)
	if err != nil {
		return fmt.Errorf("queue: follow %s: %w", handles, err)
	}
	// A point in the stream, and not "new": a connection that is lost before the first entry
	// comes would lose it. What is beyond the end is from before a power cut.
	if after == 0 || after > last {
		after = last
	}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		before := after
		err := s.follow(ctx, handles, &after, fn)
		if stop, ok := errors.AsType[*followError](err); ok {
			return stop.err
		}
		if ctx.Err() != nil {
			break
		}
		if after > before {
			attempt = 0
		}
		s.log.Debug().Err(err).Msg("queue: the log is followed anew")
		sleep(ctx, retryDelay(attempt, s.cfg.RetryMin, s.cfg.RetryMax))
	}
	return nil
}

// followError carries an error of the caller's function.
type followError struct{ err error }

func (e *followError) Error() string { return e.err.Error() }

// follow calls fn from after on, which it moves along, until something breaks.
func (s *Store) follow(ctx context.Context, handles []addressing.Handle, after *uint64, fn func(uint64, bridge.Entry) error) error {
	// Nothing waits out its timeout for an answer that went with the old connection.
	ctx, cancel := s.link.until(ctx)
	defer cancel()
	var subjects []string
	for _, h := range handles {
		subjects = append(subjects, handleSubject(h)+".>")
	}
	c, err := s.js.OrderedConsumer(ctx, streamLog, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    *after + 1,
	})
	if err != nil {
		return err
	}
	messages, err := c.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream <= *after {
			continue
		}
		var stopped error
		s.decodeEntry(m, func(e bridge.Entry) { stopped = fn(meta.Sequence.Stream, e) })
		if stopped != nil {
			return &followError{stopped}
		}
		*after = meta.Sequence.Stream
	}
}
