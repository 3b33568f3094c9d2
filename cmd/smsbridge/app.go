package main

import (
	"context"
	"errors"
	"fmt"
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
	xmpp  *xmpp.Component // nil where there is none
	web   *web.Server     // nil where there is none
	ops   *ops.Server
	// webListener is open from the start, so that the address is known; nil where
	// somebody else serves the web messenger's handler.
	webListener net.Listener
}

// newApp wires the rooms, in one straight line. What it opened is closed again
// where it fails. ctx bounds the opening only.
func newApp(ctx context.Context, cfg *configs.Config, log zerolog.Logger) (_ *app, err error) {
	d := &app{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.store, err = queue.Open(ctx, queueConfig(cfg, log)); err != nil {
		return nil, err
	}
	book, err := addressing.NewBook(d.store, bookConfig(cfg))
	if err != nil {
		return nil, err
	}
	// The hub and the rooms around it know each other: links and messengers get the hub
	// when they are made, the hub gets the messengers in a map before anything runs.
	networks := make(map[string]bridge.Messenger)
	if d.links, err = d.newLinks(); err != nil {
		return nil, err
	}
	d.hub, err = bridge.New(hubConfig(cfg, log, networks), bridge.Ports{
		Queue: d.store, Journal: d.store, Archive: d.store, Parts: d.store, Marks: d.store,
		Carrier: d.links, Sessions: d.links, Reader: newReader(cfg), Book: book,
	})
	if err != nil {
		return nil, err
	}
	if cfg.XMPP != nil {
		if d.xmpp, err = xmpp.New(xmppConfig(cfg, log, d.hub)); err != nil {
			return nil, err
		}
		networks[addressing.NetworkXMPP] = d.xmpp
	}
	if cfg.Web != nil {
		networks[addressing.NetworkWeb] = nil // its users read the log
		if err = d.openWeb(ctx); err != nil {
			return nil, err
		}
	}
	return d, d.openOps(book)
}

// newLinks makes the links of the configuration. They store what comes through the
// hub, which is there before they run.
func (d *app) newLinks() (*smpp.Links, error) {
	store := func(ctx context.Context, m bridge.MO) error { return d.hub.StoreMO(ctx, m) }
	var links []*smpp.Link
	for _, s := range d.cfg.SMSCs {
		for _, c := range poolConfigs(linkConfig(s, d.cfg.DrainTimeout, d.log, store), s.Binds) {
			link, err := smpp.NewLink(c)
			if err != nil {
				return nil, err
			}
			links = append(links, link)
		}
	}
	cfg := smpp.LinksConfig{Links: links, Routes: routeConfigs(d.cfg), MaxSegments: d.cfg.MT.MaxSegments}
	if p := d.cfg.Portability; p != nil {
		lookup, err := smpp.NewPortability(portabilityConfig(p, d.log))
		if err != nil {
			return nil, err
		}
		cfg.Operator = lookup.Operator
	}
	return smpp.NewLinks(cfg)
}

func (d *app) openWeb(ctx context.Context) error {
	key, err := sessionKey(d.cfg.DataDir)
	if err != nil {
		return err
	}
	if d.cfg.Web.Listen != "" {
		d.webListener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.cfg.Web.Listen)
		if err != nil {
			return fmt.Errorf("web.listen: cannot listen on %s: %w; is another program there already?", d.cfg.Web.Listen, err)
		}
	}
	cfg := webConfig(d.cfg, d.log, d.hub, d.store)
	cfg.SessionKey, cfg.Listener = key, d.webListener
	d.web, err = web.New(cfg)
	return err
}

func (d *app) openOps(book *addressing.Book) (err error) {
	d.ops, err = ops.New(ops.Config{
		Addr: d.cfg.Ops.Listen, Insecure: d.cfg.Ops.Insecure, Book: book, Region: d.cfg.Numbers.Region,
		Depths: d.depths,
		Registry: ops.NewRegistry(version(), ops.Sources{
			Depths: d.depths, Stages: d.stageStats, Links: d.linkStates, Messengers: d.messengerStates, Hub: d.hub.Stats,
		}),
		Checks: []ops.Check{
			{Name: "queue", Check: d.store.Healthy}, ops.LinksReady(d.linkStates), ops.MessengersReady(d.messengerStates),
		},
		Logger: room(d.log, "ops"),
	})
	return err
}

// run runs the daemon until ctx ends, and then drains it: what takes messages stops
// first, then the workers, which record what they have submitted, then the links,
// which unbind, then the queue. It returns within the configured drain timeout.
func (d *app) run(ctx context.Context) error {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	watch := newStage("operators' listener", d.log, failed)
	links := newStage("links to SMSCs", d.log, failed)
	workers := newStage("workers", d.log, failed)
	intake := newStage("messengers", d.log, failed)

	watch.run("ops", d.ops.Run)
	links.run("smpp", d.links.Run)
	workers.run("mt", func(ctx context.Context) error { return d.store.RunMT(ctx, d.hub.DispatchMT) })
	workers.run("mo", func(ctx context.Context) error { return d.store.RunMO(ctx, d.hub.DispatchMO) })
	workers.run("out", func(ctx context.Context) error { return d.store.RunOUT(ctx, d.hub.DispatchOUT) })
	workers.run("parts", d.hub.RunParts)
	workers.run("overdue", func(ctx context.Context) error { return d.hub.RunOverdue(ctx, d.store) })
	if d.webListener != nil {
		intake.run("web", d.web.Run)
	}
	if d.xmpp != nil {
		intake.run("xmpp", d.xmpp.Run)
	}
	d.log.Info().Str("version", version()).Int("links", len(d.cfg.SMSCs)).Str("data_dir", d.cfg.DataDir).Msg("smsbridge is running")

	<-ctx.Done()
	d.log.Info().Dur("within", d.cfg.DrainTimeout).Msg("stopping: nothing new is taken")
	began := time.Now()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.DrainTimeout)
	defer cancel()
	err := errors.Join(intake.stop(bound), workers.stop(bound), links.stop(bound), watch.stop(bound), d.close())
	d.log.Info().Dur("took", time.Since(began)).AnErr("error", err).Msg("smsbridge has stopped")
	return err
}

// close gives back what newApp opened and run did not close.
func (d *app) close() error {
	var errs []error
	if d.webListener != nil {
		if err := d.webListener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.ops != nil {
		errs = append(errs, d.ops.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}
