package bridge

import (
	"maps"
	"sync"
	"time"

	"smsbridge/addressing"
)

// Ended is how a message ended: a final state and why.
type Ended struct {
	State  State
	Reason Reason
}

// Refused is why a message was refused at intake, and of which messenger network it was.
type Refused struct {
	Network string
	Reason  Reason
}

// Stats counts since the start of the daemon. The keys are closed sets.
type Stats struct {
	Accepted        uint64
	Refused         map[Refused]uint64
	Submits         map[Outcome]uint64
	Ended           map[Ended]uint64
	StoredMO        uint64
	DeliveredMO     uint64
	RepeatedMO      uint64
	ReceiptsMatched uint64
	ReceiptsUnknown uint64
	// ReceiptsDue counts messages that were sent and that a receipt is to come for, and
	// ReceiptsCame receipts that belong to a message, by the SMSC account.
	ReceiptsDue, ReceiptsCame map[string]uint64
	// ReceiptAt is when the last of these came, by the account.
	ReceiptAt map[string]time.Time
	// SentAfter is how long after their acceptance messages were with an SMSC, DeliveredAfter
	// how long after it their phones had them, and ReceiptAfter how long after the SMSC took them
	// their last receipt came. DeliveredMOAfter is how long after they came messengers had texts of phones.
	SentAfter, DeliveredAfter, ReceiptAfter, DeliveredMOAfter Latency
	// SentTime, DeliveredTime, ReceiptTime and DeliveredMOTime are the sums of these.
	SentTime, DeliveredTime, ReceiptTime, DeliveredMOTime time.Duration
	// SentTraced, DeliveredTraced and DeliveredMOTraced are traced messages of those above.
	SentTraced, DeliveredTraced, DeliveredMOTraced Exemplars
	DeadLetters                                    map[Reason]uint64
	// Keywords counts texts of phones that asked the bridge itself for something: a STOP or START that said
	// something new, by whether it held for a person or for everybody, and each HELP.
	Keywords  map[addressing.Keyword]uint64
	CallsLost uint64 // call-detail records that there was no room for
	Panics    uint64 // each is a defect of the bridge
}

type stats struct {
	mu sync.Mutex
	s  Stats
}

func newStats() *stats {
	return &stats{s: Stats{
		Refused: map[Refused]uint64{}, Submits: map[Outcome]uint64{}, Ended: map[Ended]uint64{}, DeadLetters: map[Reason]uint64{},
		Keywords:    map[addressing.Keyword]uint64{},
		ReceiptsDue: map[string]uint64{}, ReceiptsCame: map[string]uint64{}, ReceiptAt: map[string]time.Time{},
	}}
}

func (c *stats) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

func (c *stats) accepted()           { c.add(func(s *Stats) { s.Accepted++ }) }
func (c *stats) submitted(o Outcome) { c.add(func(s *Stats) { s.Submits[o]++ }) }

func (c *stats) refused(by addressing.Handle, r Reason) {
	c.add(func(s *Stats) { s.Refused[Refused{by.Network(), r}]++ })
}
func (c *stats) storedMO()     { c.add(func(s *Stats) { s.StoredMO++ }) }
func (c *stats) repeated()     { c.add(func(s *Stats) { s.RepeatedMO++ }) }
func (c *stats) callLost()     { c.add(func(s *Stats) { s.CallsLost++ }) }
func (c *stats) panicked()     { c.add(func(s *Stats) { s.Panics++ }) }
func (c *stats) dead(r Reason) { c.add(func(s *Stats) { s.DeadLetters[r]++ }) }
func (c *stats) keyword(k addressing.Keyword) {
	c.add(func(s *Stats) { s.Keywords[k]++ })
}

func (c *stats) ended(s State, r Reason) {
	c.add(func(all *Stats) { all.Ended[Ended{s, r}]++ })
}

func (c *stats) receiptDue(account string) { c.add(func(s *Stats) { s.ReceiptsDue[account]++ }) }

func (c *stats) receiptCame(account string, at time.Time) {
	c.add(func(s *Stats) { s.ReceiptsCame[account]++; s.ReceiptAt[account] = at })
}

// deliveredMO counts a text that a messenger has at now, and that came from the SMSC at from.
func (c *stats) deliveredMO(from, now time.Time, t Trace) {
	d := now.Sub(from)
	c.add(func(s *Stats) {
		s.DeliveredMO++
		s.DeliveredMOAfter.add(d)
		s.DeliveredMOTime += d
		s.DeliveredMOTraced.keep(t, d, now)
	})
}

func (c *stats) deliveredAfter(from, now time.Time, t Trace) {
	d := now.Sub(from)
	c.add(func(s *Stats) { s.DeliveredAfter.add(d); s.DeliveredTime += d; s.DeliveredTraced.keep(t, d, now) })
}

func (c *stats) sentAfter(from, now time.Time, t Trace) {
	d := now.Sub(from)
	c.add(func(s *Stats) { s.SentAfter.add(d); s.SentTime += d; s.SentTraced.keep(t, d, now) })
}

func (c *stats) receiptAfter(d time.Duration) {
	c.add(func(s *Stats) { s.ReceiptAfter.add(d); s.ReceiptTime += d })
}

func (c *stats) receipt(matched bool) {
	c.add(func(s *Stats) {
		if matched {
			s.ReceiptsMatched++
		} else {
			s.ReceiptsUnknown++
		}
	})
}

func (c *stats) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Refused, s.Submits = maps.Clone(s.Refused), maps.Clone(s.Submits)
	s.ReceiptsDue, s.ReceiptsCame = maps.Clone(s.ReceiptsDue), maps.Clone(s.ReceiptsCame)
	s.ReceiptAt = maps.Clone(s.ReceiptAt)
	s.Ended, s.DeadLetters = maps.Clone(s.Ended), maps.Clone(s.DeadLetters)
	s.Keywords = maps.Clone(s.Keywords)
	s.SentTraced, s.DeliveredTraced, s.DeliveredMOTraced = maps.Clone(s.SentTraced), maps.Clone(s.DeliveredTraced), maps.Clone(s.DeliveredMOTraced)
	return s
}
