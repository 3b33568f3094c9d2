package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Moved is what an export or an import took with it.
type Moved []MovedStream

// MovedStream is one stream or bucket: buckets are called KV_ and their name.
type MovedStream struct {
	Name     string
	Messages uint64
}

// left are the streams that say nothing once every daemon has stopped: they are not moved.
var left = []string{"KV_" + bucketLeases}

// Export writes all that stands in the store of cfg to w: queues, journal, log, dead letters
// and records, with the sequence, the time and the subject of each message. No
// daemon may be at work on the store: that of an embedded server is locked meanwhile, and an
// external one with workers is refused, also where they start meanwhile. The store is not changed. It blocks until all is
// written or ctx ends.
func Export(ctx context.Context, cfg Config, w io.Writer) (moved Moved, err error) {
	s, err := openIdle(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	before, err := s.progress(ctx)
	if err != nil {
		return nil, err
	}
	streams, err := s.ours(ctx)
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 {
		return nil, errors.New("queue: there is nothing to export: no smsbridge has used this store")
	}
	out := newFrameWriter(w)
	if err := out.json(frameHead, exportHead{Version: exportVersion, Layout: layout, At: time.Now().UTC()}); err != nil {
		return nil, err
	}
	for _, info := range streams {
		if err := s.exportStream(ctx, info.Config.Name, out); err != nil {
			return nil, fmt.Errorf("queue: export %s: %w", info.Config.Name, err)
		}
		moved = append(moved, MovedStream{Name: info.Config.Name, Messages: info.State.Msgs})
	}
	if err := s.unchanged(ctx, before); err != nil {
		return nil, err
	}
	return moved, out.end()
}

// Import puts what Export wrote into the store of cfg, with the replicas of cfg. The whole of
// r is checked first. A store that holds messages is refused, unless replace says that
// all that the bridge has there may go. After an error nothing of r is in the store, or the error says what is. It
// blocks until all is stored or ctx ends; where a cluster has too few servers for the replicas it waits for them, and the
// log says so. No daemon may be at work on the store.
func Import(ctx context.Context, cfg Config, r io.ReadSeeker, replace bool) (moved Moved, err error) {
	if err := checkExport(r); err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("queue: read the export again: %w", err)
	}
	s, err := openIdle(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	era := s.commit.Era()
	if err := s.clear(ctx, replace); err != nil {
		return nil, err
	}
	moved, err = s.importAll(ctx, r)
	if err != nil {
		return nil, errors.Join(err, s.takeBack(moved))
	}
	return moved, s.commit.Wait(ctx, era)
}

// openIdle opens a store without its streams, and makes sure that no daemon is at work
// on it.
func openIdle(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newStore(cfg)
	err = s.openServer(ctx)
	if err == nil {
		_, err = s.storedLayout(ctx) // it refuses what is newer or not ours
	}
	if err == nil {
		err = s.idle(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// idle refuses an external server from whose queues somebody fetches. That nobody else uses an
// embedded one its lock has told.
func (s *Store) idle(ctx context.Context) error {
	if s.server != nil {
		return nil
	}
	for _, name := range []string{stageMT, stageMO, stageOUT} {
		stream, err := s.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("queue: stream %s: %w", name, err)
		}
		requests := 0
		consumers := stream.ListConsumers(ctx)
		for info := range consumers.Info() { // to its end: it would wait for its reader for ever
			requests += info.NumWaiting
		}
		if err := consumers.Err(); err != nil {
			return fmt.Errorf("queue: the workers of stream %s: %w", name, err)
		}
		if requests > 0 {
			return fmt.Errorf("queue: a smsbridge is at work on this NATS server (stream %s): stop it, and every other one, first", name)
		}
	}
	return nil
}

// progress is how far a stream was written, and for a queue what it holds. What goes by age or
// by itself from the others is nobody's work.
type progress struct{ last, queued uint64 }

// progress tells it of each stream of the bridge: of the leases too, which every daemon at an
// external server writes as soon as it starts, and then all the time.
func (s *Store) progress(ctx context.Context) (map[string]progress, error) {
	all := make(map[string]progress)
	list := s.js.ListStreams(ctx)
	for info := range list.Info() {
		if info.Config.Metadata[metaLayout] == "" {
			continue
		}
		p := progress{last: info.State.LastSeq}
		if info.Config.Retention == jetstream.WorkQueuePolicy {
			p.queued = info.State.Msgs
		}
		all[info.Config.Name] = p
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("queue: list the streams: %w", err)
	}
	return all, nil
}

// unchanged refuses what was read while somebody wrote: a daemon that started meanwhile.
func (s *Store) unchanged(ctx context.Context, before map[string]progress) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	now, err := s.progress(ctx)
	if err != nil {
		return err
	}
	if !maps.Equal(before, now) {
		return errors.New("queue: a smsbridge has started on this NATS server meanwhile, so the export is worth nothing: stop every smsbridge, and export again")
	}
	return nil
}

// ours are the streams of this bridge in the store, the queues last: what an import that was
// killed leaves behind has then no message without its story.
func (s *Store) ours(ctx context.Context) ([]*jetstream.StreamInfo, error) {
	var all []*jetstream.StreamInfo
	list := s.js.ListStreams(ctx)
	for info := range list.Info() {
		if info.Config.Metadata[metaLayout] != "" && !slices.Contains(left, info.Config.Name) {
			all = append(all, info)
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("queue: list the streams: %w", err)
	}
	queues := []string{stageMO, stageOUT, stageMT}
	slices.SortFunc(all, func(a, b *jetstream.StreamInfo) int {
		return cmp.Or(
			cmp.Compare(slices.Index(queues, a.Config.Name), slices.Index(queues, b.Config.Name)),
			cmp.Compare(a.Config.Name, b.Config.Name),
		)
	})
	return all, nil
}

// clear makes room for an export: it deletes the streams of this bridge, which must be
// empty unless replace says otherwise.
func (s *Store) clear(ctx context.Context, replace bool) error {
	there, err := s.ours(ctx)
	if err != nil {
		return err
	}
	for _, info := range there {
		if n := info.State.Msgs; n > 0 && !replace {
			return fmt.Errorf("queue: the store is not empty: %s holds %d messages; nothing was changed. "+
				"Import into an empty store, or let what is there be deleted (--replace)", info.Config.Name, n)
		}
	}
	for _, info := range there {
		if err := s.js.DeleteStream(ctx, info.Config.Name); err != nil {
			return fmt.Errorf("queue: empty %s: %w", info.Config.Name, err)
		}
	}
	return nil
}

// importAll restores stream after stream of an export that was checked. It returns those
// that it made also with an error.
func (s *Store) importAll(ctx context.Context, r io.Reader) (Moved, error) {
	in, err := newFrameReader(r)
	if err != nil {
		return nil, err
	}
	var moved Moved
	for {
		kind, data, err := in.next()
		if err != nil {
			return moved, err
		}
		switch kind {
		case frameHead:
			continue
		case frameSum:
			return moved, nil
		}
		var head streamHead
		if err := json.Unmarshal(data, &head); err != nil {
			return moved, fmt.Errorf("queue: import: %w", err)
		}
		moved = append(moved, MovedStream{Name: head.Name, Messages: head.State.Msgs})
		if err := s.importStream(ctx, head, in); err != nil {
			return moved, fmt.Errorf("queue: import %s: %w", head.Name, err)
		}
	}
}

// takeBack deletes what a failed import made, so that it can be tried again.
func (s *Store) takeBack(moved Moved) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, m := range moved {
		if err := s.js.DeleteStream(ctx, m.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			errs = append(errs, fmt.Errorf("queue: %s of the failed import is still there: %w", m.Name, err))
		}
	}
	return errors.Join(errs...)
}
