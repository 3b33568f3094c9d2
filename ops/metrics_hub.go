package ops

import (
	"maps"
	"slices"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// collectHub sends what the hub has counted; of accounts those too of which it has counted nothing yet.
func collectHub(s bridge.Stats, accounts []string, emit emitter) {
	emit(hubAccepted, float64(s.Accepted))
	emit(hubStored, float64(s.StoredMO))
	emit(hubDelivered, float64(s.DeliveredMO))
	emit(hubRepeated, float64(s.RepeatedMO))
	emit(hubPanics, float64(s.Panics))
	emit(hubReceipts, float64(s.ReceiptsMatched), "known")
	emit(hubReceipts, float64(s.ReceiptsUnknown), "unknown")
	for _, account := range accounts {
		emit(hubDue, float64(s.ReceiptsDue[account]), account)
		emit(hubCame, float64(s.ReceiptsCame[account]), account)
	}
	for _, r := range bridge.Reasons() {
		emit(hubDead, float64(s.DeadLetters[r]), string(r))
	}
	for _, k := range []addressing.Keyword{addressing.KeywordStop, addressing.KeywordStopAll, addressing.KeywordStart, addressing.KeywordHelp} {
		emit(hubKeywords, float64(s.Keywords[k]), string(k))
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

// accounts are those of the links that there are, and those that s has counted receipts of.
func (c *collector) accounts(s bridge.Stats) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(s.ReceiptsDue)), maps.Keys(s.ReceiptsCame))
	if c.LinkCounts != nil {
		for _, l := range c.LinkCounts() {
			all = append(all, l.Account)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
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
