package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/internal/disk"
	"smsbridge/smpp/smsc"
)

// powerConfig is a daemon whose data is on a disk: two people with a number each, so that
// a phone can write first.
const powerConfig = `data_dir: %s
drain_timeout: 10s
queue: {durability: %s, min_free: 10MiB, max_bytes: {mt: 64MiB, mo: 64MiB, out: 64MiB, log: 256MiB}}
ops: {listen: "127.0.0.1:0"}
numbers:
  region: FR
  dedicated:
    - {number: "+33700000001", handle: "web:ann"}
    - {number: "+33700000002", handle: "web:bob"}
smsc:
  - {name: main, address: "%s", system_id: bridge, password: secret, window: 20}
web:
  listen: 127.0.0.1:0
  users:
    - {name: ann, password_hash: "%s"}
    - {name: bob, password_hash: "%[4]s"}
  tokens:
    - {user: ann, hash: "%s"}
    - {user: bob, hash: "%s"}
`

// powerRun is people, phones and an SMSC that outlive the power cuts of the daemon's
// machine, and what each of them knows.
type powerRun struct {
	t      *testing.T
	m      *disk.Machine
	s      *smsc.Server
	config string
	people []*person
	talks  []*talk
}

// talk is one conversation: its person writes text after text, and for each that was
// accepted the phone writes one back. One goroutine at a time uses it.
type talk struct {
	who      *person
	number   string
	phone    addressing.MSISDN
	accepted []string // the ids of the texts, in order
	written  int      // by the phone
}

func (k *talk) mt(n int) string { return fmt.Sprintf("%s to %s: %06d", k.who.name, k.phone, n) }
func (k *talk) mo(n int) string { return fmt.Sprintf("%s to %s: %06d", k.phone, k.who.name, n) }

func newPowerRun(t *testing.T, fs disk.FileSystem, durability string, seed uint64) *powerRun {
	r := &powerRun{t: t, m: disk.Mount(t, fs, seed)}
	all, hashes := people("ann", "bob")
	r.people = all
	r.s = startSMSC(t, smsc.Config{
		Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		MaxMessages: 1_000_000, MaxText: 64 << 20,
	})
	r.config = fmt.Sprintf(powerConfig, filepath.Join(r.m.Dir, "data"), durability, r.s.Addr(), demoUsers["ann"], hashes["ann"], hashes["bob"])
	for i, who := range all {
		for n := range 8 {
			r.talks = append(r.talks, &talk{who: who, number: fmt.Sprintf("+3370000000%d", i+1), phone: addressing.MustParseMSISDN(phoneOf(n))})
		}
	}
	return r
}

// at tells the people where the daemon is.
func (r *powerRun) at(p *process) {
	for _, who := range r.people {
		who.base = p.web
	}
}

// round starts the daemon and lets everybody write until the power fails, after so many
// writes to the disk: while the daemon starts, or later. What it still answers without
// power counts as well; with linger there is time for that.
func (r *powerRun) round(ops int, linger bool) {
	r.t.Helper()
	r.m.CutAfter(ops)
	p := launchDaemon(r.t, r.config)
	defer r.m.PowerUp()
	defer p.kill()
	select {
	case <-p.ready:
	case <-r.m.Lost():
		return
	case <-p.exited:
		r.t.Fatalf("the daemon ended with the power on:\n%s", p.stderr)
	case <-time.After(patience):
		r.t.Fatalf("the daemon does not serve:\n%s", p.stderr)
	}
	r.at(p)
	ctx, stop := context.WithCancel(r.t.Context())
	defer stop()
	var talks sync.WaitGroup
	for _, k := range r.talks {
		talks.Go(func() { r.talk(ctx, k, linger) })
	}
	<-r.m.Lost()
	if !linger {
		p.kill()
		stop()
	}
	talks.Wait()
}

// afterwards is how many texts each person still writes to a daemon without power.
const afterwards = 3

// talk writes until the power fails, or a little longer. A text that was not accepted is
// written again by the next round, as the same message.
func (r *powerRun) talk(ctx context.Context, k *talk, linger bool) {
	late := 0
	for ctx.Err() == nil && late <= afterwards {
		n := len(k.accepted)
		m, err := k.who.send(ctx, k.phone.String(), k.mt(n), strconv.Itoa(n)+k.phone.Digits())
		lost := r.lost()
		if err == nil && m.Code == http.StatusAccepted {
			k.accepted = append(k.accepted, m.ID)
			if _, err := r.s.Send(k.phone, k.number, k.mo(k.written)); err != nil {
				r.t.Errorf("%s cannot write: %v", k.phone, err)
			}
			k.written++
		} else if !lost {
			r.t.Errorf("%q was not accepted, with the power on: %+v, %v", k.mt(n), m, err)
			return
		}
		if lost {
			if late++; !linger {
				return
			}
		}
	}
}

func (r *powerRun) lost() bool {
	select {
	case <-r.m.Lost():
		return true
	default:
		return false
	}
}

// powerRounds is how often the power fails in each run, and the seed of its moments. The
// environment may ask for more, as `make power` does, and gets it on each file system.
func powerRounds(t *testing.T) (rounds int, seed uint64, on []disk.FileSystem) {
	t.Helper()
	rounds, seed, on = 3, 1, []disk.FileSystem{disk.Ext4}
	if os.Getenv("SMSBRIDGE_POWER_ROUNDS") != "" {
		on = []disk.FileSystem{disk.Ext4, disk.XFS, disk.Btrfs}
	}
	for name, set := range map[string]func(n int){
		"SMSBRIDGE_POWER_ROUNDS": func(n int) { rounds = n },
		"SMSBRIDGE_POWER_SEED":   func(n int) { seed = uint64(n) },
	} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(n)
		}
	}
	return rounds, seed, on
}

// TestPowerLoss cuts the power of the daemon's disk again and again, while it starts and
// while everybody writes. Whatever was accepted, from either side, is there afterwards,
// once and in order.
func TestPowerLoss(t *testing.T) {
	disk.Namespaced(t, func(t *testing.T) {
		rounds, seed, on := powerRounds(t)
		for _, fs := range on {
			t.Run(fs.Name, func(t *testing.T) {
				r := newPowerRun(t, fs, "power", seed)
				y := r.cuts(rounds, seed)
				t.Logf("seed %d, %d power cuts: %+v", seed, rounds, y)
				if !y.good() {
					t.Errorf("seed %d: lost, untrue, doubled and disordered must all be 0: %+v", seed, y)
				}
				if y.accepted == 0 {
					t.Error("nothing was accepted between the cuts")
				}
			})
		}
	})
}

// TestPowerLossProcess is the same with durability: process, which promises nothing about the power:
// it shows that the test sees a loss where there is one.
func TestPowerLossProcess(t *testing.T) {
	disk.Namespaced(t, func(t *testing.T) {
		r := newPowerRun(t, disk.Ext4, "process", 1)
		first := startDaemon(t, r.config)
		r.at(first)
		for _, k := range r.talks {
			m, err := k.who.send(t.Context(), k.phone.String(), k.mt(0), "first"+k.phone.Digits())
			if err != nil || m.Code != http.StatusAccepted {
				t.Fatalf("%+v, %v", m, err)
			}
			k.accepted = append(k.accepted, m.ID)
		}
		r.m.Cut()
		first.kill()
		r.m.PowerUp()
		y := r.end()
		t.Logf("one power cut: %+v", y)
		if y.lost == 0 {
			t.Error("nothing was lost: the disk kept what was never synced")
		}
	})
}

// cuts is so many rounds, and the end.
func (r *powerRun) cuts(rounds int, seed uint64) tally {
	const longest = 6000 // writes to the disk before a cut: a few seconds
	choose := rand.New(rand.NewPCG(seed, 1))
	for range rounds {
		r.round(1+choose.IntN(longest), choose.IntN(2) == 0)
	}
	return r.end()
}
