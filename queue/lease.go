package queue

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"smsbridge/bridge"
)

// This file is the leases: each lane, and each task that one instance does for all, is
// held by one instance at a time.

// The leases. Lane n of MT and MO is one: so the receipts of a phone meet the submits to it
// in one process. All lanes of a network's OUT are one, beside the connection to it.
const (
	leaseLane = "lane-"
	leaseOUT  = "out-"
)

// leaseRecord says who holds a lease. An owner that is gone holds nothing.
type leaseRecord struct {
	V     int       `json:"v"`
	Owner string    `json:"owner"` // empty: nobody
	Since time.Time `json:"since"`
}

// lease is what this instance knows of one.
type lease struct {
	name  string
	owner string
	rev   uint64
	seen  time.Time

	users   int           // who wants it here
	active  int           // whose work runs under it
	tenure  *tenure       // while it is held here
	giving  bool          // it goes to another instance once nobody is active
	changed chan struct{} // closed and renewed when tenure changes
}

// tenure is one time of holding a lease.
type tenure struct {
	k      *keeper
	ctx    context.Context // ends with it
	cancel context.CancelFunc
	lost   atomic.Bool // another may hold the lease already
}

// errLeaseLost ends what a former holder still does.
var errLeaseLost = errors.New("queue: another instance may hold this lane now; nothing more is done for it here")

// err tells whether the lease is surely held, by the clock: a process that was stopped for
// a while finds out before any timer or message can tell it.
func (t *tenure) err() error {
	if t.lost.Load() || t.k.expired() {
		return errLeaseLost
	}
	return nil
}

// heldContext is the context of work under a lease. Its Err is the truth at once.
type heldContext struct {
	context.Context
	tenure *tenure
	over   atomic.Bool // Err has said so
}

type tenureKey struct{}

func (c *heldContext) Err() error {
	err := c.Context.Err()
	if err == nil {
		err = c.tenure.err()
	}
	if err != nil {
		c.over.Store(true)
	}
	return err
}

func (c *heldContext) Value(key any) any {
	if key == (tenureKey{}) {
		return c.tenure
	}
	return c.Context.Value(key)
}

// fence refuses a write of work whose lease was lost, even where the work goes on to
// record what it had begun. It is nil outside of leases.
func fence(ctx context.Context) error {
	if t, held := ctx.Value(tenureKey{}).(*tenure); held {
		return t.err()
	}
	return nil
}

// hold runs work whenever this instance has the lease, until ctx ends or work ends by
// itself. The context of work ends when the lease is lost or wanted elsewhere; the lease is
// given back once work has returned.
func (k *keeper) hold(ctx context.Context, name string, work func(context.Context)) {
	k.want(name, 1)
	defer k.want(name, -1)
	for {
		t := k.enter(ctx, name)
		if t == nil {
			return
		}
		inner, cancel := context.WithCancelCause(ctx)
		stop := context.AfterFunc(t.ctx, func() { cancel(bridge.ErrTakenOver) })
		held := &heldContext{Context: inner, tenure: t}
		work(held)
		// What was told that its time is over, if only by the clock, has not ended by itself.
		itself := held.Err() == nil && !held.over.Load()
		stop()
		cancel(nil)
		k.leave(name)
		if itself || ctx.Err() != nil {
			return
		}
	}
}

// enter waits until the lease is held here; nil if ctx ends first.
func (k *keeper) enter(ctx context.Context, name string) *tenure {
	for {
		k.mu.Lock()
		l := k.lease(name)
		t, changed := l.tenure, l.changed
		var renewed <-chan time.Time
		if t != nil && t.ctx.Err() == nil {
			if t.err() == nil {
				l.active++
				k.mu.Unlock()
				return t
			}
			renewed = time.After(k.ttl / beatsPerLease / 4) // it is being renewed, or lost
		}
		k.mu.Unlock()
		select {
		case <-changed:
		case <-renewed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *keeper) leave(name string) {
	k.mu.Lock()
	k.lease(name).active--
	k.mu.Unlock()
	k.poke()
}

// want counts who wants a lease here. Who begins or ends to share the lanes tells the others.
func (k *keeper) want(name string, n int) {
	k.mu.Lock()
	before := k.wantsLanes()
	k.lease(name).users += n
	tell := before != k.wantsLanes()
	k.mu.Unlock()
	if tell {
		select {
		case k.beatNow <- struct{}{}:
		default:
		}
	}
	k.poke()
}

// lease finds or makes what is known of a lease. The lock is held.
func (k *keeper) lease(name string) *lease {
	l := k.leases[name]
	if l == nil {
		l = &lease{name: name, changed: make(chan struct{}), seen: time.Now()}
		k.leases[name] = l
	}
	return l
}

// wantsLanes tells whether this instance works on lanes. The lock is held.
func (k *keeper) wantsLanes() bool {
	for n := range k.lanes {
		if l := k.leases[leaseLane+strconv.Itoa(n)]; l != nil && l.users > 0 {
			return true
		}
	}
	return false
}

// set begins or ends the tenure of a lease. The lock is held.
func (l *lease) set(t *tenure) {
	if l.tenure != nil {
		l.tenure.cancel()
	}
	l.tenure = t
	close(l.changed)
	l.changed = make(chan struct{})
}

// lose ends every tenure at once: another instance may hold the leases already.
func (k *keeper) lose(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, l := range k.leases {
		if l.tenure != nil {
			l.tenure.lost.Store(true)
			l.set(nil)
			n++
		}
		l.giving = false
	}
	if n > 0 {
		k.changes.lost += uint64(n)
		k.log.Warn().Int("leases", n).Str("why", why).Msg("queue: this instance has lost its lanes; it takes them up again when it can")
	}
}

// plan is what is to be written about leases.
type plan struct {
	take, free []string
}

// decide begins and ends tenures as far as that needs no word with the store, and plans
// the rest. The lock is held.
func (k *keeper) decide() plan {
	var p plan
	p.take = k.share()
	for name, l := range k.leases {
		held := l.owner == k.me
		switch {
		case held && l.users == 0 && l.active == 0, held && l.giving && l.active == 0:
			l.set(nil)
			p.free = append(p.free, name)
		case held && l.giving:
			l.tenure.cancel()
		case held && l.tenure == nil && l.active == 0:
			k.start(l)
		case !held && l.tenure != nil:
			// Nobody may take it from a holder that lives: somebody wrote it by hand.
			l.tenure.lost.Store(true)
			l.set(nil)
		case l.owner != k.me && l.users > 0 && l.active == 0 && k.free(l) && !isLane(name):
			p.take = append(p.take, name)
		}
	}
	slices.Sort(p.free)
	return p
}

// start begins a tenure. The lock is held.
func (k *keeper) start(l *lease) {
	t := &tenure{k: k}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	l.giving = false
	l.set(t)
	k.changes.taken++
	k.log.Debug().Str("lease", l.name).Msg("queue: taken up here")
}

// free tells whether nobody holds a lease. The lock is held.
func (k *keeper) free(l *lease) bool {
	if l.owner == "" {
		return true
	}
	owner := k.instances[l.owner]
	return owner != nil && owner.Gone != ""
}

func isLane(name string) bool { return strings.HasPrefix(name, leaseLane) }

// share says which lanes this instance takes now, and marks those that it gives. The
// lock is held.
func (k *keeper) share() []string {
	live := k.live()
	if !slices.Contains(live, k.me) {
		return nil
	}
	owners := make([]string, k.lanes)
	for n := range owners {
		if l := k.lease(leaseLane + strconv.Itoa(n)); !k.free(l) && !l.giving {
			owners[n] = l.owner
		}
	}
	take, give := shareOut(k.me, live, owners)
	for _, n := range give {
		k.lease(leaseLane + strconv.Itoa(n)).giving = true
	}
	var names []string
	for _, n := range take {
		if l := k.lease(leaseLane + strconv.Itoa(n)); k.free(l) && l.users > 0 && l.active == 0 {
			names = append(names, l.name)
		}
	}
	return names
}
