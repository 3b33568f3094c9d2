package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/ops"
)

// LinkCmd is `smsbridge link`.
type LinkCmd struct {
	Ls     LinkLsCmd     `cmd:"" help:"The links to SMSCs and the routes over them: their state, and what waits."`
	Pause  LinkPauseCmd  `cmd:"" help:"Submit nothing new over a link, until resume; it stays bound and takes what phones write."`
	Resume LinkResumeCmd `cmd:"" help:"Undo that."`
	Rebind LinkRebindCmd `cmd:"" help:"Unbind, once what is in flight is answered, and bind anew now; ends a quarantine. Only at the instance that is asked: each has binds of its own."`
}

// LinkLsCmd is `smsbridge link ls`.
type LinkLsCmd struct {
	opsClient
}

// Run prints one line for each link and each route, and why a link is down.
func (c *LinkLsCmd) Run(ctx context.Context, std *stdio) error {
	var list ops.LinkList
	if read, err := c.get(ctx, std, "/admin/v1/links", nil, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LINK\tACCOUNT\tSTATE\tSINCE\tWINDOW\tRATE\tSEGMENTS\tNOTE")
	for _, l := range list.Links {
		rate := "no limit"
		if l.Rate > 0 {
			rate = fmt.Sprintf("%.4g/s", l.Rate)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d of %d\t%s\t%d\t%s\n", l.Name, l.Account, l.Status, l.Since.Local().Format(time.DateTime), l.InUse, l.Window, rate, l.Segments, linkNote(l))
	}
	fmt.Fprintln(w, "\nROUTE\tLINKS\tWAITING\tOLDEST\tNOTE")
	for _, r := range list.Routes {
		oldest := "-"
		if !r.OldestAt.IsZero() {
			oldest = time.Since(r.OldestAt).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.Name, strings.Join(r.Links, " "), r.Waiting, oldest, heldNote(r.Held))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var queue ops.Queue
	if _, err := c.send(ctx, http.MethodGet, "/admin/v1/queue", nil, nil, nil, &queue); err != nil {
		return err
	}
	return printHeldStages(std, queue)
}

// linkNote says what an operator should know of a link besides.
func linkNote(l ops.LinkRow) string {
	var notes []string
	if l.Held.Held {
		notes = append(notes, heldNote(l.Held))
	}
	switch l.Status {
	case ops.LinkBound:
	case ops.LinkPaused:
		notes = append(notes, "the SMSC throttles us")
	case ops.LinkConnecting:
		if l.LastError != "" {
			notes = append(notes, l.LastError)
		}
	default:
		notes = append(notes, cmp.Or(l.LastError, "stopped"))
		if !l.RetryAt.IsZero() {
			notes = append(notes, "tried again at "+l.RetryAt.Local().Format(time.TimeOnly))
		}
	}
	return strings.Join(notes, "; ")
}

// heldNote says who has paused something.
func heldNote(h ops.Held) string {
	if !h.Held {
		return ""
	}
	return fmt.Sprintf("paused by %s since %s", h.HeldBy, h.HeldSince.Local().Format(time.DateTime))
}

type linkName struct {
	Name string `arg:"" help:"A link, or an account, which means all its links."`
}

// LinkPauseCmd is `smsbridge link pause`.
type LinkPauseCmd struct {
	opsClient
	linkName
}

// LinkResumeCmd is `smsbridge link resume`.
type LinkResumeCmd struct {
	opsClient
	linkName
}

// LinkRebindCmd is `smsbridge link rebind`.
type LinkRebindCmd struct {
	opsClient
	linkName
}

// Run pauses the link.
func (c *LinkPauseCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/links/"+url.PathEscape(c.Name)+"/pause", nil,
		"is paused: it stays bound, takes what phones write, and submits nothing new until you resume it", "was paused before")
}

// Run resumes the link.
func (c *LinkResumeCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/links/"+url.PathEscape(c.Name)+"/resume", nil, "is resumed", "was not paused")
}

// Run has the link bind anew.
func (c *LinkRebindCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/links/"+url.PathEscape(c.Name)+"/rebind", nil,
		"binds anew: smsbridge link ls shows how that goes", "")
}
