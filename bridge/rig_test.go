package bridge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// Who the stories are about.
var (
	ann     = addressing.MustParseHandle("xmpp:ann@corp.example")
	bob     = addressing.MustParseHandle("xmpp:bob@corp.example")
	eve     = addressing.MustParseHandle("web:eve") // reads the log
	phone   = addressing.MustParseMSISDN("+33612345678")
	other   = addressing.MustParseMSISDN("+33687654321")
	number  = addressing.MustParseNumber("+33700000001")
	nobodys = addressing.MustParseNumber("+33799999999")
)

// options is how a rig differs from the usual one.
type options struct {
	queue    func(*queue.Config)
	hub      bridge.Config
	book     addressing.Config
	carrier  bridge.Carrier // default: a scripted one
	calls    bridge.Calls   // default: none
	sessions bridge.Sessions
	reader   bridge.Reader // default: the real one
	tracer   bridge.Tracer // default: none
	realTime bool
	idle     bool // no workers: the test dispatches by itself
}

// rig is the real hub over the real store, with a Book and a Reader, between an SMSC and
// a messenger that follow a script.
type rig struct {
	*bridge.Hub
	t         *testing.T
	opt       options
	dir       string
	store     *store
	clock     *clock
	carrier   *carrier
	messenger *messenger
	mt        *recorder[turn]
	mo        *recorder[turn]
	stop      func() // ends the workers and closes the store
}

// turn is one dispatch of a message and what it returned.
type turn struct {
	id  string
	err error
}

func newRig(t *testing.T, opt options) *rig {
	t.Helper()
	r := &rig{
		t: t, opt: opt, dir: t.TempDir(), clock: &clock{at: time.Now().Add(-30 * 24 * time.Hour)},
		carrier: newCarrier(t), messenger: &messenger{recorder: newRecorder[bridge.OUT]()},
	}
	r.start()
	return r
}

// start opens the store and builds the hub.
func (r *rig) start() {
	r.t.Helper()
	cfg := queue.Config{
		Dir: r.dir, Durability: queue.Process, Lanes: 2, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, MinFree: -1,
	}
	if r.opt.queue != nil {
		r.opt.queue(&cfg)
	}
	opened, err := queue.Open(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = &store{Store: opened, dead: newRecorder[bridge.Dead]()}
	r.mt, r.mo = newRecorder[turn](), newRecorder[turn]()
	r.Hub = r.newHub()
	workers := func() {}
	if !r.opt.idle {
		workers = r.work()
	}
	r.stop = sync.OnceFunc(func() {
		workers()
		if err := opened.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.stop)
}

func (r *rig) newHub() *bridge.Hub {
	r.t.Helper()
	book := r.opt.book
	if book.Pool == nil && book.Dedicated == nil {
		book.Pool = []addressing.Number{number}
	}
	cfg := r.opt.hub
	cfg.Region, cfg.Logger = "FR", zerolog.Nop()
	cfg.Networks = map[string]bridge.Messenger{addressing.NetworkXMPP: r.messenger, addressing.NetworkWeb: nil}
	if !r.opt.realTime {
		book.Now, cfg.Now = r.clock.now, r.clock.now
	}
	var err error
	if book.Directory, err = addressing.NewDirectory(r.t.Context(), r.store, book.Now); err != nil {
		r.t.Fatal(err)
	}
	b, err := addressing.NewBook(r.store, book)
	if err != nil {
		r.t.Fatal(err)
	}
	ports := bridge.Ports{
		Queue: r.store, Journal: r.store, Archive: r.store, Parts: r.store, Marks: r.store, Begun: r.store,
		Carrier: r.carrier, Reader: &smpp.Reader{Region: "FR"}, Book: b, Calls: r.opt.calls, Sessions: r.opt.sessions, Tracer: r.opt.tracer,
	}
	if r.opt.carrier != nil {
		ports.Carrier = r.opt.carrier
	}
	if r.opt.reader != nil {
		ports.Reader = r.opt.reader
	}
	hub, err := bridge.New(cfg, ports)
	if err != nil {
		r.t.Fatal(err)
	}
	return hub
}

// work runs the workers until the function that it returns is called. Time jumps to
// where a message asks to be dispatched again.
func (r *rig) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	run := func(f func() error) {
		running.Go(func() {
			if err := f(); err != nil {
				r.t.Error(err)
			}
		})
	}
	note := func(to *recorder[turn], id string, err error) error {
		if later, ok := errors.AsType[*bridge.LaterError](err); ok && !r.opt.realTime {
			r.clock.reach(later.At)
		}
		to.add(turn{id, err})
		return err
	}
	r.store.OnGivenUp(r.GivenUp)
	run(func() error {
		return r.store.RunMT(ctx, func(ctx context.Context, m bridge.MT) error { return note(r.mt, m.ID, r.DispatchMT(ctx, m)) })
	})
	run(func() error {
		return r.store.RunMO(ctx, func(ctx context.Context, m bridge.MO) error { return note(r.mo, m.ID, r.DispatchMO(ctx, m)) })
	})
	run(func() error { return r.store.RunOUT(ctx, r.DispatchOUT) })
	return func() { cancel(); running.Wait() }
}

// restart is a new process over the same store.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
}

// accept writes a text to a phone; it must be accepted.
func (r *rig) accept(from addressing.Handle, to addressing.MSISDN, text, id string) bridge.Story {
	r.t.Helper()
	s, err := r.Accept(r.t.Context(), bridge.Request{Handle: from, To: to.String(), Text: text, NetworkID: id, ReplyTo: "desk"})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// done waits until a dispatch of the message was the last.
func (r *rig) done(of *recorder[turn], id string) {
	r.t.Helper()
	of.until(r.t, "the last dispatch of "+id, func(all []turn) bool {
		for _, turn := range all {
			if turn.id == id && turn.err == nil {
				return true
			}
		}
		return false
	})
}

// send accepts a text and waits until the SMSC has it.
func (r *rig) send(from addressing.Handle, to addressing.MSISDN, text, id string) bridge.Story {
	r.t.Helper()
	s := r.accept(from, to, text, id)
	r.done(r.mt, s.ID)
	return r.story(s.ID)
}

func (r *rig) story(id string) bridge.Story {
	r.t.Helper()
	s, _, err := r.store.Story(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// head is the message that the MT queue would hand out first; it stays queued.
func (r *rig) head() bridge.MT {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	got, ended := make(chan bridge.MT, 1), make(chan error, 1)
	go func() {
		ended <- r.store.RunMT(ctx, func(ctx context.Context, m bridge.MT) error {
			select {
			case got <- m:
			default:
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	m := receive(r.t, got, "a queued message")
	cancel()
	if err := receive(r.t, ended, "the end of the worker"); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// queued is how many messages a stage holds.
func (r *rig) queued(stage string) uint64 {
	r.t.Helper()
	depths, err := r.store.Depths(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range depths {
		if d.Stage == stage {
			return d.Messages
		}
	}
	r.t.Fatalf("no stage %s in %+v", stage, depths)
	return 0
}

// log is the conversation as kind, state and text.
func (r *rig) log(h addressing.Handle, p addressing.MSISDN) []string {
	r.t.Helper()
	entries, err := r.store.Messages(r.t.Context(), h, p, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		lines = append(lines, string(e.Kind)+" "+string(e.State)+e.Text)
	}
	return lines
}

// clock is the time of a story: it moves when the story says so.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// reach moves the clock on to at, never back.
func (c *clock) reach(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.at) {
		c.at = at
	}
}

func (c *clock) pass(d time.Duration) { c.reach(c.now().Add(d)) }
