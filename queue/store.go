package queue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// The rooms around this one see a Store as these.
var (
	_ bridge.Queue      = (*Store)(nil)
	_ bridge.Journal    = (*Store)(nil)
	_ bridge.Archive    = (*Store)(nil)
	_ bridge.Parts      = (*Store)(nil)
	_ bridge.Marks      = (*Store)(nil)
	_ bridge.BegunStore = (*Store)(nil)
	_ addressing.Store  = (*Store)(nil)
)

// Store is the queue, the journal, the archive and the records. All methods may be called
// concurrently. After Close they return an error.
type Store struct {
	cfg       Config
	log       zerolog.Logger
	id        string // of this process
	server    *inner // nil: the server is an external one
	commit    *committer
	space     space
	nc        *nats.Conn
	js        jetstream.JetStream
	publisher *publisher
	lanes     int // in use; cfg.Lanes may have to wait

	stories   *recent[string, bridge.Story]      // by message id
	refs      *recent[string, bridge.SegmentRef] // by subject
	records   *recent[uint64, string]            // of phones, packed, by their digits
	fill      fill                               // of the journal
	forgetful forgetful

	streams map[string]jetstream.Stream // by name; not changed after Open
	phones  jetstream.KeyValue
	parts   jetstream.KeyValue
	marks   jetstream.KeyValue
	begun   jetstream.KeyValue
	notes   jetstream.KeyValue
	// shared and keeper are nil where the server is the embedded one.
	shared jetstream.KeyValue
	keeper *keeper

	calls    callCounters
	counters map[string]*counters // by stage; not changed after Open
	waiting  waiting
	brim     atomic.Bool // MT refused the last message for want of room
	atWork   atWork
	ending   ending
	held     atomic.Pointer[[]string] // stages that an operator holds
	probes   probes
	givenUp  func(context.Context, bridge.Dead) error // nil: nobody is told

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	link   linkState

	mu      sync.Mutex
	running map[string]bool // stages with a Run
	runs    sync.WaitGroup
	closed  atomic.Bool
}

// rememberedStories is how many messages fit into half of what is remembered of the journal:
// some 20 MB in all.
const rememberedStories = 10_000

// Open starts the embedded server, or connects to the external one, and makes or updates
// its streams. It blocks until the store is usable, at most until ctx ends; an external
// server that is away is waited for. The errors tell a wrong Config, a directory that is
// in use, and a store that a newer smsbridge wrote.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newStore(cfg)
	if err := s.open(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// newStore makes a store that is not open.
func newStore(cfg Config) *Store {
	s := &Store{
		cfg:      cfg,
		log:      cfg.Logger,
		id:       ulid.Make().String(),
		streams:  make(map[string]jetstream.Stream),
		running:  make(map[string]bool),
		counters: map[string]*counters{stageMT: {}, stageMO: {}, stageOUT: {}},
	}
	stories, phones := 0, 0
	if cfg.URL == "" { // another instance may write to an external server
		stories, phones = rememberedStories, max(0, cfg.RememberedPhones)
	}
	s.stories, s.refs = newRecent[string, bridge.Story](stories), newRecent[string, bridge.SegmentRef](stories)
	s.records = newRecent[uint64, string](phones)
	s.fill = fill{limit: uint64(cfg.SentMaxMsgs), count: s.countSent}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.link.init()
	return s
}

func (s *Store) open(ctx context.Context) error {
	if err := s.openServer(ctx); err != nil {
		return err
	}
	era := s.commit.Era()
	if err := s.layOut(ctx); err != nil {
		return err
	}
	if err := s.lookBack(ctx); err != nil {
		return err
	}
	if s.server == nil {
		stream, err := s.js.Stream(ctx, "KV_"+bucketLeases)
		if err != nil {
			return fmt.Errorf("queue: bucket %s: %w", bucketLeases, err)
		}
		s.keeper = newKeeper(s, s.shared, stream)
	}
	// The streams that were just made must be there after a power cut as well.
	if err := s.commit.Wait(ctx, era); err != nil {
		return err
	}
	if s.server != nil {
		s.server.run(s.ctx)
	}
	return nil
}

// openServer starts the embedded server or waits for the external one.
func (s *Store) openServer(ctx context.Context) error {
	if s.cfg.URL == "" {
		server, err := newInner(s.cfg)
		if err != nil {
			return err
		}
		s.server, s.commit = server, server.commit
		server.away = s.forgetful.away
		s.space = space{dir: storeDir(s.cfg), floor: s.cfg.MinFree, dry: &server.dry}
	} else {
		s.commit = newCommitter(nil)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	js, err := jetstream.New(s.nc)
	if err != nil {
		return fmt.Errorf("queue: JetStream: %w", err)
	}
	s.js = js
	if s.publisher, err = newPublisher(s.nc); err == nil && s.server != nil {
		s.server.broken = s.publisher.abandon
	}
	return err
}

// Addr is where the embedded server listens for the nats command line tool; empty where
// Config.Listen is.
func (s *Store) Addr() string {
	if s.server == nil || s.cfg.Listen == "" {
		return ""
	}
	return s.server.cfg.Listen
}

// Close ends every Run, waits for their handlers, and stops the embedded server. It is
// idempotent. What was published and not yet promised is on disk after it, as far as the
// durability says.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.mu.Lock() // no Run starts after this
	s.cancel()
	s.mu.Unlock()
	s.runs.Wait()
	if s.keeper != nil {
		s.keeper.close(s.nc.IsConnected())
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.commit != nil {
		s.commit.Close()
	}
	s.link.renew() // frees its context
	if s.server != nil {
		return s.server.close()
	}
	return nil
}
