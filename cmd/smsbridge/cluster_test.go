//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// leaseTime of the daemons in most of these tests.
const leaseTime = 4 * time.Second

// patiently waits for what a busy machine takes its time for.
func patiently(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// fleet is daemons that share the work at one NATS cluster and one SMSC.
type fleet struct {
	t      *testing.T
	nats   *peers.NATSCluster
	smsc   *smsc.Server
	hashes map[string]string
	more   string
	dirs   []string
}

func newFleet(t *testing.T, nodes int, lease time.Duration, hashes map[string]string, more string) *fleet {
	t.Helper()
	f := &fleet{t: t, nats: peers.NATS(t, nodes), hashes: hashes}
	f.smsc = startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: 20 * time.Millisecond})
	replicas := 1
	if nodes > 1 {
		replicas = 3
	}
	f.more = fmt.Sprintf("queue: {url: %q, replicas: %d, lease_time: %s}\n", f.nats.URL(), replicas, lease) + more
	return f
}

// start starts daemon n, or starts it again on its old data directory.
func (f *fleet) start(n int) *process {
	f.t.Helper()
	for len(f.dirs) <= n {
		f.dirs = append(f.dirs, f.t.TempDir())
	}
	return startDaemon(f.t, testConfig(f.dirs[n], f.smsc.Addr(), f.hashes, f.more))
}

// shares are the lanes that each live instance holds, sorted, as p sees it.
func shares(t *testing.T, p *process) []int {
	t.Helper()
	answer, err := http.Get(p.ops + "/admin/v1/queue")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var queue ops.Queue
	if err := json.NewDecoder(answer.Body).Decode(&queue); err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, i := range queue.Instances {
		lanes := 0
		for _, name := range i.Holds {
			if strings.HasPrefix(name, "lane-") {
				lanes++
			}
		}
		all = append(all, lanes)
	}
	slices.Sort(all)
	return all
}

func awaitShares(t *testing.T, p *process, want ...int) {
	t.Helper()
	patiently(t, fmt.Sprintf("the lanes to be shared %v", want), func() bool { return slices.Equal(shares(t, p), want) })
}

// terminate ends a daemon as an operator does, and fails the test unless it ends well.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	receiveEnd(t, p)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the daemon ended with %d:\n%s", code, p.stderr)
	}
}

func receiveEnd(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("the daemon does not end:\n%s", p.stderr)
	}
}

// writeAnywhere sends all texts, each to any of the daemons that takes it, with one key: a
// daemon that goes away in the middle of a request may have stored it.
func (c crowd) writeAnywhere(t *testing.T, daemons func() []*process) {
	t.Helper()
	var conversations sync.WaitGroup
	for i, who := range c.people {
		for phone := range c.phones {
			conversations.Go(func() {
				for n := range c.perPhone {
					key := fmt.Sprintf("%d-%d", phone, n)
					sent := false
					for try, end := 0, time.Now().Add(patience); !sent && time.Now().Before(end); try++ {
						all := daemons()
						p := *who
						p.base = all[(i+phone+try)%len(all)].web
						m, err := p.send(t.Context(), phoneOf(phone), textOf(who.name, n), key)
						sent = err == nil && (m.Code == http.StatusAccepted || m.Code == http.StatusOK)
						if !sent {
							time.Sleep(20 * time.Millisecond) // as a client would
						}
					}
					if !sent {
						t.Errorf("%s to phone %d, text %d was not taken", who.name, phone, n)
						return
					}
				}
			})
		}
	}
	conversations.Wait()
}

// awaitSome waits until n texts of one person have ended.
func (c crowd) awaitSome(t *testing.T, p *process, n int) {
	t.Helper()
	c.at(p)
	c.people[0].awaitFinal(t, n)
}

// TestInstancesShareWork: two daemons take texts and send them, and each knows what became
// of those that the other took.
func TestInstancesShareWork(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 3, leaseTime, hashes, "")
	one, two := f.start(0), f.start(1)
	awaitShares(t, one, 4, 4)
	c := crowd{people: all, phones: 20, perPhone: 5}
	c.writeAnywhere(t, func() []*process { return []*process{one, two} })
	c.at(two)
	if states := c.final(t); states["delivered"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered", states, c.messages())
	}
	if arrived := c.check(t, f.smsc); arrived != c.messages() {
		t.Errorf("%d texts arrived; want %d", arrived, c.messages())
	}
}

// TestInstanceKilled: kill -9 of one of two daemons while both send. The other takes over
// within seconds, in order; nothing is doubled, and who cannot be told that a text arrived is
// told that nobody knows.
func TestInstanceKilled(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 3, leaseTime, hashes, "")
	one, two := f.start(0), f.start(1)
	awaitShares(t, one, 4, 4)
	c := crowd{people: all, phones: 20, perPhone: 10}
	c.at(two)
	c.write(t)
	c.awaitSome(t, two, c.messages()/8)
	one.kill()
	began := time.Now()
	awaitShares(t, two, 8)
	t.Logf("taken over within %s of the kill, with leases of %s", time.Since(began), leaseTime)
	c.at(two)
	c.outcome(t, f.smsc)
}

// arrived counts what the phones have got.
func (c crowd) arrived(t *testing.T, s *smsc.Server) (n int) {
	t.Helper()
	for phone := range c.phones {
		n += len(texts(t, s, phoneOf(phone)))
	}
	return n
}

// outcome checks that every text arrived once or its sender was told that nobody knows.
func (c crowd) outcome(t *testing.T, s *smsc.Server) (unknown int) {
	t.Helper()
	states := c.final(t)
	arrived := c.check(t, s)
	if states["delivered"]+states["unknown"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered or unknown", states, c.messages())
	}
	if arrived < states["delivered"] || arrived > states["delivered"]+states["unknown"] {
		t.Errorf("%d texts arrived; the senders were told %v", arrived, states)
	}
	t.Logf("%v, %d arrived", states, arrived)
	return states["unknown"]
}

// TestInstanceStopped: one of two daemons stands still for longer than its lease and goes
// on later. What it had in hand it does not send.
func TestInstanceStopped(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 1, leaseTime, hashes, "")
	one, two := f.start(0), f.start(1)
	awaitShares(t, one, 4, 4)
	c := crowd{people: all, phones: 20, perPhone: 20}
	c.at(two)
	c.write(t)
	c.awaitSome(t, two, c.messages()/16)
	if err := one.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awaitShares(t, two, 8)
	if err := one.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitShares(t, two, 4, 4)
	c.outcome(t, f.smsc)
}

// TestRollingRestart: each of two daemons is restarted under load. Every text arrives.
func TestRollingRestart(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 3, leaseTime, hashes, "")
	var mu sync.Mutex
	running := []*process{f.start(0), f.start(1)}
	daemons := func() []*process {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(running)
	}
	c := crowd{people: all, phones: 20, perPhone: 40}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.writeAnywhere(t, daemons)
	}()
	for n := range 2 {
		other := daemons()[1-n]
		awaitShares(t, other, 4, 4)
		old := daemons()[n]
		began := time.Now()
		old.terminate(t)
		awaitShares(t, other, 8)
		t.Logf("handed over %s after SIGTERM", time.Since(began))
		again := f.start(n)
		mu.Lock()
		running[n] = again
		mu.Unlock()
	}
	<-written
	c.at(daemons()[0])
	if unknown := c.outcome(t, f.smsc); unknown > 0 {
		t.Errorf("%d texts are unknown after restarts in good order", unknown)
	}
}

// TestNATSNodeKilled: the death of a node of the cluster under load loses and doubles nothing.
func TestNATSNodeKilled(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 3, 10*time.Second, hashes, "")
	one, two := f.start(0), f.start(1)
	c := crowd{people: all, phones: 20, perPhone: 30}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.writeAnywhere(t, func() []*process { return []*process{one, two} })
	}()
	for node := range 3 {
		patiently(t, "more texts to arrive", func() bool { return c.arrived(t, f.smsc) > node*c.messages()/4 })
		f.nats.Kill(node)
		f.nats.Start(node)
	}
	<-written
	c.at(one)
	patiently(t, "all texts to arrive", func() bool { return c.arrived(t, f.smsc) >= c.messages() })
	if unknown := c.outcome(t, f.smsc); unknown > 0 {
		t.Errorf("%d texts are unknown although every daemon lives", unknown)
	}
}
