package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
)

// This file bounds the journal. The server holds some 170 bytes of memory for each record, a
// message with a receipt has two, and at a thousand messages a second a week of them would
// need 200 GB. What has not ended must stay, so what has ended goes the sooner the fuller the
// journal is; and where even that does not make room, nothing new is accepted.

// keptLeast is how long at least the journal keeps a story that has ended; the hub depends on
// it (bridge.StoryKept). A message that was acknowledged may come back after a kill, and its
// story says that it was sent.
const keptLeast = bridge.StoryKept

// refKept is how long what has ended is still found by the SMSC's id: as long as a receipt
// that belongs to nothing is looked at.
const refKept = 10 * time.Second

// keptFor is how long a record of what has ended is kept in a journal that holds count
// records of at most limit: full while it is a quarter full, keptLeast from three quarters
// on, and in between a little shorter with each record.
func keptFor(count, limit uint64, full time.Duration) time.Duration {
	const from, to = 0.25, 0.75
	share := min(max((float64(count)/float64(limit)-from)/(to-from), 0), 1)
	kept := full.Seconds() * math.Pow(keptLeast.Seconds()/full.Seconds(), share)
	return min(full, max(keptLeast, time.Duration(kept)*time.Second))
}

// fillEvery is how old the known number of records may be.
const fillEvery = time.Second

// fill knows how full the journal is. Its methods may be called concurrently.
type fill struct {
	limit uint64
	count func(context.Context) (uint64, error)

	mu    sync.Mutex
	at    time.Time
	known uint64
}

// now is the number of records, as of a second ago at most.
func (f *fill) now(ctx context.Context) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) < fillEvery {
		return f.known
	}
	if n, err := f.count(ctx); err == nil { // else the server is away, and whoever writes will say so
		f.known = n
	}
	f.at = time.Now()
	return f.known
}

// check refuses where there is no room for the record of another message.
func (f *fill) check(ctx context.Context) error {
	if n := f.now(ctx); n >= f.limit {
		return fmt.Errorf("%w: the journal has %d records of messages that have not ended or ended just now, and %d are the limit", bridge.ErrFull, n, f.limit)
	}
	return nil
}

func (s *Store) countSent(ctx context.Context) (uint64, error) {
	stream, err := s.js.Stream(ctx, streamSent)
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.Msgs, nil
}

// release lets go of the SMSC's ids of a message that has ended, after refKept. Nobody waits
// for it: where it is lost they stay for Config.SentFor.
func (s *Store) release(ctx context.Context, st bridge.Story) {
	for _, segment := range st.Segments {
		if segment.SMSCID == "" {
			continue
		}
		subject := refSubject(st.Account, segment.SMSCID)
		ref, seq, err := s.ref(ctx, subject)
		if err != nil || ref.MessageID != st.ID {
			continue // the SMSC has used the id again
		}
		data, err := json.Marshal(ref)
		if err != nil {
			continue
		}
		m := nats.NewMsg(subject)
		m.Data = data
		m.Header.Set(jetstream.MsgTTLHeader, refKept.String())
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(seq, 10))
		s.refs.doubt(subject, seq)
		if err := s.nc.PublishMsg(m); err != nil {
			return
		}
	}
}
