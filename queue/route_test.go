package queue_test

import (
	"context"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestRouteThatWaits: messages for a route that takes none hold up no other route, even where
// more of them wait than a lane has handlers.
func TestRouteThatWaits(t *testing.T) {
	const credit = 2
	free := phone(1000)
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) {
		c.Credit = credit
		c.RouteOf = func(_ addressing.Handle, p addressing.MSISDN) string {
			if p == free {
				return "free"
			}
			return "down"
		}
	})
	for p := range 5 * credit {
		publish(t, s, mt(p, 0))
	}
	publish(t, s, mt(1000, 0))
	passed := make(chan struct{})
	work(t, s, func(ctx context.Context, m bridge.MT) error {
		if m.Phone == free {
			close(passed)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	receive(t, passed, "the message that could go")
}
