package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The stages are the work queues, by the name of their stream.
const (
	stageMT  = "MT"
	stageMO  = "MO"
	stageOUT = "OUT"
)

// The other streams and buckets.
const (
	streamSent   = "SENT"
	streamLog    = "LOG"
	streamDead   = "DEAD"
	streamAudit  = "AUDIT"
	streamCalls  = "CALLS"
	bucketPhones = "phones"
	bucketParts  = "parts"
	bucketMarks  = "marks"
	bucketLeases = "leases"
	bucketBegun  = "begun"
	bucketNotes  = "directory"
)

// auditSubject is that of all records of what operators did, and auditMaxBytes their bound: some
// 300,000, of which the oldest go first.
const (
	auditSubject  = "audit"
	auditMaxBytes = 64 << 20
)

// layOut makes or updates the streams and buckets. An external cluster may take a while
// to choose its leaders, and so it tries until ctx ends.
func (s *Store) layOut(ctx context.Context) error {
	notYet := func(err error) bool { return passing(err) || noPlace(err) }
	return s.whenReady(ctx, notYet, func() error { return s.tryLayOut(ctx) })
}

// whenReady tries until try has no error that an external server has for a while only, or ctx ends.
func (s *Store) whenReady(ctx context.Context, notYet func(error) bool, try func() error) error {
	for attempt := 0; ; attempt++ {
		err := try()
		if err == nil || s.server != nil || !notYet(err) {
			return err
		}
		s.log.Warn().Err(err).Msg("queue: JetStream is not ready; trying again")
		if !sleep(ctx, retryDelay(attempt, 200*time.Millisecond, 5*time.Second)) {
			return err
		}
	}
}

// codeNoPeers: the cluster knows of fewer servers than a stream is to have replicas.
const codeNoPeers jetstream.ErrorCode = 10005

// codeNoCluster: a stream is to have replicas, and the server belongs to no cluster.
const codeNoCluster jetstream.ErrorCode = 10074

// noPlace tells that error. A cluster that has just come up gives it until it knows all its
// servers; one that is too small for good gives it for ever, and the log says so meanwhile.
func noPlace(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeNoPeers
}

// passing tells an error of a server that is not ready from a refusal.
func passing(err error) bool {
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == 503
}

func (s *Store) tryLayOut(ctx context.Context) error {
	// Nothing is touched before all of it is known to be ours, and of a layout that is known.
	stored, err := s.storedLayout(ctx)
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, stored); err != nil {
		return err
	}
	s.lanes = s.cfg.Lanes
	if err := s.keepLanes(ctx); err != nil {
		return err
	}
	for _, cfg := range s.streamConfigs() {
		stream, err := s.putStream(ctx, cfg)
		if err != nil {
			return err
		}
		s.streams[cfg.Name] = stream
	}
	if s.phones, err = s.putBucket(ctx, bucketPhones, "one record for each phone", 0); err != nil {
		return err
	}
	if s.parts, err = s.putBucket(ctx, bucketParts, "long messages until all is there", s.cfg.PartsFor); err != nil {
		return err
	}
	if s.begun, err = s.putBucket(ctx, bucketBegun, "with whom each handle began conversations", 0); err != nil {
		return err
	}
	if s.notes, err = s.putBucket(ctx, bucketNotes, "what operators decided about handles and numbers", 0); err != nil {
		return err
	}
	if s.marks, err = s.putBucket(ctx, bucketMarks, "what was dealt with, for repeats", s.cfg.MarksFor); err != nil {
		return err
	}
	if s.server != nil {
		return nil // this process is alone
	}
	s.shared, err = s.putBucket(ctx, bucketLeases, "which instance works on what, and what all of them share", 0)
	return err
}

// keepLanes leaves the number of lanes as it is while anything is queued: with another
// number the messages of one phone would be in two lanes, out of order.
func (s *Store) keepLanes(ctx context.Context) error {
	var queued uint64
	stored := 0
	for _, name := range []string{stageMT, stageMO, stageOUT} {
		stream, err := s.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("queue: stream %s: %w", name, err)
		}
		info := stream.CachedInfo()
		queued += info.State.Msgs
		if n, err := strconv.Atoi(info.Config.Metadata[metaLanes]); err == nil {
			stored = n
		}
	}
	if queued > 0 && stored > 0 && stored != s.lanes {
		s.log.Warn().Int("lanes", stored).Int("wanted", s.lanes).Uint64("queued", queued).
			Msg("queue: messages are queued, so the number of lanes stays until a start with empty queues")
		s.lanes = stored
	}
	return nil
}

func (s *Store) streamConfigs() []jetstream.StreamConfig {
	work := func(name, what, subjects string, maxBytes, maxMsgs int64) jetstream.StreamConfig {
		if maxMsgs == 0 {
			maxMsgs = -1
		}
		return jetstream.StreamConfig{
			Name: name, Description: what, Subjects: []string{subjects},
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
			MaxBytes: maxBytes, MaxMsgs: maxMsgs, Duplicates: s.cfg.DuplicateWindow,
			Metadata: map[string]string{metaLanes: strconv.Itoa(s.lanes)},
		}
	}
	limits := func(name, what, subjects string, age time.Duration) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: what, Subjects: []string{subjects},
			Retention: jetstream.LimitsPolicy, MaxAge: age, MaxBytes: -1, MaxMsgs: -1,
			Duplicates: min(s.cfg.DuplicateWindow, age), // of the log on a cluster; the others set no ids
		}
	}
	sent := limits(streamSent, "the journal: what became of each message, and what an SMSC's id belongs to", "sent.>", s.cfg.SentFor)
	sent.MaxMsgsPerSubject = 1
	sent.AllowMsgTTL = true // what has ended may go before the rest (journal_room.go)
	log := limits(streamLog, "the log of each conversation", "log.>", s.cfg.LogFor)
	log.MaxBytes, log.Discard = s.cfg.LogMaxBytes, jetstream.DiscardOld
	dead := limits(streamDead, "dead letters", "dead.>", s.cfg.DeadFor)
	dead.MaxBytes, dead.Discard = s.cfg.DeadMaxBytes, jetstream.DiscardOld
	audit := limits(streamAudit, "what operators did", auditSubject, s.cfg.DeadFor)
	audit.MaxBytes, audit.Discard = auditMaxBytes, jetstream.DiscardOld
	all := []jetstream.StreamConfig{
		work(stageMT, "messages on their way to phones", "mt.>", s.cfg.MTMaxBytes, s.cfg.MTMaxMsgs),
		work(stageMO, "short messages and receipts from SMSCs, raw", "mo.>", s.cfg.MOMaxBytes, s.cfg.MOMaxMsgs),
		work(stageOUT, "texts and statuses on their way to messengers", "out.>", s.cfg.OUTMaxBytes, s.cfg.OUTMaxMsgs),
		sent,
		log,
		dead,
		audit,
	}
	if s.cfg.CallsMaxBytes > 0 {
		calls := limits(streamCalls, "call-detail records", "calls.>", s.cfg.CallsFor)
		calls.MaxBytes, calls.Discard, calls.Duplicates = s.cfg.CallsMaxBytes, jetstream.DiscardOld, s.cfg.DuplicateWindow
		all = append(all, calls)
	}
	return all
}

// putStream makes a stream or brings it up to date.
func (s *Store) putStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	cfg.Description = fmt.Sprintf("smsbridge layout %d: %s", layout, cfg.Description)
	cfg.Storage, cfg.Replicas, cfg.AllowDirect = jetstream.FileStorage, s.cfg.Replicas, true
	if cfg.Metadata == nil {
		cfg.Metadata = make(map[string]string)
	}
	cfg.Metadata[metaLayout] = strconv.Itoa(layout)
	stream, err := s.js.CreateOrUpdateStream(ctx, cfg)
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeStorageExceeded {
		return nil, fmt.Errorf("queue: the NATS server has no room to reserve %d MB for stream %s (%w): raise its JetStream limit, or lower the bound of the stream",
			cfg.MaxBytes>>20, cfg.Name, err)
	}
	if errors.As(err, &api) && api.ErrorCode == codeNoCluster {
		return nil, fmt.Errorf("queue: the NATS server is alone and cannot keep %d replicas of stream %s (%w): set queue.replicas to 1, or make the server one of a cluster",
			cfg.Replicas, cfg.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("queue: stream %s: %w", cfg.Name, err)
	}
	return stream, nil
}

func (s *Store) putBucket(ctx context.Context, name, what string, ttl time.Duration) (jetstream.KeyValue, error) {
	kv, err := s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, Description: fmt.Sprintf("smsbridge layout %d: %s", layout, what), TTL: ttl,
		Storage: jetstream.FileStorage, Replicas: s.cfg.Replicas, History: 1,
		Metadata: map[string]string{metaLayout: strconv.Itoa(layout)},
	})
	if err != nil {
		return nil, fmt.Errorf("queue: bucket %s: %w", name, err)
	}
	return kv, nil
}
