package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// Depth is how much waits in one stage.
type Depth struct {
	Stage    string // mt, mo, out or dead
	Messages uint64
	Bytes    uint64
	OldestAt time.Time // when the oldest was stored; zero where there is none
	MaxBytes int64     // the bound; -1: none
}

// Depths tells what waits in each stage, dead letters last. After a kill it may count
// messages that are done, until their lane has seen them again.
func (s *Store) Depths(ctx context.Context) ([]Depth, error) {
	var all []Depth
	for _, name := range []string{stageMT, stageMO, stageOUT, streamDead} {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("queue: depth of %s: %w", name, err)
		}
		info := stream.CachedInfo()
		d := Depth{
			Stage: strings.ToLower(name), Messages: info.State.Msgs, Bytes: info.State.Bytes,
			MaxBytes: info.Config.MaxBytes,
		}
		if d.Messages > 0 {
			d.OldestAt = info.State.FirstTime
		}
		all = append(all, d)
	}
	return all, nil
}

// Records tells of how many phones something is known, and how many records there are of what
// is not complete: parts of long messages, open questions, and the like. It asks the server.
func (s *Store) Records(ctx context.Context) (phones, parts uint64, err error) {
	for _, bucket := range []struct {
		jetstream.KeyValue
		n *uint64
	}{{s.phones, &phones}, {s.parts, &parts}} {
		status, err := bucket.Status(ctx)
		if err != nil {
			return 0, 0, fmt.Errorf("queue: count the records of %s: %w", bucket.Bucket(), err)
		}
		*bucket.n = status.Values()
	}
	return phones, parts, nil
}

// Healthy tells whether the store can be written, and if not, why.
func (s *Store) Healthy(ctx context.Context) error {
	if err := s.writable(); err != nil {
		return err
	}
	// The server that has failed to write writes no more until it is restarted, also where the disk is well again.
	if s.server != nil {
		if err := s.server.check(); err != nil {
			return err
		}
	}
	if err := s.space.check(s.cfg.MinFree); err != nil {
		return err
	}
	if status := s.nc.Status(); status != nats.CONNECTED {
		return fmt.Errorf("queue: the connection to NATS is %s", strings.ToLower(status.String()))
	}
	if _, err := s.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("queue: JetStream does not answer: %w", err)
	}
	return nil
}

// Stats counts since Open, by stage: mt, mo and out.
type Stats map[string]StageStats

// StageStats counts the messages of one stage since Open.
type StageStats struct {
	Published uint64 // stored, repeats within the duplicate window included
	Acked     uint64 // done and gone from the queue
	Retried   uint64 // handlers that returned an error and will run again
	Panics    uint64 // handlers that panicked
	Dead      uint64 // dead letters
}

// Stats reads the counters.
func (s *Store) Stats() Stats {
	all := make(Stats, len(s.counters))
	for stage, c := range s.counters {
		all[strings.ToLower(stage)] = StageStats{
			Published: c.published.Load(), Acked: c.acked.Load(), Retried: c.retried.Load(),
			Panics: c.panics.Load(), Dead: c.dead.Load(),
		}
	}
	return all
}

type counters struct {
	published, acked, retried, panics, dead atomic.Uint64
}

// spaceEvery is how old the known free space may be: a disk is not filled in less, and
// asking for it with each message would cost as much as the message.
const spaceEvery = 250 * time.Millisecond

// space watches the free space of the embedded server's disk. A full disk freezes a
// stream until the server restarts, so that nothing may be written before it is full.
// The zero value watches nothing.
type space struct {
	dir   string // empty: nothing is watched
	floor int64
	dry   *atomic.Bool // set where less is free than a server writes at once, until that was started again

	mu       sync.Mutex
	at       time.Time
	free     int64
	readOnly bool
}

// check refuses below floor bytes, with an error that wraps bridge.ErrFull, and on a disk
// that is read-only.
func (sp *space) check(floor int64) error {
	if sp.dir == "" {
		return nil
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if now := time.Now(); now.Sub(sp.at) > spaceEvery {
		free, readOnly, err := diskState(sp.dir)
		if err != nil {
			return fmt.Errorf("queue: the free space of %s is not known: %w", sp.dir, err)
		}
		sp.at, sp.free, sp.readOnly = now, free, readOnly
		if free < probeSize {
			sp.dry.Store(true)
		}
	}
	if sp.readOnly {
		return errReadOnly(sp.dir)
	}
	if sp.floor >= 0 && sp.free < floor {
		return fmt.Errorf("%w: only %d MB are free on the disk of %s, and %d MB are the floor: free some space",
			bridge.ErrFull, sp.free>>20, sp.dir, floor>>20)
	}
	if sp.dry.Load() {
		return fmt.Errorf("%w: the disk of %s ran full: messages are taken again a moment after there is room on it", bridge.ErrFull, sp.dir)
	}
	return nil
}
