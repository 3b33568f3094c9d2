package bridge

import (
	"testing"
	"time"
)

// BenchmarkStats is what one message costs in the counters, from acceptance to its receipt.
func BenchmarkStats(b *testing.B) {
	c := newStats()
	for b.Loop() {
		c.accepted()
		c.submitted(OutcomeSent)
		c.sentAfter(20 * time.Millisecond)
		c.receiptDue("main")
		c.storedMO()
		c.receipt(true)
		c.receiptCame("main")
		c.receiptAfter(time.Second)
		c.deliveredAfter(time.Second)
		c.ended(Delivered, ReasonNone)
	}
}
