package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"

	"smsbridge/bridge"
)

// This file is what the instances know of each other: one record for each, which it
// renews while it lives.

// The keys of the bucket.
const (
	instanceKey = "instance."
	leaseKey    = "lease."
)

// instanceRecord is one instance of smsbridge at the store. Renewing it keeps all the
// leases of the instance; so many lanes cost no more than one.
type instanceRecord struct {
	V       int       `json:"v"`
	Name    string    `json:"name"`    // for people
	Process string    `json:"process"` // see Store.Process
	Since   time.Time `json:"since"`
	// Lanes says that it takes its share of the lanes.
	Lanes bool `json:"lanes"`
	// Waiting are the persons and routes of which many messages wait in its lanes, with how
	// many, for the bounds that hold for all instances together.
	Waiting map[string]int `json:"waiting,omitempty"`
	// Receipts is when it last had a receipt of each SMSC account: those of all may come to one.
	Receipts map[string]time.Time `json:"receipts,omitempty"`
	// Gone says that it holds nothing any more and never will again: left, or evicted by
	// another because it gave no sign of life.
	Gone string `json:"gone,omitempty"`
}

// How an instance went.
const (
	goneLeft    = "left"
	goneEvicted = "evicted"
)

// sighting is an instance as this one sees it.
type sighting struct {
	instanceRecord
	rev  uint64
	seen time.Time // when the record last changed, by this machine's clock
}

// A lease lasts for ttl from the beginning of its last renewal, by its holder's monotonic
// clock. Others wait a little longer from when they saw that renewal, which is later. So a
// holder knows that its time is over before anybody else takes its place.
const (
	beatsPerLease = 5  // renewals in the time of a lease
	ticksPerLease = 10 // looks at the others, and how much longer these wait
)

// beat renews the record of this instance until ctx ends.
func (k *keeper) beat(ctx context.Context) {
	for ctx.Err() == nil {
		if k.expired() {
			k.lose("its lease could not be renewed in time")
		}
		pause := k.ttl / beatsPerLease
		// One that is under way goes on to its end, so that its revision is known.
		if err := k.renew(context.WithoutCancel(ctx)); err != nil {
			pause = k.ttl / beatsPerLease / 4
			k.log.Debug().Err(err).Msg("queue: the lease of this instance was not renewed")
		}
		k.poke()
		timer := time.NewTimer(min(pause, max(k.remaining(), pause/4)))
		select {
		case <-timer.C:
		case <-k.beatNow:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// renew writes the record once.
func (k *keeper) renew(ctx context.Context) error {
	receipts := k.lastReceipts()
	k.mu.Lock()
	rec := instanceRecord{
		V: layout, Name: k.name, Process: k.process, Since: k.since, Lanes: k.wantsLanes(), Waiting: k.many(), Receipts: receipts,
	}
	me, rev := k.me, k.rev
	k.mu.Unlock()
	began := k.clock()
	bound, cancel := context.WithTimeout(ctx, max(k.remaining(), k.ttl/beatsPerLease/4))
	defer cancel()
	next, err := k.write(bound, instanceKey+me, rec, rev)
	if errors.Is(err, errChanged) {
		return k.recognise(ctx, me)
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if began-k.renewed > k.ttl*3/4 {
		k.steady = time.Now()
	}
	k.rev, k.renewed = next, began
	k.sawInstance(me, rec, next)
	k.until.Store(int64(began + k.ttl))
	return nil
}

// recognise reads the record of this instance, which is not as it was left: a renewal was
// stored whose answer was lost, or somebody has evicted this instance.
func (k *keeper) recognise(ctx context.Context, me string) error {
	ctx, cancel := context.WithTimeout(ctx, k.ttl/beatsPerLease)
	defer cancel()
	e, err := k.kv.Get(ctx, instanceKey+me)
	var rec instanceRecord
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		rec.Gone = goneEvicted // and tidied away since
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(e.Value(), &rec); err != nil {
			return err
		}
	}
	if rec.Gone != "" {
		k.lose("another instance took it for dead")
		k.mu.Lock()
		k.begin()
		k.mu.Unlock()
		return errors.New("queue: this instance was evicted and begins again")
	}
	k.mu.Lock()
	k.rev = max(k.rev, e.Revision())
	k.mu.Unlock()
	return errors.New("queue: the last renewal was stored although no answer came")
}

// begin gives this instance an identity that has never held anything. The lock is held.
func (k *keeper) begin() {
	k.me, k.rev, k.since = strings.ToLower(ulid.Make().String()), 0, time.Now().UTC()
}

// evict marks instances that gave no sign of life, so that what they held is free. The
// store decides: a renewal that came first wins.
func (k *keeper) evict(ctx context.Context) {
	for id, s := range k.silent() {
		rec := s.instanceRecord
		rec.Gone = goneEvicted
		next, err := k.write(ctx, instanceKey+id, rec, s.rev)
		if errors.Is(err, errChanged) {
			k.look() // it lives, and our view of it is old
			continue
		}
		if err != nil {
			continue // the next look comes soon
		}
		k.mu.Lock()
		k.sawInstance(id, rec, next)
		k.mu.Unlock()
		k.log.Warn().Str("instance", rec.Name).Dur("after", k.ttl).Msg("queue: another instance gave no sign of life; its work is taken over")
	}
}

// silent are the instances that gave no sign of life for longer than a lease, and those that
// only a lease tells of.
func (k *keeper) silent() map[string]sighting {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	all := make(map[string]sighting)
	for id, s := range k.instances {
		if id != k.me && s.Gone == "" && k.silentSince(s.seen, now) {
			all[id] = *s
		}
	}
	for _, l := range k.leases {
		if _, known := k.instances[l.owner]; !known && l.owner != "" && k.silentSince(l.seen, now) {
			all[l.owner] = sighting{instanceRecord: instanceRecord{V: layout, Name: l.owner}}
		}
	}
	return all
}

// silentSince tells whether a record that was seen last then is too old. While this
// instance could not write either, nobody's silence says anything. The lock is held.
func (k *keeper) silentSince(seen, now time.Time) bool {
	return now.Sub(seen) > k.patience() && now.Sub(k.steady) > k.patience()
}

func (k *keeper) patience() time.Duration { return k.ttl + k.ttl/ticksPerLease }

// goneFor is how long the record of an instance that has gone is kept: whoever asks how
// it went asks within minutes.
const goneFor = time.Hour

// tidy removes the records of instances that have long gone.
func (k *keeper) tidy(ctx context.Context) {
	k.mu.Lock()
	var old []string
	for id, s := range k.instances {
		if s.Gone != "" && time.Since(s.seen) > goneFor {
			old = append(old, id)
			delete(k.instances, id)
		}
	}
	k.mu.Unlock()
	for _, id := range old {
		ctx, cancel := context.WithTimeout(ctx, k.ttl/beatsPerLease)
		_ = k.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+bucketLeases+"."+instanceKey+id)) // or another instance does
		cancel()
	}
}

// waiting is how many messages with that key wait at the other instances, as far as it is many.
func (k *keeper) waiting(key string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for id, s := range k.instances {
		if id != k.me && s.Gone == "" {
			n += s.Waiting[key]
		}
	}
	return n
}

// live are the ids of the instances that share the lanes, this one included, in an order
// that all of them see. The lock is held.
func (k *keeper) live() []string {
	var all []string
	for id, s := range k.instances {
		if s.Gone == "" && s.Lanes {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// sawInstance takes in what a record says, unless that is old. The lock is held.
func (k *keeper) sawInstance(id string, rec instanceRecord, rev uint64) {
	before := k.instances[id]
	if before != nil && before.rev >= rev {
		return
	}
	if (before == nil || before.Gone != "") && rec.Gone == "" && id != k.me {
		k.log.Info().Str("instance", rec.Name).Msg("queue: another instance works here")
	}
	if before != nil && before.Gone == "" && rec.Gone == goneLeft {
		k.log.Info().Str("instance", rec.Name).Msg("queue: another instance has left")
	}
	k.instances[id] = &sighting{instanceRecord: rec, rev: rev, seen: time.Now()}
}

// Instance is one daemon at the store, for people.
type Instance struct {
	Name  string
	Since time.Time
	Here  bool     // it is this one
	Holds []string // its leases: lanes, and tasks that one instance does for all
}

// Instances tells who works at the store and what each holds, by name. It is empty where
// the server is the embedded one, which serves this process alone.
func (s *Store) Instances() []Instance {
	if s.keeper == nil {
		return nil
	}
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []Instance
	for id, other := range k.instances {
		if other.Gone != "" {
			continue
		}
		one := Instance{Name: other.Name, Since: other.Since, Here: id == k.me}
		for _, name := range slices.Sorted(maps.Keys(k.leases)) {
			if k.leases[name].owner == id {
				one.Holds = append(one.Holds, name)
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Since.Compare(b.Since))
	})
	return all
}

// LeaseCounts is how the work is shared: by who holds what, and what changed since Open.
type LeaseCounts struct {
	Instances               int
	Here, Elsewhere, Nobody int
	Taken, Given, Lost      uint64
}

// Leases counts the leases; nothing where the server is the embedded one.
func (s *Store) Leases() LeaseCounts {
	if s.keeper == nil {
		return LeaseCounts{}
	}
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	c := LeaseCounts{Taken: k.changes.taken, Given: k.changes.given, Lost: k.changes.lost}
	for _, other := range k.instances {
		if other.Gone == "" {
			c.Instances++
		}
	}
	for _, l := range k.leases {
		switch {
		case l.tenure != nil:
			c.Here++
		case k.free(l) || l.owner == k.me:
			c.Nobody++
		default:
			c.Elsewhere++
		}
	}
	return c
}

// Elsewhere tells whether another instance works on the messages to a network.
func (s *Store) Elsewhere(network string) bool {
	if s.keeper == nil {
		return false
	}
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.lease(leaseOUT + network)
	return l.owner != k.me && !k.free(l)
}

// sharedKey is the prefix of what all instances share.
const sharedKey = "shared."

// SharedKey gives what the first instance that asked for it has stored under a name of a-z
// and dash: fresh, where this is the first. All instances at an external server get the
// same; where the server is the embedded one it returns fresh.
func (s *Store) SharedKey(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	if s.keeper == nil {
		return fresh, nil
	}
	_, err := s.save(ctx, s.shared, sharedKey+name, fresh, 0)
	if err == nil {
		return fresh, nil
	}
	if !errors.Is(err, bridge.ErrConflict) {
		return nil, fmt.Errorf("queue: share %s: %w", name, err)
	}
	// A replica may not have it yet.
	for attempt := 0; ; attempt++ {
		value, _, err := s.load(ctx, s.shared, sharedKey+name)
		if err == nil || !errors.Is(err, bridge.ErrNotFound) || !sleep(ctx, retryDelay(attempt, 10*time.Millisecond, time.Second)) {
			return value, err
		}
	}
}

// errChanged: a record is not as it was when it was read.
var errChanged = errors.New("queue: the record was changed by another instance")

// write stores a record if its revision is still rev (0: there is none). It takes at most
// the time between two renewals.
func (k *keeper) write(ctx context.Context, key string, record any, rev uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, k.ttl/beatsPerLease)
	defer cancel()
	data, err := json.Marshal(record)
	if err != nil {
		return 0, err
	}
	next, err := k.kv.Update(ctx, key, data, rev)
	if conflicting(err) {
		return 0, fmt.Errorf("%w (%w)", errChanged, err)
	}
	return next, err
}

func conflicting(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
