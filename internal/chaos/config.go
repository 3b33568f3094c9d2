//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// config is what a run is told.
type config struct {
	seed     uint64
	kills    int           // at least so many
	last     time.Duration // at least so long
	people   int
	phones   int
	pause    time.Duration // between two texts of a conversation, on average
	every    time.Duration // between two faults, on average
	resend   bool          // mt.unknown of the daemon
	mild     bool          // only faults that the daemon lives through
	xmpp     bool          // every second person comes by XMPP, if the machine has a Prosody
	together bool          // the wire and the SMSC break while other things are broken
	only     string        // faults by name, with commas between; empty: all
	rest     time.Duration // how long all may take to come to its end after the last fault
	dir      string        // for results; empty: a folder of its own that is removed where all is well
	sample   time.Duration // how often the daemon is measured; 0: never
	nodes    int           // NATS servers; 0: the one inside the daemon
	// instances is how many daemons share a cluster.
	instances int
	broken    string // what is wrong on purpose; empty: nothing
}

// The things that can be wrong on purpose, so that a run must find violations.
const (
	brokenTwice   = "twice"   // the wire doubles submits
	brokenRestore = "restore" // a kill is followed by a store from an old copy
)

// parseFlags reads the command line. The error has been told.
func parseFlags(args []string, out io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(out)
	f.Uint64Var(&c.seed, "seed", 0, "what all choices follow from; 0 picks one")
	f.IntVar(&c.kills, "kills", 100, "how often the daemon is killed, at least")
	f.DurationVar(&c.last, "for", 0, "how long to go on, at least")
	f.IntVar(&c.people, "people", 4, "how many people write, 1 to 8")
	f.IntVar(&c.phones, "phones", 12, "how many phones each of them writes to, 1 to 1000")
	f.DurationVar(&c.pause, "pause", time.Second, "between two texts of one person to one phone, on average")
	f.DurationVar(&c.every, "every", 700*time.Millisecond, "between two faults, on average")
	f.BoolVar(&c.resend, "resend", false, "the daemon sends again what may not have arrived (mt.unknown: resend)")
	f.BoolVar(&c.mild, "mild", false, "only faults of the SMSC and the wire: no kill, no stop, no full disk, no clock")
	f.BoolVar(&c.xmpp, "xmpp", false, "every second person is an XMPP user, on a Prosody that is broken too; takes prosody")
	f.BoolVar(&c.together, "together", false, "the wire and the SMSC break beside what else is broken, and not in turn with it")
	f.StringVar(&c.only, "faults", "", "only these faults, with commas between: "+strings.Join(faultNames(), ", "))
	f.DurationVar(&c.rest, "rest", 2*time.Minute, "how long all may take to come to its end when nothing breaks any more")
	f.IntVar(&c.nodes, "nodes", 0, "how many NATS servers make a cluster, 1 to 5; 0 is the one inside the daemon")
	f.IntVar(&c.instances, "instances", 2, "how many daemons share the cluster, 1 to 5")
	f.StringVar(&c.dir, "dir", "", "where to write the history, the daemon's log and the measurements")
	f.DurationVar(&c.sample, "sample", 0, "how often the daemon's memory, goroutines and files are measured, such as 5s")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if c.seed == 0 {
		c.seed = rand.Uint64()
	}
	if err := c.check(); err != nil {
		fmt.Fprintln(out, "chaos:", err)
		return c, err
	}
	return c, nil
}

func (c config) check() error {
	switch {
	case c.people < 1 || c.people > len(names):
		return fmt.Errorf("-people must be 1 to %d, got %d", len(names), c.people)
	case c.xmpp && c.people < 2:
		return fmt.Errorf("-xmpp takes -people 2 or more: the first comes by the API")
	case c.phones < 1 || c.phones > 1000:
		return fmt.Errorf("-phones must be 1 to 1000, got %d", c.phones)
	case c.nodes < 0 || c.nodes > 5 || c.instances < 1 || c.instances > 5:
		return fmt.Errorf("-nodes must be 0 to 5 and -instances 1 to 5, got %d and %d", c.nodes, c.instances)
	case c.pause <= 0 || c.every <= 0 || c.rest <= 0:
		return fmt.Errorf("-pause, -every and -rest must be more than nothing")
	case c.mild && c.kills > 0 && c.last == 0:
		return fmt.Errorf("-mild kills nobody: say how long with -for, and -kills 0")
	}
	for _, name := range c.wanted() {
		if !slices.Contains(faultNames(), name) {
			return fmt.Errorf("-faults: there is none named %q; there are %s", name, strings.Join(faultNames(), ", "))
		}
	}
	return nil
}

func (c config) wanted() []string {
	if c.only == "" {
		return nil
	}
	return strings.Split(c.only, ",")
}

// rand gives somebody choices of their own, the same for the same seed, whatever the
// others do.
func (c config) rand(who ...any) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(fmt.Sprint(who...)) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(c.seed, h))
}

// around spreads a duration: exponentially, but at most five times as long.
func around(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(r.ExpFloat64(), 5) * float64(mean))
}
