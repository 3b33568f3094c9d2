package main

import (
	"context"

	"smsbridge/bridge"
	"smsbridge/ops"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// control is what the operator's listener sees of links and routes, and does with them.
func (a *app) control() *ops.Control {
	return &ops.Control{Links: a.linkStates, LinkCounts: a.linkCounts, Routes: a.routeStates, Holds: a.holds, Rebind: a.links.Rebind, Messages: finder{a}, Purge: a.purge, Erase: a.erase}
}

// openHolds has links and queue go by what operators hold, from before anything runs.
func (a *app) openHolds(ctx context.Context) (err error) {
	a.holds, err = bridge.NewHolds(ctx, a.store, func(all []bridge.Hold) {
		var held smpp.Held
		var stages []string
		for _, h := range all {
			switch {
			case h.Kind == bridge.HoldLink:
				held.Links = append(held.Links, h.Name)
			case h.Kind == bridge.HoldRoute:
				held.Routes = append(held.Routes, h.Name)
			case h.Name == "mt":
				held.All = true // where its messages wait, until their validity ends
			default:
				stages = append(stages, h.Name)
			}
		}
		a.links.Hold(held)
		a.store.HoldStages(stages)
	})
	return err
}

func (a *app) routeStates() []ops.RouteState {
	waiting := make(map[string]queue.RouteDepth)
	for _, d := range a.store.RouteDepths() {
		waiting[d.Route] = d
	}
	var all []ops.RouteState
	for _, r := range a.links.Routes() {
		d := waiting[r.Name]
		all = append(all, ops.RouteState{Name: r.Name, Links: r.Links, Waiting: d.Messages, OldestAt: d.OldestAt})
	}
	return all
}
