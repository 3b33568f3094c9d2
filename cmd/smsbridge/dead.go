package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// QueueShowCmd is `smsbridge queue show`.
type QueueShowCmd struct {
	opsClient
	ID   string `arg:"" help:"The id of a dead letter, as queue ls dead prints it, or of a message."`
	Text bool   `help:"Show what was written, too."`
}

// QueueRequeueCmd is `smsbridge queue requeue`.
type QueueRequeueCmd struct {
	opsClient
	IDs []string `arg:"" name:"id" help:"Ids of dead letters."`
}

// QueueDropCmd is `smsbridge queue drop`.
type QueueDropCmd struct {
	opsClient
	IDs []string `arg:"" name:"id" help:"Ids of dead letters."`
}

// QueueAuditCmd is `smsbridge queue audit`.
type QueueAuditCmd struct {
	opsClient
}

// listDead prints one line for each dead letter, the newest first.
func (c *QueueLsCmd) listDead(ctx context.Context, std *stdio) error {
	var list ops.DeadList
	if read, err := c.get(ctx, std, "/admin/v1/dead", nil, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTAGE\tREASON\tSINCE\tHANDLE\tPHONE\tDETAIL")
	for _, d := range list.Letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.60s\n", d.ID, d.Stage, d.Reason, d.At.Local().Format(time.DateTime), d.Handle, d.Phone, d.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if left := list.Total - len(list.Letters); left > 0 {
		fmt.Fprintf(std.out, "and %d more, which are older\n", left)
	}
	return nil
}

// Run prints one dead letter, or where there is none of that id the story of the message.
func (c *QueueShowCmd) Run(ctx context.Context, std *stdio) error {
	var d bridge.Dead
	query := url.Values{"text": {fmt.Sprint(c.Text)}}
	read, err := c.get(ctx, std, "/admin/v1/dead/"+url.PathEscape(c.ID), query, &d)
	if notThere(err) {
		if other := c.trace(ctx, std, c.ID, c.Text); !notThere(other) {
			return other
		}
		return fmt.Errorf("there is neither a dead letter nor a message of the id %s: smsbridge queue ls dead lists the ones, smsbridge trace --phone or --handle the others", c.ID)
	}
	if err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("id", d.ID)
	line("stage", d.Stage)
	line("reason", string(d.Reason))
	line("detail", d.Detail)
	line("since", d.At.Local().Format(time.DateTime))
	switch {
	case d.MT != nil:
		line("from", d.MT.Handle.String())
		line("to", d.MT.Phone.String())
		line("over", d.MT.Number.String())
		line("accepted", d.MT.AcceptedAt.Local().Format(time.DateTime))
		line("text", d.MT.Text)
	case d.MO != nil:
		line("from", d.MO.Source.Addr)
		line("to", d.MO.Destination.Addr)
		line("account", d.MO.Account)
		line("received", d.MO.ReceivedAt.Local().Format(time.DateTime))
		line("octets", fmt.Sprintf("%x", d.MO.Body))
	case d.OUT != nil:
		line("from", d.OUT.Phone.String())
		line("to", d.OUT.Handle.String())
		line("kind", string(d.OUT.Kind))
		line("status", string(d.OUT.State))
		line("text", d.OUT.Text)
	default:
		line("raw", string(d.Raw))
	}
	return w.Flush()
}

// Run puts the messages back.
func (c *QueueRequeueCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(id string) (method, path string) {
		return http.MethodPost, "/admin/v1/dead/" + url.PathEscape(id) + "/requeue"
	})
}

// Run gives the messages up.
func (c *QueueDropCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(id string) (method, path string) {
		return http.MethodDelete, "/admin/v1/dead/" + url.PathEscape(id)
	})
}

// each asks for the same with each id, and stops at the first that fails.
func (c opsClient) each(ctx context.Context, std *stdio, ids []string, request func(id string) (method, path string)) error {
	for _, id := range ids {
		var done ops.DeadDone
		method, path := request(id)
		read, err := c.ask(ctx, std, method, path, nil, operator(), &done)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		switch {
		case !read:
		case done.Action == bridge.ActionDrop:
			fmt.Fprintf(std.out, "%s is dropped\n", id)
		default:
			fmt.Fprintf(std.out, "%s is queued again as %s\n", id, done.NewID)
		}
	}
	return nil
}

// Run prints what operators did, the oldest first.
func (c *QueueAuditCmd) Run(ctx context.Context, std *stdio) error {
	var list ops.AuditList
	if read, err := c.get(ctx, std, "/admin/v1/audit", nil, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AT\tBY\tACTION\tSUBJECT\tSTAGE\tREASON\tNEW ID")
	for _, a := range list.Audits {
		subject, reason := cmp.Or(a.Subject, a.ID), string(a.Reason)
		if a.Failed != "" {
			reason = "not done: " + a.Failed
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.At.Local().Format(time.DateTime), a.By, a.Action, subject, a.Stage, reason, a.NewID)
	}
	return w.Flush()
}

// undertaker is the hub, with the letters of the queue.
type undertaker struct{ a *app }

func (u undertaker) Requeue(ctx context.Context, id, by string) (string, error) {
	return u.a.hub.Requeue(ctx, u.a.store, id, by)
}

func (u undertaker) Drop(ctx context.Context, id, by string) error {
	return u.a.hub.Drop(ctx, u.a.store, id, by)
}
