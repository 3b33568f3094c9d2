package queue

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// keeper keeps the leases of this instance at an external server. Two goroutines: one
// renews the record of this instance (instance.go), one watches the others, takes what is
// free and gives what others should have (lease.go).
type keeper struct {
	kv      jetstream.KeyValue
	stream  jetstream.Stream // of kv
	log     zerolog.Logger
	ttl     time.Duration
	name    string // for people
	process string
	lanes   int
	many    func() map[string]int // what the others are told of what waits here
	start0  time.Time             // what clock counts from
	// receipts tells the others when receipts came here; nil until somebody says.
	receipts atomic.Pointer[func() map[string]time.Time]
	until    atomic.Int64 // by clock: when the leases of this instance are over

	kick, beatNow, again chan struct{}

	mu        sync.Mutex
	me        string        // this instance, until it is evicted
	rev       uint64        // of its record; 0: there is none yet
	renewed   time.Duration // by clock: when it was last written
	steady    time.Time     // since when it is written in time
	since     time.Time
	seenAll   bool // the view is complete
	instances map[string]*sighting
	leases    map[string]*lease
	changes   leaseChanges

	cancel context.CancelFunc
	loops  sync.WaitGroup
}

type leaseChanges struct{ taken, given, lost uint64 }

func newKeeper(s *Store, kv jetstream.KeyValue, stream jetstream.Stream) *keeper {
	k := &keeper{
		kv: kv, stream: stream, log: s.log, ttl: s.cfg.LeaseTime, name: instanceName(s.id), process: s.id, lanes: s.lanes, many: s.manyWaiting, start0: time.Now(),
		kick: make(chan struct{}, 1), beatNow: make(chan struct{}, 1), again: make(chan struct{}, 1),
		instances: make(map[string]*sighting), leases: make(map[string]*lease),
	}
	k.until.Store(-1)
	k.begin()
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.loops.Go(func() { k.beat(ctx) })
	k.loops.Go(func() { k.watch(ctx) })
	k.loops.Go(func() { k.manage(ctx) })
	return k
}

// instanceName tells instances apart for people: the host, and the end of an id for several on one.
func instanceName(id string) string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	return host + "/" + strings.ToLower(id[len(id)-6:])
}

// clock is the monotonic clock: it goes on while the process is stopped, and no
// operator's change of the time moves it.
func (k *keeper) clock() time.Duration { return time.Since(k.start0) }

func (k *keeper) expired() bool { return k.remaining() <= 0 }

func (k *keeper) remaining() time.Duration { return time.Duration(k.until.Load()) - k.clock() }

// poke has manage look again.
func (k *keeper) poke() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// look has watch read everything anew.
func (k *keeper) look() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

func (k *keeper) manage(ctx context.Context) {
	tick := time.NewTicker(k.ttl / ticksPerLease)
	defer tick.Stop()
	for {
		select {
		case <-k.kick:
		case <-tick.C:
			k.evict(ctx)
			k.tidy(ctx)
		case <-ctx.Done():
			return
		}
		k.settle(ctx)
	}
}

// settle brings the leases to where they should be, as far as that is known.
func (k *keeper) settle(ctx context.Context) {
	k.mu.Lock()
	if !k.seenAll || k.expired() || k.instances[k.me] == nil {
		k.mu.Unlock()
		return
	}
	p := k.decide()
	k.mu.Unlock()
	for _, name := range p.free {
		k.assign(ctx, name, "")
	}
	for _, name := range p.take {
		k.assign(ctx, name, k.me)
	}
	if len(p.take) > 0 {
		k.poke() // what was taken begins
	}
}

// assign writes who holds a lease, which nobody else holds.
func (k *keeper) assign(ctx context.Context, name, owner string) {
	k.mu.Lock()
	rev, me := k.lease(name).rev, k.me
	k.mu.Unlock()
	if owner != "" && owner != me {
		return // evicted since
	}
	rec := leaseRecord{V: layout, Owner: owner, Since: time.Now().UTC()}
	next, err := k.write(ctx, leaseKey+name, rec, rev)
	if err != nil {
		// Whatever became of it comes back through the watch.
		k.log.Debug().Err(err).Str("lease", name).Msg("queue: a lease was not written")
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if owner == "" {
		k.changes.given++
		k.log.Debug().Str("lease", name).Msg("queue: given back")
	}
	k.sawLease(name, rec, next)
}

// sawLease takes in what a record says, unless that is old. The lock is held.
func (k *keeper) sawLease(name string, rec leaseRecord, rev uint64) {
	l := k.lease(name)
	if rev <= l.rev {
		return
	}
	l.owner, l.rev, l.seen = rec.Owner, rev, time.Now()
	if l.owner != k.me {
		l.giving = false
	}
}

// watch follows the bucket until ctx ends. The records of this instance must come back
// through it as they are renewed: where they do not, it begins anew.
func (k *keeper) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		k.log.Debug().Err(err).Msg("queue: the leases are read anew")
		sleep(ctx, k.ttl/beatsPerLease/4)
	}
}

func (k *keeper) follow(ctx context.Context) error {
	w, err := k.kv.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }()
	silent := time.NewTimer(k.ttl / 2)
	defer silent.Stop()
	for {
		select {
		case e, open := <-w.Updates():
			switch {
			case !open:
				return errors.New("queue: the watch has ended")
			case e == nil:
				k.mu.Lock()
				k.seenAll = true
				k.mu.Unlock()
			default:
				k.saw(e)
			}
			silent.Reset(k.ttl / 2)
			k.poke()
		case <-silent.C:
			return errors.New("queue: the watch is silent")
		case <-k.again:
			return errors.New("queue: the view was old")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// saw takes in one record.
func (k *keeper) saw(e jetstream.KeyValueEntry) {
	if e.Operation() != jetstream.KeyValuePut {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	if id, ok := strings.CutPrefix(e.Key(), instanceKey); ok {
		var rec instanceRecord
		if err = json.Unmarshal(e.Value(), &rec); err == nil {
			k.sawInstance(id, rec, e.Revision())
		}
	} else if name, ok := strings.CutPrefix(e.Key(), leaseKey); ok {
		var rec leaseRecord
		if err = json.Unmarshal(e.Value(), &rec); err == nil {
			k.sawLease(name, rec, e.Revision())
		}
	}
	if err != nil {
		k.log.Error().Err(err).Str("key", e.Key()).Msg("queue: a record of the leases cannot be read; nothing is taken over from it")
	}
}

// close gives back what is held and says that this instance has left, unless the server is
// away. Nobody uses a lease any more.
func (k *keeper) close(connected bool) {
	k.cancel()
	k.loops.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rev == 0 || !connected {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.ttl/2)
	defer cancel()
	for name, l := range k.leases {
		if l.owner == k.me {
			_, _ = k.write(ctx, leaseKey+name, leaseRecord{V: layout, Since: time.Now().UTC()}, l.rev) // free in any case, with the next
		}
	}
	rec := instanceRecord{V: layout, Name: k.name, Process: k.process, Since: k.since, Gone: goneLeft}
	if _, err := k.write(ctx, instanceKey+k.me, rec, k.rev); err != nil {
		k.log.Warn().Err(err).Msg("queue: the other instances were not told that this one leaves; they take over when its lease is over")
	}
}
