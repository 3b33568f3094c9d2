package smpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

var errNoText = errors.New("smpp: the text is empty")

// errNoRoute: the operator's routes leave the destination out.
var errNoRoute = errors.New("smpp: no route leads to the destination")

// LinksConfig is links, and which of them serve whom.
type LinksConfig struct {
	// Links, in the order in which they are tried where no Routes are given. Each belongs
	// to one Links.
	Links []*Link
	// Routes say which links serve which destinations; none means that the accounts
	// serve all, in the order of their first links, each while those before it are down.
	Routes []Route
	// Operator, if set, gives the operator that a phone belongs to, for
	// [Route.Operators]; empty where it is not known. It is asked for each message that
	// none of the segments of which was sent, and may take its time.
	Operator func(ctx context.Context, phone addressing.MSISDN) string
	// MaxSegments is the most segments that one text may need, 1 to 255; 0 means 255.
	MaxSegments int
}

// Links carries texts over several links; it implements [bridge.Carrier]. All methods
// may be called concurrently.
type Links struct {
	links       []*Link
	routes      []*route
	operator    func(ctx context.Context, phone addressing.MSISDN) string
	maxSegments int
	queue       *queue

	mu     sync.Mutex
	pinned map[pin]*line
}

// pin is where the rest of a message goes: by the account of its beginning, and by the
// same link if that has room.
type pin struct{ account, link string }

// NewLinks puts links together. It refuses two of the same name and a route to nowhere.
func NewLinks(cfg LinksConfig) (*Links, error) {
	ls := &Links{
		links: slices.Clone(cfg.Links), operator: cfg.Operator, maxSegments: cfg.MaxSegments,
		queue: new(queue), pinned: make(map[pin]*line),
	}
	names := make(map[string]bool, len(ls.links))
	accounts := make(map[string][]*Link)
	for _, l := range ls.links {
		if names[l.cfg.Name] {
			return nil, fmt.Errorf("smpp: two links are named %s; give each its own name", l.cfg.Name)
		}
		names[l.cfg.Name] = true
		accounts[l.cfg.Account] = append(accounts[l.cfg.Account], l)
	}
	for _, links := range accounts {
		shared := newAccount(ls.queue.dispatch, links...)
		for _, l := range links {
			l.join(ls.queue, shared)
		}
	}
	for _, r := range cfg.Routes {
		built, err := newRoute(r, ls.links)
		if err != nil {
			return nil, err
		}
		ls.routes = append(ls.routes, built)
	}
	if len(cfg.Routes) == 0 && slices.ContainsFunc(ls.links, (*Link).canTransmit) {
		ls.routes = []*route{everyRoute(ls.links)}
	}
	nameRoutes(ls.routes)
	for _, r := range ls.routes {
		r.line = ls.queue.addLine(r.targets[0].links[0], ls.takeUnlessHeld(r))
	}
	return ls, nil
}

// Run runs every link until ctx ends and all have drained.
func (ls *Links) Run(ctx context.Context) error {
	var running sync.WaitGroup
	errs := make([]error, len(ls.links))
	for i, l := range ls.links {
		running.Go(func() { errs[i] = l.Run(ctx) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// Estimate tells how text would be sent; see [bridge.Carrier]. Where accounts differ it
// is the one that takes the most segments: which of them will carry the text is known
// only when it leaves. So it is an error only where no account can carry the text; one
// that cannot, and gets it all the same, ends it with the same words.
func (ls *Links) Estimate(text string) (bridge.Estimate, error) {
	var most bridge.Estimate
	var refused error
	found := false
	estimated := make(map[string]bool)
	for _, l := range ls.links {
		if l.cfg.Bind == Receiver || estimated[l.cfg.Account] {
			continue
		}
		estimated[l.cfg.Account] = true
		e, err := Estimate(text, l.cfg.Text)
		switch {
		case err != nil:
			refused = err
		case !found || e.Segments > most.Segments:
			most, found = e, true
		}
	}
	switch {
	case found:
		return most, nil
	case refused != nil:
		return bridge.Estimate{}, refused
	default:
		return Estimate(text, TextConfig{})
	}
}

// split makes the segments of sub as the account of l has them.
func (ls *Links) split(sub bridge.Submission, l *Link) ([]Segment, error) {
	segments, err := Split(sub.Text, SplitOptions{Ref: RefOf(sub.ID), Max: ls.maxSegments, Text: l.cfg.Text})
	if err == nil && len(segments) == 0 {
		err = errNoText
	}
	return segments, err
}

// Status gives the state of each link, in their order.
func (ls *Links) Status() []LinkState {
	all := make([]LinkState, len(ls.links))
	for i, l := range ls.links {
		all[i] = l.State()
	}
	return all
}

// Stats gives the counts of each link, in their order.
func (ls *Links) Stats() []LinkStats {
	all := make([]LinkStats, len(ls.links))
	for i, l := range ls.links {
		all[i] = l.Stats()
	}
	return all
}

// Waiting is how many submissions wait for a link.
func (ls *Links) Waiting() int { return ls.queue.len() }

// Submit carries one message; see [bridge.Carrier]. A link of its [Route] takes it that is
// bound and has room in its window, and whose account is not paused nor at its rate. Who
// waits longest goes first, but for those with First, who go before all others. A message
// of which segments were accepted before goes by the link of these, or another of the
// same account. Where ctx ends the wait the outcome is OutcomeNotWritten.
func (ls *Links) Submit(ctx context.Context, sub bridge.Submission) bridge.Result {
	r := bridge.Result{Link: sub.Link, Account: sub.Account, SMSCIDs: slices.Clone(sub.Done)}
	line, ok := ls.lineOf(ctx, sub)
	if !ok {
		r.Outcome, r.Reason, r.Err = bridge.OutcomePermanent, bridge.ReasonUnroutable, errNoRoute
		r.Detail = "the bridge has no connection that serves this number, or none for you; whoever runs it can add a route"
		return r
	}
	segments, end := ls.segments(sub, line.likely, &r)
	if end {
		return r
	}
	first := rankNew
	if sub.First {
		first = rankRefused
	}
	g, err := ls.queue.wait(ctx, line, first)
	if err != nil {
		r.Outcome, r.Err = bridge.OutcomeNotWritten, err
		r.Detail = "no link to the operator was free in time"
		return r
	}
	defer g.slot.Release()
	if g.link.cfg.Account != line.likely.cfg.Account {
		if segments, end = ls.segments(sub, g.link, &r); end {
			g.permit.giveBack()
			return r
		}
	}
	r = g.link.submit(ctx, g, sub, segments)
	g.link.tally.outcome(r.Outcome)
	return r
}

// segments are those of sub over l. Where there is nothing to submit r says why.
func (ls *Links) segments(sub bridge.Submission, l *Link, r *bridge.Result) (_ []Segment, end bool) {
	segments, err := ls.split(sub, l)
	r.Total = len(segments)
	switch {
	case err != nil:
		r.Outcome, r.Detail, r.Err = bridge.OutcomePermanent, err.Error(), err
	case len(sub.Done) >= len(segments):
		r.Outcome = bridge.OutcomeSent
	default:
		return segments, false
	}
	return nil, true
}

// lineOf is where a message waits. It is chosen anew each time that a message is
// submitted, and its links are chosen when one of them can take it.
func (ls *Links) lineOf(ctx context.Context, sub bridge.Submission) (*line, bool) {
	// If its account is no longer configured any may take the rest of a text: a part of
	// it is worse than one that came over two accounts.
	if len(sub.Done) > 0 {
		if l, ok := ls.pinnedLine(pin{account: sub.Account, link: sub.Link}); ok {
			return l, true
		}
	}
	operator := ""
	if ls.operator != nil && slices.ContainsFunc(ls.routes, func(r *route) bool { return len(r.Operators) > 0 }) {
		operator = ls.operator(ctx, sub.Phone)
	}
	r := choose(ls.routes, sub, operator)
	if r == nil {
		return nil, false
	}
	return r.line, true
}

// pinnedLine is the line of those who must go by one account; there is none where no
// link of it can send.
func (ls *Links) pinnedLine(p pin) (*line, bool) {
	var t target
	named := false
	for _, l := range ls.links {
		if l.cfg.Account == p.account && l.canTransmit() {
			t.links = append(t.links, l)
			named = named || l.cfg.Name == p.link
		}
	}
	if len(t.links) == 0 {
		return nil, false
	}
	if !named {
		p.link = "" // a link of an older configuration: there are too many to keep a line for each
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, known := ls.pinned[p]
	if !known {
		l = ls.queue.addLine(t.links[0], func(now time.Time) (grant, bool) {
			if ls.queue.holdsAll() {
				return grant{}, false
			}
			return t.take(now, p.link)
		})
		ls.pinned[p] = l
	}
	return l, true
}
