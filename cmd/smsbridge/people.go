package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"smsbridge/ops"
)

// ConversationCmd is `smsbridge conversation`.
type ConversationCmd struct {
	Ls      ConversationLsCmd      `cmd:"" help:"The conversations of a phone, a handle or a number of the bridge."`
	Release ConversationReleaseCmd `cmd:"" help:"End a conversation: its number rests, and may then serve another on that phone."`
}

// ConversationLsCmd is `smsbridge conversation ls`.
type ConversationLsCmd struct {
	opsClient
	Address string `arg:"" help:"A phone (+33612345678), a handle (web:ann, xmpp:ann@corp.example) or a number of the bridge."`
}

// Run prints one line for each conversation, the one used last first.
func (c *ConversationLsCmd) Run(ctx context.Context, std *stdio) error {
	var found ops.Lookup
	if read, err := c.get(ctx, std, "/admin/v1/lookup", url.Values{"address": {c.Address}}, &found); err != nil || !read {
		return err
	}
	return printConversations(std, found)
}

// ConversationReleaseCmd is `smsbridge conversation release`.
type ConversationReleaseCmd struct {
	opsClient
	Handle string `arg:"" help:"The handle."`
	Phone  string `arg:"" help:"The phone."`
}

// Run ends the conversations of a handle and a phone.
func (c *ConversationReleaseCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"handle": {c.Handle}, "phone": {c.Phone}}
	return c.change(ctx, std, http.MethodPost, "/admin/v1/conversations/release", query, "is over now", "was over before")
}

// OptoutCmd is `smsbridge optout`.
type OptoutCmd struct {
	Ls  OptoutLsCmd  `cmd:"" help:"Who must not write to a phone, or to any."`
	Add OptoutAddCmd `cmd:"" help:"Have a phone get nothing from a handle, or from anybody, as if it had sent STOP."`
	Rm  OptoutRmCmd  `cmd:"" help:"Undo that, and what the phone's own STOP has done."`
}

// OptoutLsCmd is `smsbridge optout ls`.
type OptoutLsCmd struct {
	opsClient
	Phone string `arg:"" optional:"" help:"The phone. Without it those of all phones, of which every record is read."`
}

// Run prints one line for each opt-out.
func (c *OptoutLsCmd) Run(ctx context.Context, std *stdio) error {
	var list ops.OptoutList
	query := url.Values{}
	if c.Phone != "" {
		query.Set("phone", c.Phone)
	}
	if read, err := c.get(ctx, std, "/admin/v1/optouts", query, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PHONE\tREFUSES\tSINCE\tBY")
	for _, o := range list.Optouts {
		who := o.Handle.String()
		if o.Handle.IsZero() {
			who = "everybody"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Phone, who, o.At.Local().Format(time.DateTime), o.By)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printMore(std, list.More)
}

// OptoutAddCmd is `smsbridge optout add`.
type OptoutAddCmd struct {
	opsClient
	optoutArgs
}

// OptoutRmCmd is `smsbridge optout rm`.
type OptoutRmCmd struct {
	opsClient
	optoutArgs
}

type optoutArgs struct {
	Phone  string `arg:"" help:"The phone."`
	Handle string `arg:"" optional:"" help:"The handle. Without it: everybody."`
}

func (a optoutArgs) query() url.Values {
	q := url.Values{"phone": {a.Phone}}
	if a.Handle != "" {
		q.Set("handle", a.Handle)
	}
	return q
}

// Run opts a phone out.
func (c *OptoutAddCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/optouts", c.query(), "{}: opted out", "{}: opted out before")
}

// Run undoes opt-outs.
func (c *OptoutRmCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodDelete, "/admin/v1/optouts", c.query(), "{}: not opted out any more", "{}: was not opted out")
}

func printConversations(std *stdio, found ops.Lookup) error {
	if len(found.Conversations) == 0 {
		fmt.Fprintln(std.out, "It has no conversations.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HANDLE\tPHONE\tNUMBER\tLAST USED (TO THE DAY)\tSTATE")
	for _, v := range found.Conversations {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Handle, v.Phone, v.Number, v.LastUsed.Local().Format(time.DateOnly), v.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printMore(std, found.More)
}

func printMore(std *stdio, more int) error {
	if more == 0 {
		return nil
	}
	_, err := fmt.Fprintf(std.out, "and %d more\n", more)
	return err
}
