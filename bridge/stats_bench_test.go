package bridge

import (
	"testing"
	"time"
)

// BenchmarkStats is what one message costs in the counters, from acceptance to its receipt.
func BenchmarkStats(b *testing.B) {
	c := newStats()
	from := time.Now()
	sent, delivered := from.Add(20*time.Millisecond), from.Add(time.Second)
	for b.Loop() {
		c.accepted()
		c.submitted(OutcomeSent)
		c.sentAfter(from, sent, "")
		c.receiptDue("main")
		c.storedMO()
		c.receipt(true)
		c.receiptCame("main", delivered)
		c.receiptAfter(time.Second)
		c.deliveredAfter(from, delivered, "")
		c.ended(Delivered, ReasonNone)
	}
}
