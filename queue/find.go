package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file finds messages for an operator.

// Queued is a message in one of the work queues.
type Queued struct {
	Stage    string // mt, mo or out
	Sequence uint64 // of it in its stage
	At       time.Time
	MT       *bridge.MT
	MO       *bridge.MO
	OUT      *bridge.OUT
}

// FindQueued gives what the stages named, of mt, mo and out, hold of a message: itself, and what is on its
// way to its sender's messenger. It reads them from their beginning, some 100,000 messages a second.
func (s *Store) FindQueued(ctx context.Context, id string, stages ...string) ([]Queued, error) {
	var found []Queued
	pattern := idPattern(id)
	for _, stage := range stages {
		err := s.rangeQueued(ctx, strings.ToUpper(stage), func(q rawQueued) bool {
			if !bytes.Contains(q.data, pattern) {
				return true
			}
			if one, err := q.decode(); err == nil && one.id(id) {
				found = append(found, one)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// idPattern is what a record of the message has in it, or of one whose id begins so.
func idPattern(id string) []byte {
	quoted, err := json.Marshal(id)
	if err != nil {
		return []byte(id)
	}
	return append([]byte(`"id":`), quoted[:len(quoted)-1]...)
}

// id tells whether q is the message, or a status of it.
func (q Queued) id(id string) bool {
	switch {
	case q.MT != nil:
		return q.MT.ID == id
	case q.MO != nil:
		return q.MO.ID == id
	case q.OUT != nil:
		return q.OUT.ID == id || q.OUT.Kind == bridge.OUTStatus && strings.HasPrefix(q.OUT.ID, id+"-")
	}
	return false
}

// rawQueued is a message in a work queue, as it is stored.
type rawQueued struct {
	stage    string
	sequence uint64
	at       time.Time
	data     []byte
}

func (q rawQueued) decode() (one Queued, err error) {
	one = Queued{Stage: strings.ToLower(q.stage), Sequence: q.sequence, At: q.at}
	switch q.stage {
	case stageMT:
		one.MT, err = decode[bridge.MT](q.data)
	case stageMO:
		one.MO, err = decode[bridge.MO](q.data)
	case stageOUT:
		one.OUT, err = decode[bridge.OUT](q.data)
	}
	return one, err
}

// rangeBatch is how many messages one request asks for.
const rangeBatch = 500

// rangeQueued calls fn for each message of a work queue, from its beginning to where it ended when
// that was asked, until fn returns false. A work queue has no second consumer, so
// they are read in batches by number (ADR-31 of NATS, batched direct get).
func (s *Store) rangeQueued(ctx context.Context, stage string, fn func(rawQueued) bool) error {
	if err := s.readable(); err != nil {
		return err
	}
	stream, err := s.js.Stream(ctx, stage)
	if err != nil {
		return fmt.Errorf("queue: read %s: %w", stage, err)
	}
	state := stream.CachedInfo().State
	for next := state.FirstSeq; next <= state.LastSeq && state.Msgs > 0; {
		last, more, err := s.readBatch(ctx, stage, next, fn)
		if err != nil {
			return fmt.Errorf("queue: read %s: %w", stage, err)
		}
		if !more {
			return nil
		}
		next = last + 1
	}
	return nil
}

// readBatch reads a batch from a number on. more is false at the end, and where fn wants no more.
func (s *Store) readBatch(ctx context.Context, stage string, from uint64, fn func(rawQueued) bool) (last uint64, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, scanWait)
	defer cancel()
	inbox := s.nc.NewInbox()
	sub, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request := mustJSON(map[string]any{"seq": from, "batch": rangeBatch, "next_by_subj": strings.ToLower(stage) + ".>"})
	if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+stage, inbox, request); err != nil {
		return 0, false, err
	}
	for wanted := true; ; {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return 0, false, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // the end of the batch
			return last, wanted && last > 0 && m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404":
			return last, false, nil
		default:
			return 0, false, errors.New("the server says " + status + " " + m.Header.Get("Description"))
		}
		if last, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
			return 0, false, fmt.Errorf("a message without its number: %w", err)
		}
		at, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		if err != nil {
			return 0, false, fmt.Errorf("a message without its time: %w", err)
		}
		wanted = wanted && fn(rawQueued{stage: stage, sequence: last, at: at.UTC(), data: m.Data})
	}
}

// Said gives the last limit texts of the conversations of handles, of a phone, or of these
// handles with this phone, and their statuses, in order, oldest first; without both it gives
// nothing. Its cost is that of [Store.Messages] for all of these conversations.
func (s *Store) Said(ctx context.Context, handles []addressing.Handle, phone addressing.MSISDN, limit int) ([]bridge.Entry, error) {
	subjects := saidSubjects(handles, phone)
	if len(subjects) == 0 || limit < 1 {
		return nil, nil
	}
	all, err := s.tailOf(ctx, subjects, limit)
	if err != nil {
		return nil, fmt.Errorf("queue: what was said: %w", err)
	}
	return all, nil
}

func saidSubjects(handles []addressing.Handle, phone addressing.MSISDN) (subjects []string) {
	if len(handles) == 0 && !phone.IsZero() {
		return []string{"log.*.*." + token(phone.Digits()) + ".*"}
	}
	for _, h := range handles {
		if phone.IsZero() {
			subjects = append(subjects, handleSubject(h)+".>")
		} else {
			subjects = append(subjects, conversationSubject(h, phone)+".*")
		}
	}
	return subjects
}

// SaidOf gives the entries of the log for one message. since, if set, is when its conversation
// with phone had it at the earliest, and h whose that is; without them all of the log is read,
// from the time that the id tells if it does.
func (s *Store) SaidOf(ctx context.Context, id string, h addressing.Handle, phone addressing.MSISDN, since time.Time) ([]bridge.Entry, error) {
	cfg := jetstream.ConsumerConfig{FilterSubject: "log.>", DeliverPolicy: jetstream.DeliverAllPolicy}
	if !h.IsZero() {
		cfg.FilterSubject = conversationSubject(h, phone) + ".*"
	}
	if made, err := ulid.ParseStrict(id); err == nil && since.IsZero() {
		since = made.Timestamp()
	}
	if !since.IsZero() {
		start := since.Add(-clocksDiffer)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &start
	}
	var all []bridge.Entry
	pattern := idPattern(id)
	err := s.scanStream(ctx, streamLog, cfg, func(m jetstream.Msg) bool {
		if bytes.Contains(m.Data(), pattern) {
			s.decodeEntry(m, func(e bridge.Entry) {
				if e.ID == id {
					all = append(all, e)
				}
			})
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("queue: what was said of message %s: %w", id, err)
	}
	return all, nil
}

// clocksDiffer is how far the clocks of the instances and the servers may be apart.
const clocksDiffer = 10 * time.Minute
