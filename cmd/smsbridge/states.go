package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
)

// This file tells the operator's listener how the rooms are, in its words.

func (a *app) depths(ctx context.Context) ([]ops.QueueDepth, error) {
	depths, err := a.store.Depths(ctx)
	all := make([]ops.QueueDepth, len(depths))
	for i, q := range depths {
		all[i] = ops.QueueDepth{
			Stage: q.Stage, Messages: q.Messages, Bytes: q.Bytes, OldestAt: q.OldestAt, MaxBytes: uint64(max(0, q.MaxBytes)),
		}
	}
	return all, err
}

func (a *app) records(ctx context.Context) (ops.Records, error) {
	phones, parts, err := a.store.Records(ctx)
	return ops.Records{Phones: phones, Reassembly: parts}, err
}

func (a *app) stageStats() []ops.StageStats {
	stats := a.store.Stats()
	var all []ops.StageStats
	for _, stage := range slices.Sorted(maps.Keys(stats)) {
		s := stats[stage]
		all = append(all, ops.StageStats{
			Stage: stage, Published: s.Published, Acked: s.Acked, Retried: s.Retried, Panics: s.Panics, Dead: s.Dead,
		})
	}
	return all
}

func (a *app) leases() ops.LeaseCounts {
	c := a.store.Leases()
	return ops.LeaseCounts{Instances: c.Instances, Here: c.Here, Elsewhere: c.Elsewhere, Nobody: c.Nobody, Taken: c.Taken, Given: c.Given, Lost: c.Lost}
}

func (a *app) instances() []ops.Instance {
	var all []ops.Instance
	for _, i := range a.store.Instances() {
		all = append(all, ops.Instance{Name: i.Name, Since: i.Since, Here: i.Here, Holds: i.Holds})
	}
	return all
}

func (a *app) linkStates() []ops.LinkState {
	states := a.links.Status()
	all := make([]ops.LinkState, len(states))
	for i, s := range states {
		all[i] = ops.LinkState{
			Name: s.Name, Account: s.Account, Status: string(s.Status), Since: s.Since, RetryAt: s.RetryAt,
			Window: s.Window, InUse: s.WindowUsed, Binds: s.Binds, LastError: strings.ReplaceAll(s.LastError, "smpp: ", ""), Bind: string(s.Bind), Rate: s.Rate, Pool: s.Pool, Held: s.Held,
		}
	}
	return all
}

func (a *app) linkCounts() []ops.LinkCounts {
	stats := a.links.Stats()
	all := make([]ops.LinkCounts, len(stats))
	for i, s := range stats {
		all[i] = ops.LinkCounts{
			Name: s.Name, Account: s.Account, Submits: s.Submits, Segments: s.Segments, MORefused: s.MOFailed,
			Faults: ops.LinkFaults{
				ResponseTimeouts: s.ResponseTimeouts, LateResponses: s.LateResponses, StrayResponses: s.StrayResponses,
				Malformed: s.Malformed, UnknownCommands: s.UnknownCommands, Panics: s.Panics,
			},
		}
	}
	return all
}

// messengerStates leaves out the web messenger: it has no connection that could break.
func (a *app) messengerStates() []ops.MessengerState {
	if a.xmpp == nil {
		return nil
	}
	s, n := a.xmpp.State(), a.xmpp.Stats()
	return []ops.MessengerState{{
		Network: addressing.NetworkXMPP, Connected: s.Connected, Elsewhere: a.store.Elsewhere(addressing.NetworkXMPP), Since: s.Since, LastError: s.LastError,
		Bounced: n.Bounced, Panics: n.Panics,
	}}
}

// sessions knows the connections to SMSCs of this process, and asks the other instances
// about theirs. It implements [bridge.Sessions].
type sessions struct{ *app }

func (s sessions) Fell(ctx context.Context, session string) bool {
	if process, elsewhere := s.elsewhere(session); elsewhere {
		return s.store.Fell(ctx, process, session)
	}
	return s.links.Fell(ctx, session)
}

func (s sessions) Doubted(ctx context.Context, session string, q bridge.Doubt) bool {
	if process, elsewhere := s.elsewhere(session); elsewhere {
		return s.store.Doubted(ctx, process, q)
	}
	return s.links.Doubted(ctx, session, q)
}

// elsewhere is the other process that has, or had, a connection.
func (s sessions) elsewhere(session string) (process string, elsewhere bool) {
	process, _, named := strings.Cut(session, ".")
	return process, named && process != s.store.Process()
}
