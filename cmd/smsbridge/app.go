package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/messenger/web"
	"smsbridge/messenger/xmpp"
	"smsbridge/ops"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// app is one bridge, wired. newApp opens what can fail, run runs it.
type app struct {
	cfg   *configs.Config
	log   zerolog.Logger
	store *queue.Store
	hub   *bridge.Hub
	links *smpp.Links
	// callFile has the call-detail records; nil where none are written to files.
	callFile *ops.CallFile
	traces   *ops.Traces     // nil where nothing is traced
	xmpp     *xmpp.Component // nil where there is none
	web      *web.Server     // nil where there is none
	ops      *ops.Server
	// history is what the operators' page plots.
	history *ops.History
	census  *ops.Census
	holds   *bridge.Holds
	reader  reader
	// byName are the links, and lookup that of ported numbers; a reload replaces them.
	byName map[string]*smpp.Link
	lookup *smpp.Portability // nil where there is none
	reload *reloader         // nil where the configuration is of no file
	greet  io.Writer         // a person's terminal; nil where nobody looks
	// webListener is open from the start, so that the address is known; nil where
	// somebody else serves the web messenger's handler.
	webListener net.Listener
}

// newApp wires the rooms, in one straight line. What it opened is closed again
// where it fails. ctx bounds the opening only.
func newApp(ctx context.Context, cfg *configs.Config, log zerolog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	networks := make(map[string]bridge.Messenger)
	book, err := a.openHub(ctx, networks)
	if err != nil {
		return nil, err
	}
	if cfg.XMPP != nil {
		if a.xmpp, err = xmpp.New(xmppConfig(cfg, log, a.hub)); err != nil {
			return nil, err
		}
		networks[addressing.NetworkXMPP] = a.xmpp
	}
	if cfg.Web != nil {
		networks[addressing.NetworkWeb] = nil // its users read the log
		if err = a.openWeb(ctx); err != nil {
			return nil, err
		}
	}
	return a, a.openOps(book)
}

// openHub opens the store and makes the links and the hub over it. The hub and the rooms
// around it know each other: links and messengers get the hub when they are made, the hub
// gets the messengers in a map before anything runs.
func (a *app) openHub(ctx context.Context, networks map[string]bridge.Messenger) (book *addressing.Book, err error) {
	if err = a.openCalls(); err != nil {
		return nil, err
	}
	a.openTraces()
	store := queueConfig(a.cfg, a.log)
	store.RouteOf = func(h addressing.Handle, phone addressing.MSISDN) string { return a.links.RouteOf(h, phone) }
	if a.store, err = queue.Open(ctx, store); err != nil {
		return nil, err
	}
	numbers := bookConfig(a.cfg)
	if numbers.Directory, err = addressing.NewDirectory(ctx, a.store, nil); err != nil {
		return nil, err
	}
	if book, err = addressing.NewBook(a.store, numbers); err != nil {
		return nil, err
	}
	if a.links, err = a.newLinks(); err != nil {
		return nil, err
	}
	if err = a.openHolds(ctx); err != nil {
		return nil, err
	}
	if err = a.store.AnswerFor(a.links); err != nil {
		return nil, err
	}
	a.reader.Store(newReader(a.cfg))
	a.hub, err = bridge.New(hubConfig(a.cfg, a.log, networks), bridge.Ports{
		Queue: a.store, Journal: a.store, Archive: a.store, Parts: a.store, Marks: a.store, Begun: a.store,
		Carrier: a.links, Sessions: sessions{a}, Reader: &a.reader, Book: book, Calls: a.calls(), Tracer: a.tracer(),
	})
	if err != nil {
		return nil, err
	}
	hub := a.hub
	a.store.SayReceipts(func() map[string]time.Time { return hub.Stats().ReceiptAt })
	return book, nil
}

// newLinks makes the links of the configuration. They store what comes through the
// hub, which is there before they run.
func (a *app) newLinks() (_ *smpp.Links, err error) {
	if a.lookup, err = newLookup(a.cfg, a.log); err != nil {
		return nil, err
	}
	var cfg smpp.LinksConfig
	if cfg, a.byName, err = a.linksConfig(a.cfg, nil, a.lookup); err != nil {
		return nil, err
	}
	return smpp.NewLinks(cfg)
}

// linksConfig makes the links of a configuration, but for those of keep, which are there.
func (a *app) linksConfig(from *configs.Config, keep map[string]*smpp.Link, lookup *smpp.Portability) (cfg smpp.LinksConfig, byName map[string]*smpp.Link, err error) {
	store := func(ctx context.Context, m bridge.MO) error { return a.hub.StoreMO(ctx, m) }
	cfg = smpp.LinksConfig{Routes: routeConfigs(from), Rates: accountRates(from), MaxSegments: from.MT.MaxSegments}
	byName = make(map[string]*smpp.Link)
	for _, s := range from.SMSCs {
		for _, c := range poolConfigs(linkConfig(s, from.DrainTimeout, a.log, store), s.Binds) {
			link := keep[c.Name]
			if link == nil {
				c.SessionPrefix = a.store.Process() + "."
				if link, err = smpp.NewLink(c); err != nil {
					return cfg, nil, err
				}
			}
			byName[c.Name] = link
			cfg.Links = append(cfg.Links, link)
		}
	}
	if lookup != nil {
		cfg.Operator = lookup.Operator
	}
	return cfg, byName, nil
}

func (a *app) openWeb(ctx context.Context) error {
	key, err := a.sessionKey(ctx)
	if err != nil {
		return err
	}
	if a.cfg.Web.Listen != "" {
		a.webListener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.Web.Listen)
		if err != nil {
			return fmt.Errorf("web.listen: cannot listen on %s: %w; is another program there already?", a.cfg.Web.Listen, err)
		}
	}
	cfg := webConfig(a.cfg, a.log, a.hub, history{a.store, a.hub.Book.Directory()})
	cfg.SessionKey, cfg.Listener = key, a.webListener
	a.web, err = web.New(cfg)
	return err
}

func (a *app) openOps(book *addressing.Book) (err error) {
	a.census = ops.NewCensus(book.Census, room(a.log, "ops"))
	sources := ops.Sources{
		Depths: a.depths, Stages: a.stageStats, Leases: a.leases, Links: a.linkStates, LinkCounts: a.linkCounts, Messengers: a.messengerStates, Hub: a.hub.Stats,
		Routes: a.routeStates, Records: a.records, Census: a.census, ReceiptsElsewhere: a.store.ReceiptsElsewhere,
	}
	if a.cfg.CallRecords != nil {
		sources.Calls = a.callStats
	}
	if a.traces != nil {
		sources.Traces = a.traces.Stats
	}
	a.history = ops.NewHistory(sources)
	var reload ops.Reloader
	if a.cfg.Source.File != "" {
		a.reload = newReloader(a, a.cfg)
		reload, sources.Config = a.reload, a.reload.State
	}
	a.ops, err = ops.New(ops.Config{
		Addr: a.cfg.Ops.Listen, Insecure: a.cfg.Ops.Insecure, Book: book, Region: a.cfg.Numbers.Region,
		Depths: a.depths, Instances: a.instances, Audit: a.store, Dead: a.store, Undertaker: undertaker{a},
		Control: a.control(), History: a.history, Reloader: reload,
		Registry: ops.NewRegistry(version(), sources), Exemplars: a.traces != nil,
		Checks: []ops.Check{
			{Name: "queue", Check: a.store.Writable},
			{Name: "workers", Check: func(context.Context) error { return a.store.Working() }},
			ops.LinksReady(a.linkStates), ops.MessengersReady(a.messengerStates),
		},
		Logger: room(a.log, "ops"),
	})
	return err
}

// run runs the daemon until ctx ends, and then drains it: what takes messages stops
// first, then the workers, which record what they have submitted, then the links,
// which unbind, then the queue. It returns within the configured drain timeout.
func (a *app) run(ctx context.Context) error {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	watch := newStage("operators' listener", a.log, failed)
	links := newStage("links to SMSCs", a.log, failed)
	workers := newStage("workers", a.log, failed)
	intake := newStage("messengers", a.log, failed)

	watch.run("ops", a.ops.Run)
	watch.run("history", a.history.Run)
	watch.run("census", a.census.Run)
	watch.run("watchdog", func(ended context.Context) error { return a.watchdog(ctx, ended) })
	if a.traces != nil {
		watch.run("traces", a.traces.Run)
	}
	if a.reload != nil {
		watch.run("reload", a.reload.run)
	}
	a.runHub(links, workers)
	if a.webListener != nil {
		intake.run("web", a.web.Run)
	}
	if a.xmpp != nil {
		intake.run("xmpp", func(ctx context.Context) error { return a.store.RunBeside(ctx, addressing.NetworkXMPP, a.xmpp.Run) })
	}
	a.announce()
	tellReady(a.log, statusServing)

	<-ctx.Done()
	tellStopping(a.log, a.cfg.DrainTimeout)
	a.log.Info().Dur("within", a.cfg.DrainTimeout).Msg("stopping: nothing new is taken")
	began := time.Now()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.DrainTimeout)
	defer cancel()
	err := errors.Join(intake.stop(bound), workers.stop(bound), links.stop(bound), watch.stop(bound))
	a.tellRemaining(bound)
	err = errors.Join(err, a.close())
	a.log.Info().Dur("took", time.Since(began)).AnErr("error", err).Msg("smsbridge has stopped")
	return err
}

// tellRemaining logs what stays in the queue for the next start.
func (a *app) tellRemaining(ctx context.Context) {
	depths, err := a.depths(ctx)
	event := a.log.Info().AnErr("error", err)
	for _, d := range depths {
		event = event.Uint64(d.Stage, d.Messages)
	}
	event.Msg("stopping: what remains in the queue is kept for the next start")
}

// runHub runs the links and what works on the queues.
func (a *app) runHub(links, workers *stage) {
	links.run("smpp", a.links.Run)
	if a.callFile != nil {
		links.run("calls", a.runCalls) // it outlives the workers, whose last messages have records too
	}
	a.store.OnGivenUp(a.hub.GivenUp)
	workers.run("memory", boundMemory)
	workers.run("mt", func(ctx context.Context) error { return a.store.RunMT(ctx, a.hub.DispatchMT) })
	workers.run("mo", func(ctx context.Context) error { return a.store.RunMO(ctx, a.hub.DispatchMO) })
	workers.run("out", func(ctx context.Context) error { return a.store.RunOUT(ctx, a.hub.DispatchOUT) })
	workers.run("parts", func(ctx context.Context) error { return a.store.RunAlone(ctx, "parts", a.hub.RunParts) })
	workers.run("overdue", func(ctx context.Context) error {
		return a.store.RunAlone(ctx, "overdue", func(ctx context.Context) error { return a.hub.RunOverdue(ctx, a.store) })
	})
}

// close gives back what newApp opened and run did not close.
func (a *app) close() error {
	var errs []error
	if a.webListener != nil {
		if err := a.webListener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.ops != nil {
		errs = append(errs, a.ops.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.callFile != nil {
		errs = append(errs, a.callFile.Close())
	}
	return errors.Join(errs...)
}
