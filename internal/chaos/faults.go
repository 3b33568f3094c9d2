//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"smsbridge/internal/chaos/history"
	"smsbridge/smpp/smsc"
)

// fault is something that breaks, and is whole again when breaks returns.
type fault struct {
	name   string
	often  int // how often it comes, beside the others
	fatal  bool
	doubt  bool // an answer to a submit may be lost
	wire   bool // it breaks the wire or the SMSC, and can beside another
	needs  func(*run) bool
	where  place
	breaks func(context.Context, *run, *rand.Rand) error
}

// place is where a fault can be played.
type place int

const (
	everywhere place = iota
	alone            // one daemon with the queue inside
	together         // several daemons on a NATS cluster
)

// faultTable is all that can break.
func faultTable() []fault {
	return []fault{
		{name: "kill", often: 60, fatal: true, doubt: true, breaks: kill},
		{name: "kill-starting", often: 6, fatal: true, doubt: true, breaks: killStarting},
		{name: "stop", often: 4, fatal: true, doubt: true, breaks: stop},
		{name: "restart", often: 3, fatal: true, doubt: true, breaks: restart},
		{name: "cut", often: 6, doubt: true, wire: true, breaks: cut},
		{name: "silence", often: 4, doubt: true, wire: true, breaks: silent},
		{name: "slow-wire", often: 3, doubt: true, wire: true, breaks: slowWire},
		{name: "smsc", often: 20, doubt: true, wire: true, breaks: smscFault},
		{name: "xmpp-kill", often: 6, needs: hasXMPP, breaks: killXMPP},
		{name: "xmpp-cut", often: 6, needs: hasXMPP, breaks: cutXMPP},
		{name: "disk-low", often: 2, fatal: true, where: alone, needs: hasDisk, breaks: fillDisk(minFree / 2)},
		{name: "disk-full", often: 2, fatal: true, doubt: true, where: alone, needs: hasDisk, breaks: fillDisk(0)},
		{name: "disk-hangs", often: 3, fatal: true, doubt: true, where: alone, needs: hasDisk, breaks: freezeDisk},
		{name: "clock", often: 3, fatal: true, doubt: true, needs: func(r *run) bool { return r.clock != nil }, breaks: stepClock},
		{name: "node-kill", often: 25, fatal: true, doubt: true, where: together, breaks: killNode},
		{name: "node-stop", often: 5, fatal: true, doubt: true, where: together, breaks: stopNode},
		{name: "nodes-kill", often: 3, fatal: true, doubt: true, where: together, breaks: killNodes},
		{name: "partition", often: 10, fatal: true, doubt: true, where: together, needs: func(r *run) bool { return r.daemons[0].island != nil }, breaks: partition},
	}
}

func faultNames() []string {
	var all []string
	for _, f := range faultTable() {
		all = append(all, f.name)
	}
	return all
}

func hasDisk(r *run) bool { return r.disk != nil }

// mayPlay tells whether a run is to play a fault, if the machine can.
func (c config) mayPlay(f fault) bool {
	wanted := c.wanted()
	if f.where == alone && c.nodes > 0 || f.where == together && c.nodes == 0 {
		return false
	}
	if c.mild && f.fatal {
		return false
	}
	return wanted == nil || slices.Contains(wanted, f.name)
}

// plays tells whether a run is to play one of these faults.
func (c config) plays(names ...string) bool {
	return slices.ContainsFunc(faultTable(), func(f fault) bool { return slices.Contains(names, f.name) && c.mayPlay(f) })
}

// faults are those that this run plays.
func (r *run) faults() []fault {
	return slices.DeleteFunc(faultTable(), func(f fault) bool { return !r.cfg.mayPlay(f) || f.needs != nil && !f.needs(r) })
}

// breakThings breaks things until there were enough kills and it took long enough.
func (r *run) breakThings(ctx context.Context) error {
	end := time.Now().Add(r.cfg.last)
	enough := func() bool { return time.Now().After(end) && r.killed() >= r.cfg.kills } // of daemons and of nodes
	all := r.faults()
	if !r.cfg.together {
		return r.breakSome(ctx, r.cfg.rand("faults"), all, enough)
	}
	return r.breakBeside(ctx, all, enough)
}

// breakBeside breaks the wire and the SMSC while it breaks other things, until enough.
func (r *run) breakBeside(ctx context.Context, all []fault, enough func() bool) error {
	isWire := func(f fault) bool { return f.wire }
	others := slices.DeleteFunc(slices.Clone(all), isWire)
	wire := slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return !isWire(f) })
	beside, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- r.breakSome(beside, r.cfg.rand("faults of the wire"), wire, func() bool { return false })
	}()
	err := r.breakSome(ctx, r.cfg.rand("faults"), others, enough)
	stop()
	if ending := <-ended; !errors.Is(ending, context.Canceled) {
		err = errors.Join(err, ending)
	}
	return err
}

// breakSome breaks one thing after the other until enough.
func (r *run) breakSome(ctx context.Context, choice *rand.Rand, all []fault, enough func() bool) error {
	total := 0
	for _, f := range all {
		total += f.often
	}
	for !enough() {
		if err := sleep(ctx, around(choice, r.cfg.every)); err != nil {
			return err
		}
		if total == 0 {
			continue
		}
		n := choice.IntN(total)
		i := 0
		for ; n >= all[i].often; i++ {
			n -= all[i].often
		}
		if err := r.play(ctx, all[i], choice); err != nil {
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
	}
	return nil
}

// play breaks one thing, and writes down when that began and when it was over.
func (r *run) play(ctx context.Context, f fault, choice *rand.Rand) error {
	r.record.Add(history.Event{Kind: history.Fault, Note: f.name, Doubt: f.doubt})
	r.counts.fault(f.name)
	err := f.breaks(ctx, r, choice)
	r.record.Add(history.Event{Kind: history.Fault, Note: f.name + " is over", Doubt: f.doubt})
	return err
}

// between picks a duration.
func between(choice *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(choice.Int64N(int64(most-least)))
}

// pick chooses one of several.
func pick[T any](choice *rand.Rand, from []T) T { return from[choice.IntN(len(from))] }

// away is how long a process may be missing: where there are others, long enough for them to
// take over.
func (r *run) away(choice *rand.Rand) time.Duration {
	if len(r.nodes) == 0 {
		return 0
	}
	return between(choice, 0, 2*leaseTime)
}

func kill(ctx context.Context, r *run, choice *rand.Rand) error {
	d := pick(choice, r.daemons)
	d.kill()
	r.counts.kills.Add(1)
	if err := r.restored(); err != nil {
		return err
	}
	if err := sleep(ctx, r.away(choice)); err != nil {
		return err
	}
	return d.start(ctx)
}

// killStarting kills a daemon while it starts, once or twice.
func killStarting(ctx context.Context, r *run, choice *rand.Rand) error {
	d := pick(choice, r.daemons)
	for range 1 + choice.IntN(2) {
		d.kill()
		if err := d.startAndKill(ctx, between(choice, 0, 400*time.Millisecond)); err != nil {
			return err
		}
		r.counts.kills.Add(2)
	}
	return d.start(ctx)
}

// stop lets a daemon stand still and go on, as if nothing had been.
func stop(ctx context.Context, r *run, choice *rand.Rand) error {
	return standStill(ctx, &pick(choice, r.daemons).process, between(choice, 500*time.Millisecond, 6*time.Second))
}

func standStill(ctx context.Context, p *process, d time.Duration) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = p.signal(syscall.SIGCONT) }() // it was there a moment ago
	return sleep(ctx, d)
}

// restart ends a daemon in good order.
func restart(ctx context.Context, r *run, choice *rand.Rand) error {
	d := pick(choice, r.daemons)
	if err := d.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timeout := time.NewTimer(startWithin)
	defer timeout.Stop()
	select {
	case <-d.gone():
	case <-timeout.C:
		return fmt.Errorf("daemon %s did not end within %s of SIGTERM", d.name, startWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
	return d.start(ctx)
}

// cut resets the connections to the SMSC, and mostly turns the next ones away for a while.
func cut(ctx context.Context, r *run, choice *rand.Rand) error {
	r.wire.down.Store(choice.IntN(3) > 0)
	defer r.wire.down.Store(false)
	r.wire.cut()
	return sleep(ctx, between(choice, 0, 2*time.Second))
}

// silent lets all that is sent vanish, on connections that seem to be alive.
func silent(ctx context.Context, r *run, choice *rand.Rand) error {
	r.wire.hush()
	return sleep(ctx, between(choice, time.Second, 3*time.Second))
}

func slowWire(ctx context.Context, r *run, choice *rand.Rand) error {
	r.wire.delay.Store(int64(between(choice, 10*time.Millisecond, 300*time.Millisecond)))
	defer r.wire.delay.Store(0)
	return sleep(ctx, between(choice, time.Second, 3*time.Second))
}

// smscFaults are what the SMSC may do wrong, of all that it can play: how often at most.
var smscFaults = []struct {
	name string
	most int
}{
	{"throttled", 30},
	{"queue-full", 10},
	{"system-error", 2},
	{"not-bound", 2},
	{"no-answer", 2},
	{"answer-lost", 2},
	{"late-answer", 3},
	{"nack", 1},
	{"nack-nameless", 1},
	{"out-of-order", 20},
	{"receipt-early", 10},
	{"receipt-twice", 10},
	{"receipt-elsewhere", 10},
	{"receipt-stranger", 5},
	{"receipt-base", 10},
	{"deliver-twice", 10},
	{"deliver-same-sequence", 10},
	{"unknown-command", 5},
	{"bind-silent", 1},
	{"bind-refused", 2},
	{"already-bound", 2},
	{"length-short", 1},
	{"length-long", 1},
	{"length-huge", 1},
	{"cut-off", 1},
	{"unbind", 2},
	{"unbind-abrupt", 1},
	{"stops-reading", 1},
	{"half-open", 1},
	{"reset", 2},
	{"trickle", 20},
}

func smscFault(ctx context.Context, r *run, choice *rand.Rand) error {
	f := smscFaults[choice.IntN(len(smscFaults))]
	r.counts.fault("smsc " + f.name)
	r.record.Add(history.Event{Kind: history.Fault, Note: f.name, Doubt: true})
	err := r.phones.server.SwitchOn(f.name, smsc.Params{Count: 1 + choice.IntN(f.most), For: between(choice, time.Second, 4*time.Second)})
	if err != nil {
		return err
	}
	defer func() { _ = r.phones.server.SwitchOff(f.name) }() // there is one of that name
	return sleep(ctx, between(choice, 200*time.Millisecond, 2*time.Second))
}

// fillDisk leaves so many bytes on the daemon's disk for a while.
func fillDisk(leave int64) func(context.Context, *run, *rand.Rand) error {
	return func(ctx context.Context, r *run, choice *rand.Rand) (err error) {
		defer func() {
			if emptied := r.disk.empty(); err == nil {
				err = emptied
			}
		}()
		if err := r.disk.fill(leave); err != nil {
			return err
		}
		return sleep(ctx, between(choice, time.Second, 5*time.Second))
	}
}

// freezeDisk lets all writes to the daemon's disk hang.
func freezeDisk(ctx context.Context, r *run, choice *rand.Rand) error {
	if err := r.disk.freeze(); err != nil {
		return err
	}
	err := sleep(ctx, between(choice, 300*time.Millisecond, 4*time.Second))
	if thawed := r.disk.thaw(); err == nil {
		err = thawed
	}
	return err
}

// stepClock sets the daemon's wall clock forward or back, by up to an hour from the right time.
func stepClock(ctx context.Context, r *run, choice *rand.Rand) error {
	const hour = int64(time.Hour)
	if err := r.clock.set(time.Duration(choice.Int64N(2*hour) - hour)); err != nil {
		return err
	}
	return sleep(ctx, between(choice, 500*time.Millisecond, 2*time.Second))
}

// killNode kills one of the NATS servers. The others have a majority, where there are three.
func killNode(ctx context.Context, r *run, choice *rand.Rand) error {
	return r.killNodes(ctx, choice, []*node{pick(choice, r.nodes)})
}

// killNodes kills all but one of the NATS servers, so that nothing can be stored for a while.
func killNodes(ctx context.Context, r *run, choice *rand.Rand) error {
	spared := choice.IntN(len(r.nodes))
	return r.killNodes(ctx, choice, slices.Delete(slices.Clone(r.nodes), spared, spared+1))
}

func (r *run) killNodes(ctx context.Context, choice *rand.Rand, some []*node) error {
	for _, n := range some {
		n.kill()
		r.counts.nodeKills.Add(1)
	}
	if err := sleep(ctx, between(choice, 0, 5*time.Second)); err != nil {
		return err
	}
	for _, n := range some {
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range some {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stopNode lets a NATS server stand still and go on.
func stopNode(ctx context.Context, r *run, choice *rand.Rand) error {
	return standStill(ctx, &pick(choice, r.nodes).process, between(choice, 500*time.Millisecond, 8*time.Second))
}

// partition cuts one daemon off from everything, and joins it again.
func partition(ctx context.Context, r *run, choice *rand.Rand) error {
	i := pick(choice, r.daemons).island
	if err := i.cutOff(); err != nil {
		return err
	}
	err := sleep(ctx, between(choice, time.Second, 4*leaseTime))
	if joined := i.joinAgain(); err == nil {
		err = joined
	}
	return err
}
