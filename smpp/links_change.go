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

// linkSet is the links of one configuration, and the routes over them. It does not change, but
// for the lines of messages that were begun.
type linkSet struct {
	links       []*Link
	routes      []*route
	rates       map[string]float64
	operator    func(ctx context.Context, phone addressing.MSISDN) string
	maxSegments int

	mu     sync.Mutex
	pinned map[pin]*line
	closed bool
}

// links are those that are configured now.
func (ls *Links) links() []*Link { return ls.set.Load().links }

// LinksChange is a configuration of [Links] that has been checked.
type LinksChange struct {
	of   *Links
	next *linkSet
}

// Prepare checks a configuration that may take the place of the one there is. Links that are in both
// stay as they are. It changes nothing; its links belong to the Links from Apply on.
func (ls *Links) Prepare(cfg LinksConfig) (*LinksChange, error) {
	next := &linkSet{
		links: slices.Clone(cfg.Links), rates: cfg.Rates, operator: cfg.Operator, maxSegments: cfg.MaxSegments, pinned: make(map[pin]*line),
	}
	names := make(map[string]bool, len(next.links))
	for _, l := range next.links {
		if names[l.cfg.Name] {
			return nil, fmt.Errorf("smpp: two links are named %s; give each its own name", l.cfg.Name)
		}
		names[l.cfg.Name] = true
	}
	for _, r := range cfg.Routes {
		built, err := newRoute(r, next.links)
		if err != nil {
			return nil, err
		}
		next.routes = append(next.routes, built)
	}
	if len(cfg.Routes) == 0 && slices.ContainsFunc(next.links, (*Link).canTransmit) {
		next.routes = []*route{everyRoute(next.links)}
	}
	nameRoutes(next.routes)
	return &LinksChange{of: ls, next: next}, nil
}

// Apply puts the configuration in place and waits for nothing. A link that is not in it takes
// nothing new, ends what is in flight and unbinds, and those of the same account or name that
// take its place bind after that. What waits for a link waits by the new routes from now on. An account keeps
// what is known of its SMSC, and a link of the same name its counts.
func (c *LinksChange) Apply() {
	ls, next := c.of, c.next
	ls.mu.Lock()
	defer ls.mu.Unlock()
	old := ls.set.Load()
	ls.shareAccounts(old, next)
	for _, r := range next.routes {
		r.line = ls.queue.addLine(r.targets[0].links[0], ls.queue.takeUnlessHeld(r))
	}
	ls.set.Store(next)
	for _, l := range old.links {
		if !slices.Contains(next.links, l) {
			ls.former = append(ls.former, l)
		}
	}
	ls.former = ls.former[max(0, len(ls.former)-keptConnections):]
	ls.runOnly(next.links)
	old.close(ls.queue)
	ls.queue.dispatch()
}

// shareAccounts joins the links of next that are new, and has all of one account share it.
func (ls *Links) shareAccounts(old, next *linkSet) {
	accounts := make(map[string]*account)
	for _, l := range old.links {
		accounts[l.cfg.Account] = l.account
	}
	byAccount := make(map[string][]*Link)
	for _, l := range next.links {
		byAccount[l.cfg.Account] = append(byAccount[l.cfg.Account], l)
	}
	for name, links := range byAccount {
		shared := accounts[name]
		if shared == nil {
			shared = newAccount(ls.queue.dispatch)
		}
		limit, given := next.rates[name]
		if !given {
			limit = lowest(links)
		}
		shared.serve(links, limit)
		for _, l := range links {
			if !slices.Contains(old.links, l) {
				l.join(ls.queue, shared)
				l.succeed(old.links)
			}
		}
	}
}

// succeed has l go on with the counts, and the memory, of the link whose name it has.
func (l *Link) succeed(links []*Link) {
	i := slices.IndexFunc(links, func(other *Link) bool { return other.cfg.Name == l.cfg.Name })
	if i < 0 {
		return
	}
	other := links[i]
	l.counters, l.tally, l.past = other.counters, other.tally, other.past
	other.mu.Lock()
	defer other.mu.Unlock()
	l.binds = other.binds
}

// linkRun is a link that runs.
type linkRun struct {
	end   context.CancelFunc
	ended chan struct{} // closed once it has unbound
}

// runOnly ends the links that are not among those given, and starts those that do not run.
func (ls *Links) runOnly(links []*Link) {
	if ls.ctx == nil || ls.ended {
		return // Run starts them, or has ended
	}
	var leaving []*Link
	for l, run := range ls.running {
		if !slices.Contains(links, l) {
			run.end()
			leaving = append(leaving, l)
		}
	}
	for _, l := range links {
		if ls.running[l] != nil {
			continue
		}
		var before []chan struct{}
		for _, other := range leaving {
			if other.cfg.Account == l.cfg.Account || other.cfg.Name == l.cfg.Name {
				before = append(before, ls.running[other].ended)
			}
		}
		ls.startLocked(l, before)
	}
}

// startLocked runs a link once others have ended: an SMSC counts the binds of an account. The
// lock is held.
func (ls *Links) startLocked(l *Link, before []chan struct{}) {
	ctx, cancel := context.WithCancel(ls.ctx)
	run := &linkRun{end: cancel, ended: make(chan struct{})}
	ls.running[l] = run
	ls.runs.Go(func() {
		defer cancel()
		for _, other := range before {
			<-other // its drain is bounded
		}
		err := l.Run(ctx)
		ls.queue.closeLine(l.continued)
		close(run.ended)
		ls.mu.Lock()
		defer ls.mu.Unlock()
		delete(ls.running, l)
		ls.err = errors.Join(ls.err, err)
	})
}

// close sends all who wait in lines of the set to others.
func (s *linkSet) close(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, r := range s.routes {
		q.closeLine(r.line)
	}
	for _, l := range s.pinned {
		q.closeLine(l)
	}
}

// lineOf is where a message waits. It is chosen anew each time that a message is
// submitted, and its links are chosen when one of them can take it.
func (s *linkSet) lineOf(ctx context.Context, sub bridge.Submission, q *queue) (*line, bool) {
	// If its account is no longer configured any may take the rest of a text: a part of
	// it is worse than one that came over two accounts.
	if len(sub.Done) > 0 {
		if l, ok := s.pinnedLine(pin{account: sub.Account, link: sub.Link}, q); ok {
			return l, true
		}
	}
	operator := ""
	if s.operator != nil && slices.ContainsFunc(s.routes, func(r *route) bool { return len(r.Operators) > 0 }) {
		operator = s.operator(ctx, sub.Phone)
	}
	r := choose(s.routes, sub, operator)
	if r == nil {
		return nil, false
	}
	return r.line, true
}

// pinnedLine is the line of those who must go by one account; there is none where no
// link of it can send.
func (s *linkSet) pinnedLine(p pin, q *queue) (*line, bool) {
	var t target
	named := false
	for _, l := range s.links {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	l, known := s.pinned[p]
	switch {
	case known:
	case s.closed: // who asked for it looks at the next configuration
		l = &line{likely: t.links[0], closed: true}
	default:
		l = q.addLine(t.links[0], func(now time.Time) (grant, bool) {
			if q.holdsAll() {
				return grant{}, false
			}
			return t.take(now, p.link)
		})
		s.pinned[p] = l
	}
	return l, true
}
