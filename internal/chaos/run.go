//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/internal/chaos/history"
	"smsbridge/smpp/smsc"
)

// run is one run of the harness.
type run struct {
	cfg config
	out io.Writer
	dir string // to work in
	// results is where the log, the history and the measurements are: dir, if nobody asked for them.
	results string
	ctx     context.Context // of all that outlives the faults
	record  *history.Recorder
	counts  counts

	host    string // where NATS and the wire are
	nodes   []*node
	daemons []*daemon
	wire    *wire
	phones  *phones
	people  []*person
	xmpp    *xmpp  // nil: everybody comes by the API
	disk    *disk  // nil: the daemon writes where the harness does
	clock   *clock // nil: the daemon has the machine's clock

	samples []sample // of measure, until live returns

	failing sync.Once
	failed  error // the harness itself went wrong
	cancel  context.CancelFunc
	undo    []func() error // what makes up the run, the last first
}

// counts are what is only counted.
type counts struct {
	kills, nodeKills, refused atomic.Int64

	mu     sync.Mutex
	faults map[string]int
}

func (c *counts) fault(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == nil {
		c.faults = make(map[string]int)
	}
	c.faults[name]++
}

// killed is how many processes have been killed.
func (r *run) killed() int { return int(r.counts.kills.Load() + r.counts.nodeKills.Load()) }

// fail ends the run: what happened must not happen, or the harness cannot go on.
func (r *run) fail(err error) {
	r.failing.Do(func() {
		r.failed = err
		r.cancel()
	})
}

// perform makes a run and judges it.
func perform(ctx context.Context, cfg config, out io.Writer) (_ report, err error) {
	r := &run{cfg: cfg, out: out, record: history.NewRecorder(cfg.resend, validity)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	defer func() {
		for _, undo := range slices.Backward(r.undo) {
			err = errors.Join(err, undo())
		}
	}()
	if err := r.setUp(); err != nil {
		return report{}, errors.Join(err, r.failed)
	}
	began := time.Now()
	err = r.live()
	if err = cmp.Or(r.failed, err); err != nil {
		return report{}, errors.Join(err, r.keep())
	}
	return r.judge(time.Since(began))
}

// validity is the daemon's mt.validity, its default.
const validity = 48 * time.Hour

// setUp builds and starts all that a run is made of.
func (r *run) setUp() error {
	if err := r.makeDir(); err != nil {
		return err
	}
	if r.cfg.plays("disk-low", "disk-full", "disk-hangs") {
		if d, err := newDisk(r.dir); err == nil {
			r.disk = d
			r.undo = append(r.undo, d.remove)
		} else {
			fmt.Fprintf(r.out, "no faults of the disk: %v\n", err)
		}
	}
	r.host = "127.0.0.1"
	if r.cfg.plays("partition") {
		if addr, remove, err := newMainland(); err == nil {
			r.host = addr
			r.undo = append(r.undo, remove)
		} else {
			fmt.Fprintf(r.out, "no partitions: %v\n", err)
		}
	}
	if err := r.gather(); err != nil {
		return err
	}
	if err := r.startSMSC(); err != nil {
		return err
	}
	if r.cfg.nodes > 0 {
		if err := r.startNodes(); err != nil {
			return err
		}
	}
	return r.startDaemons()
}

// gather brings the people together.
func (r *run) gather() error {
	if r.cfg.xmpp {
		var err error
		switch r.xmpp, err = newXMPP(r); {
		case errors.Is(err, exec.ErrNotFound):
			fmt.Fprintf(r.out, "no XMPP users: %v\n", err)
		case err != nil:
			return err
		}
	}
	for i, name := range names[:r.cfg.people] {
		if r.xmpp != nil && byXMPP(i) {
			r.xmpp.users = append(r.xmpp.users, newXMPPUser(r, name))
		} else {
			r.people = append(r.people, newPerson(r, name))
		}
	}
	return nil
}

// makeDir makes the folder that a run works in, and the one for its results.
func (r *run) makeDir() (err error) {
	if r.dir, err = os.MkdirTemp("", "chaos"); err != nil {
		return err
	}
	r.undo = append(r.undo, func() error { return os.RemoveAll(r.dir) })
	r.results = r.dir
	if r.cfg.dir == "" {
		return nil
	}
	r.results = r.cfg.dir
	return os.MkdirAll(r.results, 0o700)
}

func (r *run) startSMSC() error {
	r.phones = newPhones(r)
	server, err := smsc.New(smsc.Config{
		Addr: "127.0.0.1:0", SystemID: "bridge", Password: "secret", ReceiptDelay: 50 * time.Millisecond, LateAfter: responseTimeout + time.Second,
		RetryMin: 50 * time.Millisecond, RetryMax: time.Second, MaxPhones: r.cfg.phones + 1, Observe: r.phones.saw, Logger: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	r.phones.server = server
	ctx, stop := context.WithCancel(context.WithoutCancel(r.ctx))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	r.undo = append(r.undo, func() error { stop(); return <-done })
	if r.wire, err = newWire(r.ctx, r.host, server.Addr(), r.cfg.broken == brokenTwice); err != nil {
		return err
	}
	r.undo = append(r.undo, func() error { r.wire.close(); return nil })
	return nil
}

func (r *run) startDaemons() error {
	var flags []string
	if r.cfg.plays("clock") {
		var err error
		if r.clock, flags, err = newClock(r.dir); err != nil {
			fmt.Fprintf(r.out, "no steps of the clock: %v\n", err)
		}
	}
	binary, err := build(r.ctx, r.dir, "smsbridge", "./cmd/smsbridge", flags...)
	if err != nil {
		return err
	}
	instances := 1
	if r.cfg.nodes > 0 {
		instances = r.cfg.instances
	}
	for n := range instances {
		if err := r.startDaemon(binary, n); err != nil {
			return err
		}
	}
	return nil
}

// startDaemon makes the n-th daemon and starts it.
func (r *run) startDaemon(binary string, n int) (err error) {
	name := fmt.Sprint("daemon-", n)
	d := &daemon{name: name, binary: binary, config: filepath.Join(r.dir, name+".yaml")}
	if d.log, err = os.Create(filepath.Join(r.results, name+".log")); err != nil {
		return err
	}
	r.undo = append(r.undo, d.log.Close)
	host := r.host
	if r.host != "127.0.0.1" {
		if d.island, err = newIsland(n, r.host); err != nil {
			return err
		}
		r.undo = append(r.undo, d.island.remove)
		host = d.island.addr
	}
	if r.clock != nil {
		d.env = append(d.env, r.clock.env())
	}
	if err := os.WriteFile(d.config, []byte(r.settings(r.dataDir(n), host)), 0o600); err != nil {
		return err
	}
	r.daemons = append(r.daemons, d)
	r.undo = append(r.undo, func() error { d.kill(); return nil })
	return d.start(r.ctx)
}

// dataDir is where the n-th daemon writes.
func (r *run) dataDir(n int) string {
	if r.disk != nil {
		return r.disk.data()
	}
	return filepath.Join(r.dir, fmt.Sprint("data-", n))
}

// live lets people write while things break, and then waits until all has come to rest.
func (r *run) live() error {
	var readers, writers, measuring sync.WaitGroup
	reading, stopReading := context.WithCancel(r.ctx)
	defer func() { stopReading(); readers.Wait(); measuring.Wait() }()
	// A stream goes on after an event that it knows, so there must be one.
	first := history.Text{User: r.people[0].name, Phone: phoneOf(r.cfg.phones), Seq: 0}
	r.people[0].write(r.ctx, first, first.String(), false)
	for _, p := range r.people {
		readers.Go(func() { p.reads(reading) })
	}
	if r.cfg.sample > 0 {
		measuring.Go(func() { r.measure(reading) })
	}
	writing, stopWriting := context.WithCancel(r.ctx)
	for _, p := range r.people {
		for n := range r.cfg.phones {
			writers.Go(func() { r.writes(writing, p.name, n, p.write) })
		}
	}
	for _, u := range r.xmppUsers() {
		readers.Go(func() { u.stays(reading) })
		for n := range r.cfg.phones {
			writers.Go(func() { r.writes(writing, u.name, n, u.write) })
		}
	}
	err := r.breakThings(r.ctx)
	stopWriting()
	writers.Wait()
	if err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	return r.askAll()
}

// settle waits until each message has its end, or the time for it is over; what has none
// then, the judge finds.
func (r *run) settle() error {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.rest)
	defer cancel()
	for {
		open := history.Open(r.record.History())
		if len(open) == 0 {
			return nil
		}
		if sleep(ctx, 200*time.Millisecond) != nil {
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
			fmt.Fprintf(r.out, "%d texts have not come to their end within %s, among them %s\n", len(open), r.cfg.rest, open[0])
			return nil
		}
	}
}

// sleep waits for d; the error is that of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
