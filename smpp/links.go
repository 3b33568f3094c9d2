package smpp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

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
	// Rates are segments a second by account, before [LinkConfig.Rate], so that a rate can
	// change while the links stay; 0: no limit.
	Rates map[string]float64
	// MaxSegments is the most segments that one text may need, 1 to 255; 0 means 255.
	MaxSegments int
}

// Links carries texts over several links; it implements [bridge.Carrier]. All methods
// may be called concurrently.
type Links struct {
	queue *queue
	set   atomic.Pointer[linkSet] // what is configured now

	mu      sync.Mutex // of what follows, and of changes
	ctx     context.Context
	running map[*Link]*linkRun
	former  []*Link // the last that were taken out, for [Links.Fell]
	runs    sync.WaitGroup
	ended   bool // nothing more is started
	err     error
}

// pin is where the rest of a message goes: by the account of its beginning, and by the
// same link if that has room.
type pin struct{ account, link string }

// NewLinks puts links together. It refuses two of the same name and a route to nowhere.
func NewLinks(cfg LinksConfig) (*Links, error) {
	ls := &Links{queue: new(queue), running: make(map[*Link]*linkRun)}
	ls.set.Store(new(linkSet))
	change, err := ls.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	change.Apply()
	return ls, nil
}

// Run runs every link until ctx ends and all have drained, also those of a [LinksChange]
// meanwhile.
func (ls *Links) Run(ctx context.Context) error {
	ls.mu.Lock()
	ls.ctx = ctx
	for _, l := range ls.links() {
		ls.startLocked(l, nil)
	}
	ls.mu.Unlock()
	<-ctx.Done()
	ls.mu.Lock()
	ls.ended = true
	ls.mu.Unlock()
	ls.runs.Wait()
	return ls.err
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
	for _, l := range ls.links() {
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
	segments, err := Split(sub.Text, SplitOptions{Ref: RefOf(sub.ID), Max: ls.set.Load().maxSegments, Text: l.cfg.Text})
	if err == nil && len(segments) == 0 {
		err = errNoText
	}
	return segments, err
}

// Status gives the state of each link, in their order.
func (ls *Links) Status() []LinkState {
	var all []LinkState
	for _, l := range ls.links() {
		all = append(all, l.State())
	}
	return all
}

// Stats gives the counts of each link, in their order.
func (ls *Links) Stats() []LinkStats {
	var all []LinkStats
	for _, l := range ls.links() {
		all = append(all, l.Stats())
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
	for {
		r, err := ls.submit(ctx, sub)
		if !errors.Is(err, errMoved) {
			return r
		}
	}
}

// submit is [Links.Submit] by what is configured now; errMoved where that has changed before
// anything was written.
func (ls *Links) submit(ctx context.Context, sub bridge.Submission) (bridge.Result, error) {
	r := bridge.Result{Link: sub.Link, Account: sub.Account, SMSCIDs: slices.Clone(sub.Done)}
	line, ok := ls.set.Load().lineOf(ctx, sub, ls.queue)
	if !ok {
		r.Outcome, r.Reason, r.Err = bridge.OutcomePermanent, bridge.ReasonUnroutable, errNoRoute
		r.Detail = "the bridge has no connection that serves this number, or none for you; whoever runs it can add a route"
		return r, nil
	}
	segments, end := ls.segments(sub, line.likely, &r)
	if end {
		return r, nil
	}
	first := rankNew
	if sub.First {
		first = rankRefused
	}
	g, err := ls.queue.wait(ctx, line, first)
	if err != nil {
		if errors.Is(err, errMoved) {
			return r, err
		}
		r.Outcome, r.Err = bridge.OutcomeNotWritten, err
		r.Detail = "no link to the operator was free in time"
		return r, nil
	}
	defer g.slot.Release()
	if g.link.cfg.Account != line.likely.cfg.Account {
		if segments, end = ls.segments(sub, g.link, &r); end {
			g.permit.giveBack()
			return r, nil
		}
	}
	r = g.link.submit(ctx, g, sub, segments)
	g.link.tally.outcome(r.Outcome)
	return r, nil
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
