package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"smsbridge/internal/chaos/history"
	"smsbridge/smpp/smsc"
)

// fault is something that breaks, and is whole again when do returns.
type fault struct {
	name   string
	often  int // how often it comes, beside the others
	fatal  bool
	doubt  bool // an answer to a submit may be lost
	needs  func(*run) bool
	breaks func(context.Context, *run, *rand.Rand) error
}

// faultTable is all that can break.
func faultTable() []fault {
	return []fault{
		{name: "kill", often: 60, fatal: true, doubt: true, breaks: kill},
		{name: "kill-starting", often: 6, fatal: true, doubt: true, breaks: killStarting},
		{name: "stop", often: 4, fatal: true, doubt: true, breaks: stop},
		{name: "restart", often: 3, fatal: true, doubt: true, breaks: restart},
		{name: "cut", often: 6, doubt: true, breaks: cut},
		{name: "silence", often: 4, doubt: true, breaks: silent},
		{name: "slow-wire", often: 3, doubt: true, breaks: slowWire},
		{name: "smsc", often: 20, doubt: true, breaks: smscFault},
		{name: "disk-low", often: 2, fatal: true, needs: hasDisk, breaks: fillDisk(minFree / 2)},
		{name: "disk-full", often: 2, fatal: true, doubt: true, needs: hasDisk, breaks: fillDisk(0)},
		{name: "disk-hangs", often: 3, fatal: true, doubt: true, needs: hasDisk, breaks: freezeDisk},
		{name: "clock", often: 3, fatal: true, doubt: true, needs: func(r *run) bool { return r.clock != nil }, breaks: stepClock},
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
	return !(c.mild && f.fatal) && (wanted == nil || slices.Contains(wanted, f.name))
}

// plays tells whether a run is to play one of these faults.
func (c config) plays(names ...string) bool {
	return slices.ContainsFunc(faultTable(), func(f fault) bool { return slices.Contains(names, f.name) && c.mayPlay(f) })
}

// faults are those that this run plays.
func (r *run) faults() []fault {
	return slices.DeleteFunc(faultTable(), func(f fault) bool { return !r.cfg.mayPlay(f) || f.needs != nil && !f.needs(r) })
}

// breakThings breaks one thing after the other until there were enough kills and it took long
// enough.
func (r *run) breakThings(ctx context.Context) error {
	choice, all := r.cfg.rand("faults"), r.faults()
	total := 0
	for _, f := range all {
		total += f.often
	}
	end := time.Now().Add(r.cfg.last)
	for time.Now().Before(end) || r.killed() < r.cfg.kills {
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

func kill(ctx context.Context, r *run, _ *rand.Rand) error {
	r.daemon.kill()
	r.counts.kills.Add(1)
	if err := r.restored(); err != nil {
		return err
	}
	return r.daemon.start(ctx)
}

// killStarting kills it while it starts, once or twice.
func killStarting(ctx context.Context, r *run, choice *rand.Rand) error {
	for range 1 + choice.IntN(2) {
		r.daemon.kill()
		r.counts.kills.Add(1)
		if err := r.daemon.startAndKill(ctx, between(choice, 0, 400*time.Millisecond)); err != nil {
			return err
		}
		r.counts.kills.Add(1)
	}
	return r.daemon.start(ctx)
}

// stop lets the process stand still and go on.
func stop(ctx context.Context, r *run, choice *rand.Rand) error {
	if err := r.daemon.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = r.daemon.signal(syscall.SIGCONT) }()
	return sleep(ctx, between(choice, 500*time.Millisecond, 5*time.Second))
}

// restart ends the daemon in good order.
func restart(ctx context.Context, r *run, _ *rand.Rand) error {
	if err := r.daemon.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-r.daemon.gone():
	case <-time.After(startWithin):
		return fmt.Errorf("the daemon did not end within %s of SIGTERM", startWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.daemon.start(ctx)
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
	{"throttled", 30}, {"queue-full", 10}, {"system-error", 2}, {"not-bound", 2}, {"no-answer", 2}, {"answer-lost", 2},
	{"late-answer", 3}, {"nack", 1}, {"nack-nameless", 1}, {"out-of-order", 20}, {"receipt-early", 10}, {"receipt-twice", 10},
	{"receipt-elsewhere", 10}, {"receipt-stranger", 5}, {"receipt-base", 10}, {"deliver-twice", 10}, {"deliver-same-sequence", 10},
	{"unknown-command", 5}, {"bind-silent", 1}, {"bind-refused", 2}, {"already-bound", 2}, {"length-short", 1}, {"length-long", 1},
	{"length-huge", 1}, {"cut-off", 1}, {"unbind", 2}, {"unbind-abrupt", 1}, {"stops-reading", 1}, {"half-open", 1}, {"reset", 2},
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
