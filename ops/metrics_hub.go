package ops

import (
	"slices"

	"smsbridge/bridge"
)

func collectHub(s bridge.Stats, emit emitter) {
	emit(hubAccepted, float64(s.Accepted))
	emit(hubStored, float64(s.StoredMO))
	emit(hubDelivered, float64(s.DeliveredMO))
	emit(hubRepeated, float64(s.RepeatedMO))
	emit(hubPanics, float64(s.Panics))
	emit(hubReceipts, float64(s.ReceiptsMatched), "known")
	emit(hubReceipts, float64(s.ReceiptsUnknown), "unknown")
	for account, n := range s.ReceiptsDue {
		emit(hubDue, float64(n), account)
	}
	for account, n := range s.ReceiptsCame {
		emit(hubCame, float64(n), account)
	}
	for _, r := range bridge.Reasons() {
		emit(hubDead, float64(s.DeadLetters[r]), string(r))
	}
	for _, o := range bridge.Outcomes() {
		emit(hubSubmits, float64(s.Submits[o]), string(o))
	}
	for _, e := range endings(s.Ended) {
		reason := string(e.Reason)
		if e.Reason == bridge.ReasonNone {
			reason = "none"
		}
		emit(hubEnded, float64(s.Ended[e]), string(e.State), reason)
	}
}

// networks are those of the messengers that are configured.
func (c *collector) networks() (all []string) {
	if c.Messengers != nil {
		for _, m := range c.Messengers() {
			all = append(all, m.Network)
		}
	}
	return all
}

func collectRefused(refused map[bridge.Refused]uint64, networks []string, emit emitter) {
	for by := range refused {
		if !slices.Contains(networks, by.Network) {
			networks = append(networks, by.Network)
		}
	}
	for _, network := range networks {
		for _, r := range bridge.Reasons() {
			emit(hubRefused, float64(refused[bridge.Refused{Network: network, Reason: r}]), network, string(r))
		}
	}
}

// endings are the ways in which a message can end, and those that counted has besides.
func endings(counted map[bridge.Ended]uint64) []bridge.Ended {
	all := []bridge.Ended{
		{State: bridge.Delivered, Reason: bridge.ReasonNone},
		{State: bridge.Expired, Reason: bridge.ReasonExpired},
		{State: bridge.Unknown, Reason: bridge.ReasonUncertain},
		{State: bridge.Failed, Reason: bridge.ReasonRejected},
		{State: bridge.Failed, Reason: bridge.ReasonUndeliverable},
		{State: bridge.Failed, Reason: bridge.ReasonUnroutable},
		{State: bridge.Failed, Reason: bridge.ReasonInternal},
		{State: bridge.Failed, Reason: bridge.ReasonPurged},
	}
	seen := make(map[bridge.Ended]bool, len(all))
	for _, e := range all {
		seen[e] = true
	}
	for e := range counted {
		if !seen[e] {
			all = append(all, e)
		}
	}
	return all
}
