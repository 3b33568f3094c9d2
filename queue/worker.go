package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// stage is what tells the messages of one work queue from another's.
type stage[M any] struct {
	name string
	// groups are the second tokens of the subjects that get lanes of their own, so that one
	// network that is away holds up no other; * is all of them.
	groups []string
	id     func(*M) string
	key    func(*M) string
	// route is what a message waits for with others, which has handlers of its own; nil: all
	// wait for the same.
	route func(*Store, *M) string
	// counted are the keys that the messages of a line are counted by; nil: they are not.
	counted func(*Store, *M) []string
	// dead puts the message into a dead letter.
	dead func(*bridge.Dead, *M)
}

var (
	mtStage = stage[bridge.MT]{
		name: stageMT, groups: []string{"*"},
		id:   func(m *bridge.MT) string { return m.ID },
		key:  func(m *bridge.MT) string { return m.Key() },
		dead: func(d *bridge.Dead, m *bridge.MT) { d.MT = m },

		route:   (*Store).routeOf,
		counted: (*Store).countedAs,
	}
	moStage = stage[bridge.MO]{
		name: stageMO, groups: []string{"*"},
		id:   func(m *bridge.MO) string { return m.ID },
		key:  func(m *bridge.MO) string { return m.Key() },
		dead: func(d *bridge.Dead, m *bridge.MO) { d.MO = m },
	}
	outStage = stage[bridge.OUT]{
		name:   stageOUT,
		groups: []string{addressing.NetworkXMPP, addressing.NetworkWeb, addressing.NetworkMatrix},
		id:     func(m *bridge.OUT) string { return m.ID },
		key:    func(m *bridge.OUT) string { return m.Key() },
		dead:   func(d *bridge.Dead, m *bridge.OUT) { d.OUT = m },
	}
)

// RunMT hands the messages of the MT queue to handle until ctx ends. One conversation's
// messages come one at a time, in the order in which they were stored; conversations
// run side by side, and one whose handler blocks holds up no other until Config.Credit
// of its route block in the lane.
//
// handle returns nil when it is done with the message: once all that it stored is on disk
// the message leaves the queue. After an error the same message comes again, after a
// delay, before any other of its conversation; a bridge.LaterError sets the time, and counts
// as no failure. A panic counts as an error; after five on one
// message it becomes a dead letter, as does a message that cannot be decoded. A message may come
// again after a crash although it was done.
//
// When ctx ends the handlers' ctx ends, no other handler starts, and RunMT returns nil once
// they have returned; what they did not finish stays queued. Trouble with NATS is
// waited out. There is one RunMT at a time; a second one, and one after Close, return an
// error at once.
func (s *Store) RunMT(ctx context.Context, handle func(context.Context, bridge.MT) error) error {
	return run(ctx, s, mtStage, handle)
}

// RunMO hands the messages of the MO queue to handle; see [Store.RunMT]. A text only once it
// is on disk: the server hands it out before that, and what a power cut takes back the SMSC sends
// again, as a message with another id, which must not have been shown. A receipt waits for
// nothing: one that comes again changes nothing.
func (s *Store) RunMO(ctx context.Context, handle func(context.Context, bridge.MO) error) error {
	return run(ctx, s, moStage, func(ctx context.Context, m bridge.MO) error {
		if !m.IsReceipt() {
			if err := s.commit.arrived(ctx); err != nil {
				return err
			}
		}
		return handle(ctx, m)
	})
}

// RunOUT hands the messages of the OUT queue to handle, each network in lanes of its
// own; see [Store.RunMT].
func (s *Store) RunOUT(ctx context.Context, handle func(context.Context, bridge.OUT) error) error {
	return run(ctx, s, outStage, handle)
}

func run[M any](ctx context.Context, s *Store, st stage[M], handle func(context.Context, M) error) error {
	finished, err := s.begin(st.name)
	if err != nil {
		return err
	}
	defer finished()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)() // Close ends it too
	var lanes sync.WaitGroup
	for _, group := range st.groups {
		for n := range s.lanes {
			lanes.Go(func() {
				s.hold(ctx, leaseOf(st.name, group, n), func(ctx context.Context) { newLane(s, st, group, n, handle).run(ctx) })
			})
		}
	}
	lanes.Wait()
	return nil
}

// leaseOf names the lease of a lane.
func leaseOf(stage, group string, lane int) string {
	if stage == stageOUT {
		return leaseOUT + group
	}
	return leaseLane + strconv.Itoa(lane)
}

// hold runs work while this instance has the lease; at once where it is alone.
func (s *Store) hold(ctx context.Context, lease string, work func(context.Context)) {
	if s.keeper == nil {
		work(ctx)
		return
	}
	s.keeper.hold(ctx, lease, work)
}

// RunAlone runs work in one instance at a time of all that call it with the same task,
// until ctx ends or work returns by itself, which gives its error. In the others it waits
// to take over. The ctx of work ends as soon as this instance may be alone no more; then
// RunAlone waits again. The name is of a-z, 0-9 and dash.
func (s *Store) RunAlone(ctx context.Context, task string, work func(context.Context) error) error {
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return ErrClosed
	}
	s.runs.Add(1)
	s.mu.Unlock()
	defer s.runs.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	var err error
	s.hold(ctx, task, func(ctx context.Context) { err = work(ctx) })
	return err
}

// RunBeside is [Store.RunAlone] for the connection to a network: in the instance that
// works on the messages to it, so that they find the connection.
func (s *Store) RunBeside(ctx context.Context, network string, work func(context.Context) error) error {
	return s.RunAlone(ctx, leaseOUT+network, work)
}

// begin takes the stage for one Run; the function that it returns gives it back.
func (s *Store) begin(stage string) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if s.running[stage] {
		return nil, fmt.Errorf("queue: %s is being worked on already: end the other Run first", stage)
	}
	s.running[stage] = true
	s.runs.Add(1)
	return func() {
		s.mu.Lock()
		delete(s.running, stage)
		s.mu.Unlock()
		s.runs.Done()
	}, nil
}

// consumerConfig is the durable consumer of a lane.
func (l *lane[M]) consumerConfig() jetstream.ConsumerConfig {
	group := l.group
	if group == "*" {
		group = "all"
	}
	n := strconv.Itoa(l.number)
	return jetstream.ConsumerConfig{
		Durable:       group + "-" + n,
		FilterSubject: l.prefix() + n,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       l.s.cfg.AckWait,
		MaxDeliver:    -1, // attempts are the journal's
		MaxAckPending: l.s.cfg.Held,
		MaxWaiting:    16, // one request at a time; the rest is for those of a dead process
		// Each Run begins at the oldest message whatever the server knew of the last one, so
		// the server of this process need not note that several times a second.
		MemoryStorage: l.s.server != nil,
	}
}

// decode reads a message of the queue.
func decode[M any](data []byte) (*M, error) {
	m := new(M)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, err
	}
	return m, nil
}

// retryDelay doubles from shortest to longest with the attempts, counted from 0, and
// takes off up to a quarter by chance, so that those who failed together do not come
// back together.
func retryDelay(attempt int, shortest, longest time.Duration) time.Duration {
	d := longest
	if attempt < 32 && shortest<<attempt > 0 {
		d = min(shortest<<attempt, longest)
	}
	return d - rand.N(d/4+1)
}

// sleep waits for d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
