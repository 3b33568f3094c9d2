package smpp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/bridge"
)

// Somebody sets the time of day between a bind and a message: how long lay between them is
// told by the clock that nobody sets, which goes on here while the bubble's is 36 minutes ahead.
func TestClockIsSetAfterBind(t *testing.T) {
	if uptime() == (bridge.Uptime{}) {
		t.Skip("this system does not tell for how long it has been switched on")
	}
	synctest.Test(t, func(t *testing.T) {
		link, err := NewLink(LinkConfig{
			Name: "one", Addr: "smsc.example:2775", SystemID: "a", Bind: Transceiver,
			Store: func(context.Context, bridge.MO) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, bound := range []bool{false, true} { // some SMSCs send before the bind response
			in := newIncoming(link)
			if bound {
				in.setBound()
			}
			time.Sleep(36 * time.Minute)
			m := in.mo(&PDU{Command: DeliverSM, Short: &Short{}})
			if took := m.Received.Since - m.Bound.Since; took < 0 || took > time.Minute {
				t.Errorf("bound: %t: %v after the bind", bound, took)
			}
		}
	})
}
