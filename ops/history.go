package ops

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"smsbridge/bridge"
)

// The last hour is kept by a sample each 10 s.
const (
	historyStep = 10 * time.Second
	historySize = int(time.Hour / historyStep)
)

// historyStages are those of the queue, in the order of the plots.
var historyStages = [...]string{"mt", "mo", "out", "dead"}

// point is one sample. It counts since the daemon started and holds no message, so that an
// hour of it takes some 500 kB with 10 SMSC accounts.
type point struct {
	at       time.Time
	read     bool // the queue could be read
	depth    [len(historyStages)]uint64
	age      [len(historyStages)]time.Duration
	hub      hubTotals
	accounts []accountTotals // always in the order of the links
}

// hubTotals is what [bridge.Stats] has counted, as far as the plots and the diagnosis look at it.
type hubTotals struct {
	accepted, refused, sent, delivered, failed, unknown, mo, dead, panics uint64
	sentAfter, deliveredAfter                                             bridge.Latency
}

// accountTotals is what the links of one SMSC account have counted together.
type accountTotals struct {
	account                               string
	sent, throttled, temporary, permanent uint64
	unanswered, receiptsDue, receiptsCame uint64
}

// History keeps how the daemon was over the last hour, in memory.
type History struct {
	src Sources

	mu     sync.Mutex
	points []point // the oldest first, at most historySize
	// unbound is since when links are not bound, by name. It is replaced, never changed.
	unbound map[string]time.Time
	// elsewhere is when other instances last had a receipt, by account. It is replaced, never changed.
	elsewhere map[string]time.Time
}

// NewHistory makes one that reads src, all of which may be nil.
func NewHistory(src Sources) *History {
	return &History{src: src}
}

// Run takes a sample at once and then each 10 s, until ctx ends.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(historyStep)
	defer tick.Stop()
	for {
		h.sample(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (h *History) sample(ctx context.Context) {
	p, _, _ := h.now(ctx)
	if h.src.Links != nil {
		h.notice(h.src.Links())
	}
	h.hear()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.points) == historySize {
		h.points = slices.Delete(h.points, 0, 1)
	}
	h.points = append(h.points, p)
}

// now reads the sources. The error is that of the queue.
func (h *History) now(ctx context.Context) (p point, depths []QueueDepth, err error) {
	p.at = time.Now()
	if h.src.Depths != nil {
		ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
		defer cancel()
		depths, err = h.src.Depths(ctx)
		p.read = err == nil
		for _, d := range depths {
			if i := slices.Index(historyStages[:], d.Stage); i >= 0 && p.read {
				p.depth[i], p.age[i] = d.Messages, d.oldestAge(p.at)
			}
		}
	}
	var hub bridge.Stats
	if h.src.Hub != nil {
		hub = h.src.Hub()
		p.hub = totalsOf(hub)
	}
	if h.src.LinkCounts != nil {
		p.accounts = accountsOf(h.src.LinkCounts(), hub)
	}
	return p, depths, err
}

func totalsOf(s bridge.Stats) hubTotals {
	t := hubTotals{
		accepted: s.Accepted, sent: s.Submits[bridge.OutcomeSent], mo: s.DeliveredMO, panics: s.Panics,
		sentAfter: s.SentAfter, deliveredAfter: s.DeliveredAfter,
	}
	for _, n := range s.Refused {
		t.refused += n
	}
	for _, n := range s.DeadLetters {
		t.dead += n
	}
	for ended, n := range s.Ended {
		switch ended.State {
		case bridge.Delivered:
			t.delivered += n
		case bridge.Failed, bridge.Expired:
			t.failed += n
		case bridge.Unknown:
			t.unknown += n
		}
	}
	return t
}

func accountsOf(links []LinkCounts, hub bridge.Stats) []accountTotals {
	var all []accountTotals
	for _, l := range links {
		i := slices.IndexFunc(all, func(a accountTotals) bool { return a.account == l.Account })
		if i < 0 {
			i = len(all)
			all = append(all, accountTotals{
				account: l.Account, receiptsDue: hub.ReceiptsDue[l.Account], receiptsCame: hub.ReceiptsCame[l.Account],
			})
		}
		a := &all[i]
		a.sent += l.Submits[bridge.OutcomeSent]
		a.throttled += l.Submits[bridge.OutcomeThrottled]
		a.temporary += l.Submits[bridge.OutcomeTemporary]
		a.permanent += l.Submits[bridge.OutcomePermanent]
		a.unanswered += l.Submits[bridge.OutcomeUnknown]
	}
	return all
}

// account is what p knows of one account; zero where it had none of this name.
func (p point) account(name string) accountTotals {
	for _, a := range p.accounts {
		if a.account == name {
			return a
		}
	}
	return accountTotals{}
}

// kept gives the samples, the oldest first.
func (h *History) kept() []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.points)
}

// Hour is the body of /admin/v1/history: columns, with one row for each sample, the oldest
// first. A null was not known.
type Hour struct {
	StepSeconds int         `json:"step_seconds"`
	At          []time.Time `json:"at"`
	// Depth and AgeSeconds are how many messages waited, and the oldest for how long, by stage.
	Depth      map[string][]*float64 `json:"depth"`
	AgeSeconds map[string][]*float64 `json:"age_seconds"`
	// Rates are messages a second since the sample before: accepted, sent, delivered, failed,
	// mo (delivered to a messenger), and throttled (submits that were refused for now).
	Rates map[string][]*float64 `json:"rates"`
	// LatencySeconds is from acceptance on, of the messages of the minute that ends with the sample, as median
	// and 99th percentile: sent_p50 and sent_p99 until an SMSC had them, delivered_p50 and
	// delivered_p99 until their phones had.
	LatencySeconds map[string][]*float64 `json:"latency_seconds"`
}

func (s *Server) history(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, hourOf(s.cfg.History.kept()))
}

func hourOf(points []point) Hour {
	hour := Hour{
		StepSeconds: int(historyStep / time.Second), At: make([]time.Time, 0, len(points)),
		Depth: map[string][]*float64{}, AgeSeconds: map[string][]*float64{}, Rates: map[string][]*float64{},
		LatencySeconds: map[string][]*float64{},
	}
	for i, p := range points {
		hour.At = append(hour.At, p.at.UTC().Truncate(time.Millisecond))
		for stage, name := range historyStages {
			hour.Depth[name] = append(hour.Depth[name], known(p.read, float64(p.depth[stage])))
			hour.AgeSeconds[name] = append(hour.AgeSeconds[name], known(p.read, p.age[stage].Seconds()))
		}
		before := points[max(0, i-1)]
		took := p.at.Sub(before.at).Seconds()
		for name, count := range rates {
			rate := known(took > 0, float64(rise(count(before), count(p)))/took)
			hour.Rates[name] = append(hour.Rates[name], rate)
		}
		minute := points[max(0, i-int(time.Minute/historyStep))]
		for name, l := range latencies {
			took := l.of(p).Since(l.of(minute))
			value, counted := took.Quantile(l.share)
			hour.LatencySeconds[name] = append(hour.LatencySeconds[name], known(counted, value.Seconds()))
		}
	}
	return hour
}

// rise is by how much a counter has grown. A link that a reload has replaced counts from 0 again.
func rise(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// rates are the curves of [Hour.Rates].
var rates = map[string]func(point) uint64{
	"accepted":  func(p point) uint64 { return p.hub.accepted },
	"sent":      func(p point) uint64 { return p.hub.sent },
	"delivered": func(p point) uint64 { return p.hub.delivered },
	"failed":    func(p point) uint64 { return p.hub.failed + p.hub.unknown },
	"mo":        func(p point) uint64 { return p.hub.mo },
	"throttled": func(p point) (n uint64) {
		for _, a := range p.accounts {
			n += a.throttled
		}
		return n
	},
}

// latencies are the curves of [Hour.LatencySeconds].
var latencies = map[string]struct {
	of    func(point) bridge.Latency
	share float64
}{
	"sent_p50": {sentAfter, 0.5}, "sent_p99": {sentAfter, 0.99},
	"delivered_p50": {deliveredAfter, 0.5}, "delivered_p99": {deliveredAfter, 0.99},
}

func sentAfter(p point) bridge.Latency      { return p.hub.sentAfter }
func deliveredAfter(p point) bridge.Latency { return p.hub.deliveredAfter }

// known keeps three significant digits behind the comma: more is noise on a plot.
func known(ok bool, v float64) *float64 {
	if !ok {
		return nil
	}
	v = float64(int64(v*1000+0.5)) / 1000
	return &v
}
