package ops

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/bridge"
)

// The hour is sampled each 10 s, holds no more than an hour, and gives rates a second.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var broken atomic.Bool
		h := NewHistory(Sources{
			Depths: func(context.Context) ([]QueueDepth, error) {
				if broken.Load() {
					return nil, errors.New("no disk")
				}
				return []QueueDepth{{Stage: "mt", Messages: 7, OldestAt: began}}, nil
			},
			Hub: func() bridge.Stats {
				return bridge.Stats{
					Accepted: uint64(2 * time.Since(began) / time.Second), Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: uint64(time.Since(began) / time.Second)},
					Ended:       map[bridge.Ended]uint64{{State: bridge.Delivered}: uint64(time.Since(began) / (2 * time.Second)), {State: bridge.Unknown}: uint64(time.Since(began) / (4 * time.Second))},
					SentAfter:   bridge.Latency{0, uint64(time.Since(began) / time.Second)},
					ReceiptsDue: map[string]uint64{"orange": 3}, ReceiptsCame: map[string]uint64{"orange": 2},
				}
			},
			LinkCounts: func() []LinkCounts {
				one := LinkCounts{Account: "orange", Submits: map[bridge.Outcome]uint64{bridge.OutcomeThrottled: uint64(time.Since(began) / time.Second)}}
				return []LinkCounts{one, one, {Account: "blue"}}
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		synctest.Wait()
		if hour := hourOf(h.kept()); len(hour.At) != 1 || *hour.Depth["mt"][0] != 7 || hour.Rates["accepted"][0] != nil {
			t.Errorf("at once: %+v", hour)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		hour := hourOf(h.kept())
		if len(hour.At) != 3 || *hour.AgeSeconds["mt"][2] != 20 || *hour.Depth["out"][2] != 0 {
			t.Errorf("after 20 s: %+v", hour)
		}
		for name, want := range map[string]float64{"accepted": 2, "sent": 1, "delivered": 0.5, "failed": 0.3, "throttled": 2, "mo": 0} {
			if got := hour.Rates[name][2]; got == nil || *got != want {
				t.Errorf("%s: %v a second; want %v", name, got, want)
			}
		}
		if p50 := hour.LatencySeconds["sent_p50"][2]; p50 == nil || *p50 < 0.010 || *p50 > 0.018 || hour.LatencySeconds["delivered_p50"][2] != nil {
			t.Errorf("latencies %v", hour.LatencySeconds)
		}
		if a := h.kept()[2].account("orange"); a.throttled != 40 || a.receiptsDue != 3 || a.receiptsCame != 2 {
			t.Errorf("%+v", a)
		}
		broken.Store(true)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		hour = hourOf(h.kept())
		if len(hour.At) != historySize || hour.Depth["mt"][historySize-1] != nil {
			t.Errorf("%d samples, the last of %v", len(hour.At), hour.Depth["mt"][historySize-1])
		}
		if !slices.IsSortedFunc(hour.At, time.Time.Compare) {
			t.Error("the samples are not in order")
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A link that is tried again and again is down since it fell, and not since the last try.
func TestSinceWhenALinkIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fell := time.Now()
		link := LinkState{Name: "orange", Account: "orange", Status: LinkDown, Since: fell, LastError: "connection refused"}
		h := NewHistory(Sources{Links: func() []LinkState { return []LinkState{link} }})
		h.sample(t.Context())
		time.Sleep(30 * time.Second)
		link.Status, link.Since = LinkConnecting, time.Now()
		if c := h.condition(t.Context()); !c.unbound["orange"].Equal(fell) {
			t.Errorf("down since %s; want %s", c.unbound["orange"], fell)
		}
		link.Status = LinkBound
		h.sample(t.Context())
		link.Status, link.Since = LinkDown, time.Now()
		if c := h.condition(t.Context()); !c.unbound["orange"].Equal(link.Since) {
			t.Errorf("down again since %s; want %s", c.unbound["orange"], link.Since)
		}
	})
}
