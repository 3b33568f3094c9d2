package smpp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Route says which links serve which destinations and senders. Of the routes that fit
// a message the one with the longest prefix is taken, of these the one that names its
// sender most closely: by handle, by network, or not at all. Of two alike the first counts.
type Route struct {
	// Prefix is how the digits of the destination begin, without a plus; empty fits all.
	Prefix string
	// Operators are those that the look-up of [LinksConfig.Operator] may give. A route
	// that names the destination's operator goes before all that do not; one without a
	// Prefix as well fits nothing else.
	Operators []string
	// Networks and Handles are whose messages it is for; both empty: everybody's.
	Networks []string
	Handles  []addressing.Handle
	// Targets carry the messages; at least one.
	Targets []Target
	// CostClass is what the operator calls its price in call-detail records; may be empty.
	CostClass string
}

// Target is where a route leads to.
type Target struct {
	// Name is that of an account, which means all its links, or of a pool.
	Name string
	// Weight is the target's share of the messages, among targets of the route that can
	// take one now. With 0, in all targets of a route, their order decides: a target
	// serves while all before it are down, but not while they are full or paused.
	Weight int
}

// route is a Route with its links.
type route struct {
	Route
	name     string
	targets  []*target
	weighted bool
	line     *line
}

// target is links of one account that serve alike.
type target struct {
	links   []*Link
	weight  int
	current int // how far it is behind its share
}

func newRoute(r Route, links []*Link) (*route, error) {
	out := &route{Route: r, weighted: len(r.Targets) > 0 && r.Targets[0].Weight > 0}
	if len(r.Targets) == 0 {
		return nil, fmt.Errorf("smpp: the route for %s has no links; name one", r.label())
	}
	for _, t := range r.Targets {
		if (t.Weight > 0) != out.weighted || t.Weight < 0 {
			return nil, fmt.Errorf("smpp: the route for %s gives a weight to some of its links only; give one to all or none", r.label())
		}
		serving := slices.DeleteFunc(slices.Clone(links), func(l *Link) bool { return !l.canTransmit() || !l.answersTo(t.Name, links) })
		if len(serving) == 0 {
			return nil, fmt.Errorf("smpp: the route for %s leads to %s, which is no account or link that can send", r.label(), t.Name)
		}
		out.targets = append(out.targets, &target{links: serving, weight: t.Weight})
	}
	return out, nil
}

// everyRoute leads everywhere: to the accounts in the order of their first links.
func everyRoute(links []*Link) *route {
	r := new(route)
	at := make(map[string]*target)
	for _, l := range links {
		if !l.canTransmit() {
			continue
		}
		t, known := at[l.cfg.Account]
		if !known {
			t = new(target)
			at[l.cfg.Account] = t
			r.targets = append(r.targets, t)
		}
		t.links = append(t.links, l)
	}
	return r
}

// label names a route for an error.
func (r Route) label() string {
	switch {
	case r.Prefix != "":
		return "+" + r.Prefix
	case len(r.Operators) > 0:
		return "the operator " + r.Operators[0]
	default:
		return "all destinations"
	}
}

// answersTo tells whether name means l: as its account or, where no account has the
// name, as its pool.
func (l *Link) answersTo(name string, all []*Link) bool {
	if slices.ContainsFunc(all, func(other *Link) bool { return other.cfg.Account == name }) {
		return l.cfg.Account == name
	}
	return l.cfg.Pool == name
}

// choose gives the route of a message, or nil. operator is empty where it is not known.
func choose(routes []*route, sub bridge.Submission, operator string) *route {
	var best *route
	bestFit := fit{}
	for _, r := range routes {
		if f, ok := r.fits(sub, operator); ok && (best == nil || f.better(bestFit)) {
			best, bestFit = r, f
		}
	}
	return best
}

// RouteOf names the route that a message of h to phone would take now, without asking for the
// operator of a ported number; messages of one name wait for the same links. It may be
// called concurrently.
func (ls *Links) RouteOf(h addressing.Handle, phone addressing.MSISDN) string {
	r := choose(ls.set.Load().routes, bridge.Submission{Handle: h, Phone: phone}, "")
	if r == nil {
		return "none"
	}
	return r.name
}

// fit is how closely a route fits a message.
type fit struct {
	operator       bool
	prefix, sender int
}

func (f fit) better(other fit) bool {
	switch {
	case f.operator != other.operator:
		return f.operator
	case f.prefix != other.prefix:
		return f.prefix > other.prefix
	default:
		return f.sender > other.sender
	}
}

func (r *route) fits(sub bridge.Submission, operator string) (fit, bool) {
	f := fit{
		operator: operator != "" && slices.Contains(r.Operators, operator),
		prefix:   len(r.Prefix),
	}
	if !strings.HasPrefix(sub.Phone.Digits(), r.Prefix) || len(r.Operators) > 0 && r.Prefix == "" && !f.operator {
		return fit{}, false
	}
	switch {
	case slices.Contains(r.Handles, sub.Handle):
		f.sender = 2
	case slices.Contains(r.Networks, sub.Handle.Network()):
		f.sender = 1
	case len(r.Handles)+len(r.Networks) > 0:
		return fit{}, false
	}
	return f, true
}

// take takes a grant of the first target in order that is not down, or by weight. Only
// the queue's dispatch calls it.
func (r *route) take(now time.Time) (grant, bool) {
	if r.weighted {
		return r.takeWeighted(now)
	}
	for _, t := range r.targets {
		g, ok := t.take(now, "")
		if ok || t.usable() {
			return g, ok
		}
	}
	return grant{}, false
}

// takeWeighted asks the target that is furthest behind its share first. What one cannot
// take goes to the next; it catches up by no more than one round of all weights.
func (r *route) takeWeighted(now time.Time) (grant, bool) {
	total := 0
	var order []*target
	for _, t := range r.targets {
		if t.usable() {
			order = append(order, t)
			total += t.weight
		}
	}
	slices.SortStableFunc(order, func(a, b *target) int { return b.current + b.weight - a.current - a.weight })
	for _, chosen := range order {
		g, ok := chosen.take(now, "")
		if !ok {
			continue
		}
		for _, t := range order {
			t.current = min(t.current+t.weight, total)
		}
		chosen.current = max(chosen.current-total, -total)
		return g, true
	}
	return grant{}, false
}

// usable tells whether a link of t is bound.
func (t *target) usable() bool {
	return slices.ContainsFunc(t.links, func(l *Link) bool { _, bound := l.room(); return bound })
}

// take takes a grant of the link named prefer, or of the one with the most room.
func (t *target) take(now time.Time, prefer string) (grant, bool) {
	var best *Link
	most := 0
	for _, l := range t.links {
		room, _ := l.room()
		if room > 0 && l.cfg.Name == prefer {
			best = l
			break
		}
		if room > most {
			best, most = l, room
		}
	}
	if best == nil {
		return grant{}, false
	}
	p, ok := best.account.take(now)
	if !ok {
		return grant{}, false
	}
	slot, ok := best.tryReserve()
	if !ok { // the session has ended since
		p.giveBack()
		return grant{}, false
	}
	return grant{link: best, slot: slot, permit: p}, true
}
