package bridge

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"smsbridge/addressing"
)

// DefaultValidity is that of [Config.Validity].
const DefaultValidity = 48 * time.Hour

// Config is what an operator decides about the hub.
type Config struct {
	// Region is the home region, an ISO 3166-1 code: how national numbers are read.
	Region string
	// Validity is how long a text is worth delivering. Default DefaultValidity.
	Validity time.Duration
	// MaxSegments is the longest text, in segments, 1 to 255. Default 10.
	MaxSegments int
	// ResendUnknown submits again what may have been sent already. Default: no; the
	// sender is told that nobody knows.
	ResendUnknown bool
	// PartsWait is how long the first segment of a long MO message waits for the
	// others; then what is there is delivered, saying what is missing. Default 10 min.
	PartsWait time.Duration
	// NobodyReply answers a phone that writes to a pool Number which nobody uses with
	// it. Default: a sentence in English.
	NobodyReply string
	// Policy is who may text whom.
	Policy Policy
	// Keywords are the words of STOP, START and HELP. Nil: [addressing.DefaultKeywords].
	Keywords addressing.Keywords
	// HelpReply answers HELP. Default: a sentence in English.
	HelpReply string
	// Prefix says who writes in the first SMS of a conversation over a shared Number;
	// {name} is the person's name. Default "From {name}: ".
	Prefix string
	// Networks are the messengers by network. A nil Messenger marks a network whose
	// users read the log by themselves.
	Networks map[string]Messenger
	// CallPhone writes a phone into call-detail records. Default: masked.
	CallPhone func(addressing.MSISDN) string
	Logger    zerolog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Ports are the rooms around the hub.
type Ports struct {
	Queue   Queue
	Journal Journal
	Archive Archive
	Parts   Parts
	Marks   Marks
	Carrier Carrier
	Reader  Reader
	// Sessions is optional. Without it a message that an SMSC with several binds sends
	// again over another of them is seen twice.
	Sessions Sessions
	// Begun is needed where the policy limits conversations.
	Begun BegunStore
	Book  *addressing.Book
	// Calls is optional. Without it no call-detail records are made.
	Calls Calls
	// Tracer is optional. Without it nothing is traced.
	Tracer Tracer
}

// Hub is the bridge between messengers and SMSCs. All methods may be called
// concurrently.
type Hub struct {
	Ports
	conf  atomic.Pointer[Config]
	log   zerolog.Logger
	now   func() time.Time
	stats *stats
	// process names this hub among all that ever were.
	process string
	// lately are messages accepted by it that may have no story yet.
	lately lately[accepted]
	// read are phones by how people wrote them.
	read lately[addressing.MSISDN]
	// unlogged are messages of it that may be missing in the log of their conversation.
	unlogged lately[struct{}]
	// began is when the hub was made: what a crash left undone is done soon after.
	began time.Time
	// accepting are MT messages being accepted, one request for each at a time: their
	// dispatch waits until they are.
	accepting gates

	inHand inHand

	// submitting are phones that a submit is under way to: a receipt that comes before
	// its submit_sm_resp waits for it.
	submitting gates
	// byPhone lets one receipt at a time look for the segment that has waited longest.
	byPhone sync.Mutex
	// refusals says now and then why the store refuses.
	refusals rate.Sometimes
	// callsFull says now and then that call-detail records are lost.
	callsFull rate.Sometimes
}

// New makes a Hub.
func New(cfg Config, ports Ports) (*Hub, error) {
	if ports.Queue == nil || ports.Journal == nil || ports.Archive == nil || ports.Parts == nil || ports.Marks == nil ||
		ports.Carrier == nil || ports.Reader == nil || ports.Book == nil {
		return nil, errors.New("bridge: a hub needs all of its ports")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Hub{
		process: ulid.Make().String(),

		Ports: ports,
		log:   cfg.Logger,
		now:   func() time.Time { return cfg.Now().UTC() },
		stats: newStats(),

		refusals:  rate.Sometimes{First: 1, Interval: time.Minute},
		callsFull: rate.Sometimes{First: 1, Interval: time.Minute},
	}
	apply, err := h.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	apply()
	h.began = h.now()
	return h, nil
}

// Prepare checks a configuration that may take the place of the one there is; apply puts it in
// place for all that begins afterwards. Networks, logger and clock stay.
func (h *Hub) Prepare(cfg Config) (apply func(), err error) {
	if cfg.Policy.Conversations > 0 && h.Begun == nil {
		return nil, errors.New("bridge: a limit of conversations needs a store for what was begun")
	}
	cfg.Policy.OpenFor = cmp.Or(cfg.Policy.OpenFor, 30*24*time.Hour)
	cfg.Validity = cmp.Or(cfg.Validity, DefaultValidity)
	cfg.MaxSegments = cmp.Or(cfg.MaxSegments, 10)
	cfg.PartsWait = cmp.Or(cfg.PartsWait, 10*time.Minute)
	cfg.NobodyReply = cmp.Or(cfg.NobodyReply, "Nobody has written to you from this number, so your message was not delivered.")
	cfg.HelpReply = cmp.Or(cfg.HelpReply, "Answer to write to whom wrote to you. Send STOP to get no more messages, START to undo that.")
	cfg.Prefix = cmp.Or(cfg.Prefix, "From {name}: ")
	if cfg.Keywords == nil {
		cfg.Keywords = addressing.DefaultKeywords()
	}
	if old := h.conf.Load(); old != nil {
		cfg.Networks, cfg.Logger, cfg.Now = old.Networks, old.Logger, old.Now
	}
	return func() { h.conf.Store(&cfg) }, nil
}

// config is what is configured now.
func (h *Hub) config() *Config { return h.conf.Load() }

// Stats is a snapshot of what the hub has counted since it started.
func (h *Hub) Stats() Stats { return h.stats.snapshot() }

// gates let one goroutine wait until others have left a named place.
type gates struct {
	mu   sync.Mutex
	open map[string]*gate
}

type gate struct {
	inside int
	empty  chan struct{}
}

// enter notes that the caller is inside the place; the caller calls leave once.
func (g *gates) enter(name string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside(name)
}

// inside enters the place. The lock is held.
func (g *gates) inside(name string) (leave func()) {
	at := g.open[name]
	if at == nil {
		if g.open == nil {
			g.open = make(map[string]*gate)
		}
		at = &gate{empty: make(chan struct{})}
		g.open[name] = at
	}
	at.inside++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if at.inside--; at.inside == 0 {
			delete(g.open, name)
			close(at.empty)
		}
	}
}

// alone waits until nobody is inside the place, and enters it; ctx ends the wait.
func (g *gates) alone(ctx context.Context, name string) (leave func(), err error) {
	for {
		g.mu.Lock()
		at := g.open[name]
		if at == nil {
			leave := g.inside(name)
			g.mu.Unlock()
			return leave, nil
		}
		g.mu.Unlock()
		select {
		case <-at.empty:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// empty is closed once nobody is inside the place; nil where nobody is.
func (g *gates) empty(name string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.open[name]; at != nil {
		return at.empty
	}
	return nil
}
