package smpp

import (
	"fmt"
	"slices"
	"strings"
)

// RouteState is a route as it is now.
type RouteState struct {
	// Name says whom the route fits, and so stays as it is when the order of the routes or
	// their links change: +33, all, operator:20801, or +33,web for those of one messenger.
	Name  string   `json:"name"`
	Links []string `json:"links"` // that may carry its messages, in order, each once
	Held  bool     `json:"held"`  // see [Held]
}

// Routes gives the routes, in their order.
func (ls *Links) Routes() []RouteState {
	routes := ls.set.Load().routes
	all := make([]RouteState, len(routes))
	for i, r := range routes {
		all[i] = RouteState{Name: r.name, Links: r.linkNames(), Held: ls.queue.holdsRoute(r.name)}
	}
	return all
}

func (r *route) linkNames() []string {
	names := []string{}
	for _, t := range r.targets {
		for _, l := range t.links {
			if !slices.Contains(names, l.cfg.Name) {
				names = append(names, l.cfg.Name)
			}
		}
	}
	return names
}

// nameRoutes gives each route its name; of several that fit the same those behind the first
// are numbered.
func nameRoutes(routes []*route) {
	seen := make(map[string]int)
	for _, r := range routes {
		name := r.whom()
		if seen[name]++; seen[name] > 1 {
			r.name = fmt.Sprintf("%s#%d", name, seen[name])
		} else {
			r.name = name
		}
	}
}

// whom says which messages the route fits.
func (r Route) whom() string {
	var parts []string
	if r.Prefix != "" {
		parts = append(parts, "+"+r.Prefix)
	}
	parts = append(parts, several("operator:", r.Operators)...)
	if len(parts) == 0 {
		parts = append(parts, "all")
	}
	parts = append(parts, several("", r.Networks)...)
	var handles []string
	for _, h := range r.Handles {
		handles = append(handles, h.String())
	}
	return strings.Join(append(parts, several("", handles)...), ",")
}

// several writes the first of names and how many follow.
func several(what string, names []string) []string {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []string{what + names[0]}
	default:
		return []string{fmt.Sprintf("%s%s+%d", what, names[0], len(names)-1)}
	}
}
