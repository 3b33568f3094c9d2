package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// TraceCmd is `smsbridge trace`.
type TraceCmd struct {
	opsClient
	ID     string `arg:"" optional:"" help:"The message's id, or the one that an SMSC gave it."`
	Phone  string `help:"List the last messages of a phone."`
	Handle string `help:"List the last messages of a handle; with --phone, those between the two."`
	Limit  int    `default:"20" help:"How many to list."`
	Text   bool   `help:"Show what was written as well."`
}

// Run prints the story of a message, or one line for each that is found.
func (c *TraceCmd) Run(ctx context.Context, std *stdio) error {
	if c.ID != "" {
		if c.Phone != "" || c.Handle != "" {
			return errors.New("an id is one message: leave out --phone and --handle")
		}
		return c.trace(ctx, std, c.ID, c.Text)
	}
	if c.Text {
		return errors.New("--text is for one message: name its id")
	}
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	for name, value := range map[string]string{"phone": c.Phone, "handle": c.Handle} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 1 {
		return errors.New("name the id of a message, or --phone or --handle to list those of a person")
	}
	var list ops.MessageList
	if read, err := c.get(ctx, std, "/admin/v1/messages", query, &list); err != nil || !read {
		return err
	}
	if len(list.Messages) == 0 {
		fmt.Fprintln(std.out, "There are no messages.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tAT\tHANDLE\tPHONE\tSTATE\tDETAIL")
	for _, m := range list.Messages {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Kind, m.At.Local().Format(time.DateTime), m.Handle, m.Phone, m.State, fit(m.Detail, 60))
	}
	return w.Flush()
}

// trace prints the story of one message.
func (c opsClient) trace(ctx context.Context, std *stdio, id string, text bool) error {
	var m ops.Message
	query := url.Values{"text": {fmt.Sprint(text)}}
	if read, err := c.get(ctx, std, "/admin/v1/messages/"+url.PathEscape(id), query, &m); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	from, to := m.Handle, m.Phone
	if m.Kind == string(bridge.EntryMO) {
		from, to = m.Phone, m.Handle
	}
	line("id", m.ID)
	line("kind", map[string]string{"mt": "mt, to a phone", "mo": "mo, from a phone"}[m.Kind])
	line("from", from)
	line("to", to)
	line("over", m.Number)
	line("state", strings.TrimSpace(m.State+" "+string(m.Reason)))
	line("detail", m.Detail)
	line("waits for", m.WaitsFor)
	line("route", m.Route)
	line("link", m.Link)
	line("account", m.Account)
	line("key", m.Key)
	line("trace id", m.TraceID)
	line("valid until", dateTime(m.ExpiresAt))
	line("queued in", strings.Join(m.Queued, " "))
	if m.Kind == string(bridge.EntryMT) {
		line("sender told", map[bool]string{true: "yes", false: "not of an end"}[m.Told])
	}
	line("text", m.Text)
	printSteps(w, m)
	return w.Flush()
}

func printSteps(w io.Writer, m ops.Message) {
	for i, s := range m.Segments {
		if i == 0 {
			fmt.Fprintln(w, "\nSEGMENT\tSMSC ID\tRECEIPT\tCODE")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", i+1, s.SMSCID, s.State, s.Code)
	}
	for i, s := range m.Steps {
		if i == 0 {
			fmt.Fprintln(w, "\nAT\tSTATE\tLINK\tDETAIL")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.At.Local().Format("2006-01-02 15:04:05.000"), s.State, s.Link, s.Detail)
	}
}

// dateTime writes a time for people; nothing for none.
func dateTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
