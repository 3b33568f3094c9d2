package main

import (
	"smsbridge/ops"
	"smsbridge/queue"
)

// control is what the operator's listener sees of links and routes, and does with them.
func (a *app) control() *ops.Control {
	return &ops.Control{Links: a.linkStates, LinkCounts: a.linkCounts, Routes: a.routeStates}
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
