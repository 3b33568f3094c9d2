package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// layout is the version of all that stands in the store: names, subjects, records. Each
// stream and bucket says it. A store that says a higher one is not touched.
//
//	1  the first
//	2  each dead letter has a subject of its own: dead.<stage>.<id>
//	3  phones have STOPs, and handles that were renamed or removed, which an older smsbridge would
//	   lose as it writes a record; and there is the bucket of what operators decided
const layout = 3

// What a stream's metadata says.
const (
	metaLayout = "smsbridge.layout"
	metaLanes  = "smsbridge.lanes"
)

// ownNames are the streams that the bridge uses, those of its buckets included.
func ownNames() []string {
	return []string{
		stageMT, stageMO, stageOUT, streamSent, streamLog, streamDead, streamAudit, streamCalls,
		"KV_" + bucketPhones, "KV_" + bucketParts, "KV_" + bucketMarks, "KV_" + bucketBegun, "KV_" + bucketNotes, "KV_" + bucketLeases,
	}
}

// storedLayout is the oldest layout that any stream or bucket has; the current one where there
// is none. It refuses what a newer smsbridge wrote, also what this one has never heard of, and
// streams of our names that are not ours.
func (s *Store) storedLayout(ctx context.Context) (int, error) {
	oldest := layout
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where it is not read to its end
	streams := s.js.ListStreams(ctx)
	for info := range streams.Info() {
		name, said := info.Config.Name, info.Config.Metadata[metaLayout]
		if said == "" {
			if slices.Contains(ownNames(), name) {
				return 0, fmt.Errorf("queue: the NATS server has a stream %s that is not smsbridge's: use another server or account", name)
			}
			continue
		}
		version, err := strconv.Atoi(said)
		if err != nil || version < 1 {
			return 0, fmt.Errorf("queue: stream %s says that its layout is %q, which no smsbridge writes: use another server or account", name, said)
		}
		if version > layout {
			return 0, fmt.Errorf("queue: stream %s has layout %d, and this smsbridge knows layouts up to %d: "+
				"it was written by a newer version; run that one", name, version, layout)
		}
		oldest = min(oldest, version)
	}
	if err := streams.Err(); err != nil {
		return 0, fmt.Errorf("queue: list the streams: %w", err)
	}
	return oldest, nil
}

// migrate brings what an older smsbridge stored into the current form. It may be
// interrupted and begin again: the streams say the new layout only afterwards.
func (s *Store) migrate(ctx context.Context, from int) error {
	if from >= layout {
		return nil
	}
	s.log.Info().Int("from", from).Int("to", layout).Msg("queue: the store is brought into the form of this version")
	if from < 2 {
		return s.moveLetters(ctx)
	}
	return nil
}

// moveLetters gives each dead letter of layout 1, where all of a stage had one subject, its own.
func (s *Store) moveLetters(ctx context.Context) error {
	stream, err := s.js.Stream(ctx, streamDead)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("queue: stream %s: %w", streamDead, err)
	}
	s.streams[streamDead] = stream
	cfg := jetstream.ConsumerConfig{FilterSubject: "dead.*", DeliverPolicy: jetstream.DeliverAllPolicy}
	var failed error
	err = s.scanStream(ctx, streamDead, cfg, func(m jetstream.Msg) bool {
		failed = s.moveLetter(ctx, stream, m)
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("queue: move the dead letters: %w", err)
	}
	return nil
}

func (s *Store) moveLetter(ctx context.Context, stream jetstream.Stream, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	var d bridge.Dead
	if err := json.Unmarshal(m.Data(), &d); err != nil {
		s.log.Error().Err(err).Msg("queue: a dead letter cannot be read and stays where it is")
		return nil
	}
	if d.ID == "" {
		d.ID = rawID(d.Raw)
	}
	if _, err := s.put(ctx, deadSubject(d.Stage, d.ID), d); err != nil {
		return err
	}
	return stream.DeleteMsg(ctx, meta.Sequence.Stream)
}
