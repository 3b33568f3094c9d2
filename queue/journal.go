package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// Story reads the journal record of a message and its revision; [bridge.ErrNotFound]
// where there is none. On a cluster it may be a moment old; the revision shows that when
// it is written.
func (s *Store) Story(ctx context.Context, id string) (bridge.Story, uint64, error) {
	if err := s.readable(); err != nil {
		return bridge.Story{}, 0, err
	}
	notFound := fmt.Errorf("queue: story of message %s: %w", id, bridge.ErrNotFound)
	began := s.stories.begin(s.commit.Era())
	if story, rev, known := s.stories.get(id, began.era); known {
		if rev == 0 {
			return bridge.Story{}, 0, notFound
		}
		return copyOf(story), rev, nil
	}
	var story bridge.Story
	rev, err := s.lastSent(ctx, storySubject(id), &story)
	if errors.Is(err, bridge.ErrNotFound) {
		// Asked when a message is accepted, and again when its turn comes.
		s.stories.put(id, bridge.Story{}, 0, began)
		return bridge.Story{}, 0, notFound
	}
	if err != nil {
		return bridge.Story{}, 0, fmt.Errorf("queue: story of message %s: %w", id, err)
	}
	return story, rev, nil
}

// PutStory stores st if its revision is still rev (0: there is none), and returns the new
// revision; otherwise the error wraps [bridge.ErrConflict]. With durable it returns once
// the record is on disk. After another error it is not known whether it was stored. A story
// that says Told is stored once all that was stored before is on disk, the status above all.
// It is kept for Config.SentFor at most (journal_room.go).
func (s *Store) PutStory(ctx context.Context, st bridge.Story, rev uint64, durable bool) (uint64, error) {
	if st.Told {
		if err := s.commit.settled(ctx); err != nil {
			return 0, err
		}
	}
	era := s.commit.Era()
	opts := []header{withRevision(rev)}
	kept := s.cfg.SentFor
	if st.Told {
		kept = keptFor(s.fill.now(ctx), s.fill.limit, s.cfg.SentFor)
	}
	if kept < s.cfg.SentFor {
		if err := s.letGoEarly(ctx); err != nil {
			return 0, fmt.Errorf("queue: story of message %s: %w", st.ID, err)
		}
		opts = append(opts, withTTL(kept))
	}
	began := s.stories.begin(era)
	next, err := s.put(ctx, storySubject(st.ID), st, opts...)
	if err != nil {
		s.stories.doubt(st.ID, rev)
		return 0, fmt.Errorf("queue: story of message %s: %w", st.ID, err)
	}
	s.stories.put(st.ID, copyOf(st), next, began)
	if kept < s.cfg.SentFor {
		s.release(ctx, st)
	}
	if durable {
		if err := s.commit.Wait(ctx, era); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// copyOf shares nothing with st that its holder may change.
func copyOf(st bridge.Story) bridge.Story {
	st.History, st.Segments = slices.Clone(st.History), slices.Clone(st.Segments)
	return st
}

// RangeStories calls fn with each story that was last written after the revision after, in
// that order, until fn returns false; see [bridge.Stories]. A record that cannot be
// read is logged and left out.
func (s *Store) RangeStories(ctx context.Context, after uint64, fn func(rev uint64, st bridge.Story) bool) error {
	cfg := jetstream.ConsumerConfig{
		FilterSubject: storySubjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	}
	err := s.scanStream(ctx, streamSent, cfg, func(m jetstream.Msg) bool {
		meta, err := m.Metadata()
		var st bridge.Story
		if err == nil {
			err = json.Unmarshal(m.Data(), &st)
		}
		if err != nil {
			s.log.Error().Err(err).Msg("queue: a story of the journal cannot be read")
			return true
		}
		return fn(meta.Sequence.Stream, st)
	})
	if err != nil {
		return fmt.Errorf("queue: the stories of the journal: %w", err)
	}
	return nil
}

// PutRef records what an SMSC's message id belongs to. SMSCs use ids again after a while:
// the last one counts. It does not wait for the disk.
func (s *Store) PutRef(ctx context.Context, account, smscID string, ref bridge.SegmentRef) error {
	subject := refSubject(account, smscID)
	began := s.refs.begin(s.commit.Era())
	seq, err := s.put(ctx, subject, ref)
	if err != nil {
		s.refs.forget(subject)
		return err
	}
	s.refs.put(subject, ref, seq, began)
	return nil
}

// Ref gives what the first of candidates that is known belongs to; [bridge.ErrNotFound]
// where none is.
func (s *Store) Ref(ctx context.Context, account string, candidates []string) (bridge.SegmentRef, error) {
	for _, id := range candidates {
		ref, _, err := s.ref(ctx, refSubject(account, id))
		if err == nil {
			return ref, nil
		}
		if !errors.Is(err, bridge.ErrNotFound) {
			return bridge.SegmentRef{}, fmt.Errorf("queue: message id of %s: %w", account, err)
		}
	}
	return bridge.SegmentRef{}, fmt.Errorf("queue: message id of %s: %w", account, bridge.ErrNotFound)
}

// ref reads what an SMSC's id at a subject belongs to, and its revision.
func (s *Store) ref(ctx context.Context, subject string) (bridge.SegmentRef, uint64, error) {
	era := s.commit.Era()
	if ref, seq, known := s.refs.get(subject, era); known {
		return ref, seq, nil
	}
	began := s.refs.begin(era)
	var ref bridge.SegmentRef
	seq, err := s.lastSent(ctx, subject, &ref)
	if err == nil {
		s.refs.put(subject, ref, seq, began)
	}
	return ref, seq, err
}

// lastSent reads the record at a subject of SENT into v and gives its revision.
func (s *Store) lastSent(ctx context.Context, subject string, v any) (uint64, error) {
	if err := s.readable(); err != nil {
		return 0, err
	}
	var raw *jetstream.RawStreamMsg
	_, err := s.patiently(ctx, func(ctx context.Context) (err error) {
		raw, err = s.streams[streamSent].GetLastMsgForSubject(ctx, subject)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, bridge.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(raw.Data, v); err != nil {
		return 0, fmt.Errorf("the record cannot be read: %w", err)
	}
	return raw.Sequence, nil
}
