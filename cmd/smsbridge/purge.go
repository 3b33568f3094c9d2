package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// QueuePurgeCmd is `smsbridge queue purge`.
type QueuePurgeCmd struct {
	opsClient
	Stage  string `default:"mt" enum:"mt" help:"mt, messages to phones: the only stage that can be purged."`
	Handle string `help:"Those that a handle wrote."`
	Phone  string `help:"Those to a phone."`
	Route  string `help:"Those for a route, as smsbridge link ls names it."`
	All    bool   `help:"Every one."`
	Yes    bool   `help:"Do not ask."`
}

// Run gives up the messages that wait, once it was confirmed how many they are.
func (c *QueuePurgeCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"stage": {c.Stage}}
	for name, value := range map[string]string{"handle": c.Handle, "phone": c.Phone, "route": c.Route} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if c.All {
		query.Set("all", "true")
	}
	if some := c.Handle != "" || c.Phone != "" || c.Route != ""; some == c.All {
		return errors.New("say which messages: --handle, --phone, --route or several of them, or else --all for every one")
	}
	const path = "/admin/v1/queue/purge"
	var found ops.Purged
	if !c.Yes {
		query.Set("dry_run", "true")
		if _, err := c.send(ctx, http.MethodPost, path, query, operator(), nil, &found); err != nil {
			return err
		}
		query.Del("dry_run")
		if found.Purged == 0 && !c.JSON {
			_, err := fmt.Fprintf(std.out, "No message waits that fits (%s).\n", found.Subject)
			return err
		}
		if found.Purged == 0 {
			return json.NewEncoder(std.out).Encode(found)
		}
		if err := confirm(std, found); err != nil {
			return err
		}
	}
	if read, err := c.ask(ctx, std, http.MethodPost, path, query, operator(), &found); err != nil || !read {
		return err
	}
	fmt.Fprintf(std.out, "%s given up, and their senders told\n", count(found.Purged, "message"))
	if found.Left > 0 {
		fmt.Fprintf(std.out, "%d left: an SMSC has them, or may have\n", found.Left)
	}
	return nil
}

// confirm asks who sits there.
func confirm(std *stdio, found ops.Purged) error {
	fmt.Fprintf(std.err, "%s (%s) will not be sent, and the senders will be told that. This cannot be undone. Type purge to go on: ", count(found.Purged, "message"), found.Subject)
	answer, _ := bufio.NewReader(std.in).ReadString('\n') // no answer is no
	if strings.TrimSpace(answer) != "purge" {
		return errors.New("nothing was purged; --yes does it without asking")
	}
	return nil
}

// How many messages are given up at a time, so that they share the disk's syncs, and how many are
// taken out of the queue at a time.
const (
	purgeWorkers = 64
	purgeBatch   = 1000
)

// purge gives up the messages that wait and fit, or with dry counts them.
func (a *app) purge(ctx context.Context, what ops.PurgeQuery, dry bool) (purged, left int, err error) {
	if dry {
		err = a.store.RangeMT(ctx, func(_ uint64, m bridge.MT) bool {
			if a.fits(what, m) {
				purged++
			}
			return true
		})
		return purged, 0, err
	}
	p := purging{a: a, fits: func(_ uint64, m bridge.MT) bool { return a.fits(what, m) }, remove: a.store.RemoveMT}
	err = p.run(ctx)
	return p.purged, p.left, err
}

// fits tells whether a message is selected.
func (a *app) fits(what ops.PurgeQuery, m bridge.MT) bool {
	if what.All {
		return true
	}
	if !what.Handle.IsZero() {
		if now, _ := a.hub.Book.Directory().Now(m.Handle, m.AcceptedAt); now != what.Handle {
			return false
		}
	}
	if !what.Phone.IsZero() && m.Phone != what.Phone {
		return false
	}
	return what.Route == "" || a.links.RouteOf(m.Handle, m.Phone) == what.Route
}

// purging gives up messages, many at a time.
type purging struct {
	a      *app
	fits   func(sequence uint64, m bridge.MT) bool
	remove func(ctx context.Context, sequences []uint64) error // from the queue

	mu           sync.Mutex
	purged, left int
	gone         []uint64 // of those, still in the queue
	err          error
}

type queued struct {
	sequence uint64
	m        bridge.MT
}

func (p *purging) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan queued)
	var workers sync.WaitGroup
	for range purgeWorkers {
		workers.Go(func() {
			for q := range work {
				if !p.one(ctx, q) {
					cancel() // what cannot be stored now will not be in a moment
				}
			}
		})
	}
	err := p.a.store.RangeMT(ctx, func(sequence uint64, m bridge.MT) bool {
		if !p.fits(sequence, m) {
			return true
		}
		select {
		case work <- queued{sequence, m}:
			return true
		case <-ctx.Done():
			return false
		}
	})
	close(work)
	workers.Wait()
	if p.err != nil {
		err = p.err
	}
	return errors.Join(err, p.remove(context.WithoutCancel(ctx), p.gone))
}

// one gives one message up, and tells whether that went well.
func (p *purging) one(ctx context.Context, q queued) bool {
	done, err := p.a.hub.Purge(ctx, q.m)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case done:
		p.purged++
		p.gone = append(p.gone, q.sequence)
	case err == nil:
		p.left++
	}
	if err != nil && p.err == nil {
		p.err = err
	}
	if len(p.gone) >= purgeBatch {
		if err := p.remove(ctx, p.gone); err != nil && p.err == nil {
			p.err = err
		}
		p.gone = nil
	}
	return p.err == nil
}
