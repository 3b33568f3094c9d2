package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/ops"
)

// LinkCmd is `smsbridge link`.
type LinkCmd struct {
	Ls LinkLsCmd `cmd:"" help:"The links to SMSCs and the routes over them: their state, and what waits."`
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
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", r.Name, strings.Join(r.Links, " "), r.Waiting, oldest, "")
	}
	return w.Flush()
}

// linkNote says what an operator should know of a link besides.
func linkNote(l ops.LinkRow) string {
	switch l.Status {
	case ops.LinkBound, ops.LinkPaused:
		return ""
	case ops.LinkConnecting:
		return l.LastError
	}
	note := cmp.Or(l.LastError, "stopped")
	if !l.RetryAt.IsZero() {
		note += ", tried again at " + l.RetryAt.Local().Format(time.TimeOnly)
	}
	return note
}
