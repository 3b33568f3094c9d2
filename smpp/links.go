package smpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"smsbridge/bridge"
)

var errNoText = errors.New("smpp: the text is empty")

// LinksConfig is an ordered list of links.
type LinksConfig struct {
	// Links, in the order in which they are tried. Each belongs to one Links.
	Links []*Link
	// MaxSegments is the most segments that one text may need, 1 to 255; 0 means 255.
	MaxSegments int
}

// Links carries texts over several links; it implements [bridge.Carrier]. All methods
// may be called concurrently.
type Links struct {
	links       []*Link
	maxSegments int

	mu      sync.Mutex
	waiters []*waiter // in the order in which they get a link
}

// waiter is a submission that waits for a link.
type waiter struct {
	first   bool
	link    string // the link that the message began on; empty where it did not
	account string // the only account that may take it; empty means any
	granted chan grant
}

// grant is a link with a slot in its window.
type grant struct {
	link *Link
	slot *Slot
}

// NewLinks puts links together. It refuses two of the same name.
func NewLinks(cfg LinksConfig) (*Links, error) {
	ls := &Links{links: slices.Clone(cfg.Links), maxSegments: cfg.MaxSegments}
	names := make(map[string]bool, len(ls.links))
	for _, l := range ls.links {
		if names[l.cfg.Name] {
			return nil, fmt.Errorf("smpp: two links are named %s; give each its own name", l.cfg.Name)
		}
		names[l.cfg.Name] = true
		l.onChange = ls.dispatch
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
// only when it leaves.
func (ls *Links) Estimate(text string) (bridge.Estimate, error) {
	var most bridge.Estimate
	estimated := make(map[string]bool)
	for _, l := range ls.links {
		if l.cfg.Bind == Receiver || estimated[l.cfg.Account] {
			continue
		}
		estimated[l.cfg.Account] = true
		e, err := Estimate(text, l.cfg.Text)
		if err != nil {
			return bridge.Estimate{}, err
		}
		if len(estimated) == 1 || e.Segments > most.Segments {
			most = e
		}
	}
	if len(estimated) == 0 {
		return Estimate(text, TextConfig{})
	}
	return most, nil
}

// likely is a link that sub will probably leave by, or one of the same account; nil where
// there is none.
func (ls *Links) likely(sub bridge.Submission) *Link {
	for _, l := range ls.links {
		if l.cfg.Bind != Receiver && (len(sub.Done) == 0 || l.cfg.Account == sub.Account) {
			return l
		}
	}
	return nil
}

// split makes the segments of sub as the account of l has them; l may be nil.
func (ls *Links) split(sub bridge.Submission, l *Link) ([]Segment, error) {
	opt := SplitOptions{Ref: RefOf(sub.ID), Max: ls.maxSegments}
	if l != nil {
		opt.Text = l.cfg.Text
	}
	segments, err := Split(sub.Text, opt)
	if err == nil && len(segments) == 0 {
		err = errNoText
	}
	return segments, err
}

// unsplit is the result for a text that cannot be sent.
func unsplit(r bridge.Result, err error) bridge.Result {
	r.Outcome, r.Detail, r.Err = bridge.OutcomePermanent, err.Error(), err
	return r
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
func (ls *Links) Waiting() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.waiters)
}

// Submit carries one message; see [bridge.Carrier]. The first link in order that is
// bound, not paused and has room in its window takes it. Who waits longest goes
// first, but for those with First, who go before all others. A message of which
// segments were accepted before goes by the link of these, or another of the same
// account. Where ctx ends the wait the outcome is OutcomeNotWritten.
func (ls *Links) Submit(ctx context.Context, sub bridge.Submission) bridge.Result {
	refused := bridge.Result{Link: sub.Link, SMSCIDs: slices.Clone(sub.Done)}
	likely := ls.likely(sub)
	segments, err := ls.split(sub, likely)
	if err != nil {
		return unsplit(refused, err)
	}
	refused.Total = len(segments)
	if len(sub.Done) >= len(segments) {
		refused.Account = sub.Account
		refused.Outcome = bridge.OutcomeSent
		return refused
	}
	g, err := ls.acquire(ctx, sub)
	if err != nil {
		refused.Outcome, refused.Err = bridge.OutcomeNotWritten, err
		refused.Detail = "no link to the operator was free in time"
		return refused
	}
	defer g.slot.Release()
	if likely == nil || likely.cfg.Account != g.link.cfg.Account {
		if segments, err = ls.split(sub, g.link); err != nil {
			return unsplit(refused, err)
		}
	}
	result := g.link.submit(ctx, g.slot, sub, segments)
	g.link.tally.outcome(result.Outcome)
	return result
}

// serves tells whether a link of the account is configured.
func (ls *Links) serves(account string) bool {
	return slices.ContainsFunc(ls.links, func(l *Link) bool { return l.cfg.Account == account })
}

// acquire waits for a link and a slot in its window.
func (ls *Links) acquire(ctx context.Context, sub bridge.Submission) (grant, error) {
	w := &waiter{first: sub.First, granted: make(chan grant, 1)}
	// If its account is no longer configured any may take the rest of a text: a part of
	// it is worse than one that came over two accounts.
	if len(sub.Done) > 0 && ls.serves(sub.Account) {
		w.link, w.account = sub.Link, sub.Account
	}
	ls.enter(w)
	select {
	case g := <-w.granted:
		return g, nil
	case <-ctx.Done():
	}
	if !ls.leave(w) {
		g := <-w.granted
		g.slot.Release()
	}
	return grant{}, fmt.Errorf("%w: no link took it: %w", ErrNotWritten, ctx.Err())
}

// enter puts w behind those that are before it and lets links take who they can.
func (ls *Links) enter(w *waiter) {
	ls.mu.Lock()
	at := len(ls.waiters)
	if w.first {
		at = slices.IndexFunc(ls.waiters, func(other *waiter) bool { return !other.first })
		if at < 0 {
			at = len(ls.waiters)
		}
	}
	ls.waiters = slices.Insert(ls.waiters, at, w)
	ls.mu.Unlock()
	ls.dispatch()
}

// leave takes w out, and returns false where it has its grant already.
func (ls *Links) leave(w *waiter) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	i := slices.Index(ls.waiters, w)
	if i < 0 {
		return false
	}
	ls.waiters = slices.Delete(ls.waiters, i, i+1)
	return true
}

// dispatch gives links to waiters in order, as far as there is room. It runs whenever
// a link's state or window changed.
func (ls *Links) dispatch() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	open := slices.DeleteFunc(slices.Clone(ls.links), func(l *Link) bool { return !l.canTransmit() })
	waiting := ls.waiters[:0]
	for i, w := range ls.waiters {
		if len(open) == 0 {
			waiting = append(waiting, ls.waiters[i:]...)
			break
		}
		var g grant
		g, open = grantFrom(open, w)
		if g.slot == nil {
			waiting = append(waiting, w)
			continue
		}
		w.granted <- g
	}
	clear(ls.waiters[len(waiting):])
	ls.waiters = waiting
}

// grantFrom takes a slot of the first of the open links that may take w, and returns
// the links that may still have room.
func grantFrom(open []*Link, w *waiter) (grant, []*Link) {
	for _, pass := range []func(*Link) bool{
		func(l *Link) bool { return w.link != "" && l.cfg.Name == w.link },
		func(l *Link) bool { return w.account == "" || l.cfg.Account == w.account },
	} {
		for i := 0; i < len(open); {
			if !pass(open[i]) {
				i++
				continue
			}
			if slot, ok := open[i].tryReserve(); ok {
				return grant{link: open[i], slot: slot}, open
			}
			open = slices.Delete(open, i, i+1)
		}
	}
	return grant{}, open
}
