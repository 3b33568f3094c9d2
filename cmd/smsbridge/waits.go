package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
	"smsbridge/smpp"
)

// waitsFor says in words what a message to a phone waits for, and names its route.
func (f finder) waitsFor(h addressing.Handle, phone addressing.MSISDN, next time.Time) (route, words string) {
	route = f.links.RouteOf(h, phone)
	if held := f.because(bridge.HoldStage, "mt") + f.because(bridge.HoldRoute, route); held != "" {
		return route, strings.TrimPrefix(held, ": ")
	}
	if time.Now().Before(next) {
		return route, "its next attempt, at " + next.UTC().Format(time.RFC3339)
	}
	routes := f.links.Routes()
	i := slices.IndexFunc(routes, func(r smpp.RouteState) bool { return r.Name == route })
	if i < 0 {
		return route, "its turn"
	}
	var down []string
	for _, l := range f.linkStates() {
		if !slices.Contains(routes[i].Links, l.Name) {
			continue
		}
		switch {
		case l.Held:
			down = append(down, strings.TrimPrefix(f.because(bridge.HoldLink, l.Name), ": "))
		case l.Status == ops.LinkBound:
			return route, "its turn: an earlier one of its conversation, or room in the window of " + l.Name
		case l.Status == ops.LinkPaused:
			return route, "the SMSC of " + l.Name + " throttles us"
		default:
			down = append(down, fmt.Sprintf("%s is %s since %s (%s)", l.Name, l.Status, l.Since.UTC().Format(time.RFC3339), l.LastError))
		}
	}
	return route, "a link of its route: " + strings.Join(down, "; ")
}

// because says who has paused something; empty where nobody has.
func (f finder) because(kind bridge.HoldKind, name string) string {
	for _, h := range f.holds.All() {
		if h.Kind == kind && h.Name == name {
			return fmt.Sprintf(": %s %s is paused since %s by %s", kind, name, h.At.UTC().Format(time.RFC3339), h.By)
		}
	}
	return ""
}
