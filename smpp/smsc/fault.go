package smsc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/smpp"
)

// ErrNoFault is wrapped by the errors that say why a fault cannot be switched on.
var ErrNoFault = errors.New("the fault cannot be switched on")

// Params say how a fault strikes. The zero value strikes until it is switched off.
type Params struct {
	// Count is how often it strikes before it is off by itself; 0: no bound.
	Count int
	// For is how long it is on; 0: no bound. JSON has it in seconds.
	For time.Duration
	// After is how many PDUs the client has sent on a connection before it strikes there;
	// 0 means the fault's own number.
	After int
}

// Fault is what an SMSC may do wrong, and how it stands with it.
type Fault struct {
	Name string
	Text string
	// Counts is what Params.Count counts: connections, binds, submits or PDUs.
	Counts string
	On     bool
	// Params are those that it was last switched on with.
	Params Params
	// Struck is how often it has struck since then.
	Struck int
}

// plan is a fault as the table has it: at which point it steps in, and what it does
// there. Each has one of the hooks.
type plan struct {
	name, text, counts string
	after              int          // what Params.After is by default
	once               bool         // at most once on a connection
	of                 smpp.Command // the PDUs that in and out are for; zero: all

	accept func(w *wire)                 // a connection that has come
	bind   func(play *bindPlay)          // a bind request
	submit func(play *play)              // a submit_sm or data_sm
	in     func(w *wire, p pdu) bool     // a PDU of the client; false: the server never sees it
	out    func(w *wire, p pdu) []pdu    // a PDU for the client; what goes in its place
	write  func(w *wire, b []byte) error // octets for the client
}

// bindPlay is how a fault differs from a bind that goes well.
type bindPlay struct {
	silent       bool
	refuse       smpp.Status
	deliverFirst bool // a deliver_sm goes before the answer
}

// switched is a plan with its switch. The lock of faults guards all but the plan.
type switched struct {
	*plan
	params Params
	until  time.Time // zero: no end
	on     bool
	struck int
}

// faults are the switches. What no switch is on for costs one atomic load.
type faults struct {
	on atomic.Pointer[[]*switched] // those that are on

	mu  sync.Mutex
	all []*switched // in the order of the table
}

func newFaults() *faults {
	f := &faults{}
	for i := range plans {
		f.all = append(f.all, &switched{plan: &plans[i]})
	}
	f.publish()
	return f
}

// publish renews the list of those that are on. The caller holds the lock, but for the
// first time.
func (f *faults) publish() {
	on := slices.DeleteFunc(slices.Clone(f.all), func(s *switched) bool { return !s.on })
	f.on.Store(&on)
}

// strikes counts a strike, and tells whether the fault strikes at all.
func (f *faults) strikes(s *switched, w *wire) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.received.Load() < int64(cmp.Or(s.params.After, s.after)) {
		return false
	}
	if s.on && !s.until.IsZero() && !time.Now().Before(s.until) {
		s.on = false
		f.publish()
	}
	if !s.on || s.once && !w.first(s.plan) {
		return false
	}
	s.struck++
	if s.struck == s.params.Count {
		s.on = false
		f.publish()
	}
	return true
}

// bind and submit let the faults that are on change how a request is played.

func (f *faults) bind(w *wire) (play bindPlay) {
	for _, s := range *f.on.Load() {
		if s.bind != nil && f.strikes(s, w) {
			s.bind(&play)
		}
	}
	return play
}

func (f *faults) submit(w *wire, play *play) {
	for _, s := range *f.on.Load() {
		if s.submit != nil && f.strikes(s, w) {
			s.submit(play)
		}
	}
}

// SwitchOn lets a fault strike from now on; where it is on it begins anew. The error
// wraps [ErrNoFault].
func (s *Server) SwitchOn(name string, p Params) error {
	if p.Count < 0 || p.For < 0 || p.After < 0 {
		return fmt.Errorf("%w: count, seconds and after cannot be below zero", ErrNoFault)
	}
	if name == wrongName && s.tls == nil {
		return fmt.Errorf("%w: %s needs an SMSC that speaks TLS, and this one does not; start it with --smsc-tls", ErrNoFault, name)
	}
	f := s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(name)
	if err != nil {
		return err
	}
	at.params, at.until, at.on, at.struck = p, time.Time{}, true, 0
	if p.For > 0 {
		at.until = time.Now().Add(p.For)
	}
	f.publish()
	s.log.Info().Str("fault", name).Int("count", p.Count).Dur("for", p.For).Int("after", p.After).Msg("fault switched on")
	return nil
}

// SwitchOff ends a fault. A connection that it has struck may stay as it is. The error
// wraps [ErrNoFault] where there is none of that name.
func (s *Server) SwitchOff(name string) error {
	f := s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := f.find(name)
	if err != nil {
		return err
	}
	at.on = false
	f.publish()
	s.log.Info().Str("fault", name).Int("struck", at.struck).Msg("fault switched off")
	return nil
}

// find looks a fault up. The caller holds the lock.
func (f *faults) find(name string) (*switched, error) {
	for _, s := range f.all {
		if s.name == name {
			return s, nil
		}
	}
	names := make([]string, len(f.all))
	for i, s := range f.all {
		names[i] = s.name
	}
	return nil, fmt.Errorf("%w: there is none named %q; there are %s", ErrNoFault, name, strings.Join(names, ", "))
}

// Faults lists all faults, in the order of the documentation.
func (s *Server) Faults() []Fault {
	f := s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	list := make([]Fault, len(f.all))
	for i, s := range f.all {
		on := s.on && (s.until.IsZero() || now.Before(s.until))
		list[i] = Fault{Name: s.name, Text: s.text, Counts: s.counts, On: on, Params: s.params, Struck: s.struck}
	}
	return list
}

// ParseFault reads a fault as a command line has it: its name, alone or with parameters
// such as throttled:count=3,seconds=5,after=10. Whether there is such a fault
// [Server.SwitchOn] says.
func ParseFault(text string) (name string, p Params, err error) {
	name, rest, _ := strings.Cut(text, ":")
	if rest == "" {
		return name, p, nil
	}
	for part := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(part, "=")
		var number float64
		if number, err = strconv.ParseFloat(value, 64); err != nil {
			return "", p, fmt.Errorf("%w: %q has no number after %q; write it like throttled:count=3,seconds=5", ErrNoFault, text, key)
		}
		switch {
		case key == "seconds":
			p.For = time.Duration(number * float64(time.Second))
		case number != float64(int(number)):
			return "", p, fmt.Errorf("%w: %s is %s in %q; it must be a whole number", ErrNoFault, key, value, text)
		case key == "count":
			p.Count = int(number)
		case key == "after":
			p.After = int(number)
		default:
			return "", p, fmt.Errorf("%w: %q has no parameter %q; there are count, seconds and after", ErrNoFault, text, key)
		}
	}
	return name, p, nil
}
