package xmpp

import "sync/atomic"

// Stats counts since the start. Bounced are texts and statuses that came back as an
// error; Dropped are stanzas that asked for an answer while too much was waiting;
// Panics are defects, each of which cost one stanza.
type Stats struct {
	Connects, Accepted, Refused, Texts, Receipts, Failures, Bounced, Dropped, Panics uint64
}

type counters struct {
	connects, accepted, refused, texts, receipts, failures, bounced, dropped, panics atomic.Uint64
}

// Stats is a snapshot of the counters.
func (c *Component) Stats() Stats {
	n := &c.stats
	return Stats{
		Connects: n.connects.Load(), Accepted: n.accepted.Load(), Refused: n.refused.Load(), Texts: n.texts.Load(),
		Receipts: n.receipts.Load(), Failures: n.failures.Load(), Bounced: n.bounced.Load(), Dropped: n.dropped.Load(),
		Panics: n.panics.Load(),
	}
}
