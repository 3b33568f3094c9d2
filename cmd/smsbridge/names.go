package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"smsbridge/addressing"
	"smsbridge/ops"
)

// NumberCmd is `smsbridge number`.
type NumberCmd struct {
	Ls     NumberLsCmd     `cmd:"" help:"All numbers, what each is for, and how many conversations are open over it."`
	Add    NumberAddCmd    `cmd:"" help:"Add a number to those of the configuration, in use at once."`
	Retire NumberRetireCmd `cmd:"" help:"Have no new conversation go over a number; those that are open go on, and answers arrive."`
}

// NumberLsCmd is `smsbridge number ls`.
type NumberLsCmd struct {
	opsClient
}

// Run prints one line for each number.
func (c *NumberLsCmd) Run(ctx context.Context, std *stdio) error {
	var list ops.NumberList
	if read, err := c.get(ctx, std, "/admin/v1/numbers", nil, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tFOR\tFROM\tSTATE\tOPEN CONVERSATIONS")
	for _, n := range list.Numbers {
		use, from, state := n.Use, "configuration", "in use"
		switch {
		case n.Use == addressing.UseDedicated && n.Handle.IsZero():
			use = "nobody: its handle was removed"
		case n.Use == addressing.UseDedicated:
			use = n.Handle.String()
		}
		if !n.AddedAt.IsZero() {
			from = "added " + n.AddedAt.Local().Format(time.DateOnly)
		}
		if !n.RetiredAt.IsZero() {
			state = "retired " + n.RetiredAt.Local().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", n.Number, use, from, state, n.Open)
	}
	return w.Flush()
}

// NumberAddCmd is `smsbridge number add`.
type NumberAddCmd struct {
	opsClient
	Number string `arg:"" help:"The number: +33700000001, or a short code with its country, 36180;phone-context=+33."`
	Shared bool   `xor:"use" help:"Several people have it on one phone. Default: it is one of the pool."`
	For    string `xor:"use" placeholder:"HANDLE" help:"It is this handle's alone."`
}

// Run adds a number.
func (c *NumberAddCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"number": {c.Number}, "use": {addressing.UsePool}}
	switch {
	case c.Shared:
		query.Set("use", addressing.UseShared)
	case c.For != "":
		query.Set("use", addressing.UseDedicated)
		query.Set("handle", c.For)
	}
	return c.change(ctx, std, http.MethodPost, "/admin/v1/numbers", query, "is in use", "was in use before")
}

// NumberRetireCmd is `smsbridge number retire`.
type NumberRetireCmd struct {
	opsClient
	Number string `arg:"" help:"The number."`
	Undo   bool   `help:"It is in use again."`
}

// Run retires a number.
func (c *NumberRetireCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"number": {c.Number}, "undo": {fmt.Sprint(c.Undo)}}
	if c.Undo {
		return c.change(ctx, std, http.MethodPost, "/admin/v1/numbers/retire", query, "is in use again", "was not retired")
	}
	return c.change(ctx, std, http.MethodPost, "/admin/v1/numbers/retire", query,
		"is retired: number ls shows how many conversations are left", "was retired before")
}

// HandleCmd is `smsbridge handle`.
type HandleCmd struct {
	Ls      HandleLsCmd      `cmd:"" help:"Handles that were renamed, removed or registered, and blocks."`
	Rename  HandleRenameCmd  `cmd:"" help:"Give a person another handle: their conversations and all that waits go along, and the old one ends."`
	Rm      HandleRmCmd      `cmd:"" help:"End a handle: nobody may write as it, and nobody inherits its conversations."`
	Reuse   HandleReuseCmd   `cmd:"" help:"Let a new person have a handle that was renamed or removed; they begin afresh."`
	Block   HandleBlockCmd   `cmd:"" help:"Keep handles from writing, to some phones or to all. START does not undo it."`
	Unblock HandleUnblockCmd `cmd:"" help:"Undo a block of the same words."`

	Register   HandleRegisterCmd   `cmd:"" help:"Let phones write to a handle first, by a name: @sales at the start of a text to a shared number."`
	Unregister HandleUnregisterCmd `cmd:"" help:"Give such a name free; conversations that were begun by it go on."`
}

// HandleLsCmd is `smsbridge handle ls`.
type HandleLsCmd struct {
	opsClient
}

// Run prints one line for each decision.
func (c *HandleLsCmd) Run(ctx context.Context, std *stdio) error {
	var list ops.HandleList
	if read, err := c.get(ctx, std, "/admin/v1/handles", nil, &list); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HANDLE\tWHAT\tSINCE")
	for _, g := range list.Gone {
		what := "removed"
		if !g.Now.IsZero() {
			what = "is " + g.Now.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", g.Handle, what, g.Since.Local().Format(time.DateTime))
	}
	for _, b := range list.Blocks {
		what := "may not write"
		if b.Prefix != "" {
			what += " to +" + b.Prefix
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", b.Handles, what, b.At.Local().Format(time.DateTime))
	}
	for _, r := range list.Registered {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Handle, "is @"+r.Name+" to phones", r.At.Local().Format(time.DateTime))
	}
	return w.Flush()
}

// HandleRenameCmd is `smsbridge handle rename`.
type HandleRenameCmd struct {
	opsClient
	Old   string `arg:"" help:"The handle that ends."`
	New   string `arg:"" help:"What the person is called from now on."`
	Merge bool   `help:"The new handle has conversations already, and is the same person's."`
}

// Run renames a handle.
func (c *HandleRenameCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"from": {c.Old}, "to": {c.New}, "merge": {fmt.Sprint(c.Merge)}}
	return c.change(ctx, std, http.MethodPost, "/admin/v1/handles/rename", query,
		"{}: the first is called the second from now on. Users, rules and routes of the configuration keep the old name until you change them", "")
}

// HandleRmCmd is `smsbridge handle rm`.
type HandleRmCmd struct {
	opsClient
	Handle string `arg:"" help:"The handle."`
	Undo   bool   `help:"It was a mistake: the person is back, with their conversations."`
}

// Run removes a handle.
func (c *HandleRmCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"handle": {c.Handle}}
	if c.Undo {
		return c.change(ctx, std, http.MethodPost, "/admin/v1/handles/restore", query, "is back", "was not removed")
	}
	return c.change(ctx, std, http.MethodDelete, "/admin/v1/handles", query, "is removed", "")
}

// HandleReuseCmd is `smsbridge handle reuse`.
type HandleReuseCmd struct {
	opsClient
	Handle string `arg:"" help:"The handle."`
}

// Run lets a new person have a handle.
func (c *HandleReuseCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/handles/reuse", url.Values{"handle": {c.Handle}}, "is free for a new person", "was neither renamed nor removed")
}

// HandleBlockCmd is `smsbridge handle block`.
type HandleBlockCmd struct {
	opsClient
	blockArgs
}

// HandleUnblockCmd is `smsbridge handle unblock`.
type HandleUnblockCmd struct {
	opsClient
	blockArgs
}

type blockArgs struct {
	Handle string `arg:"" help:"The handle; * stands for any characters, and alone for everybody: web:*."`
	To     string `placeholder:"PHONE-OR-PREFIX" help:"Only to this phone, or to those whose numbers begin so: +882. Default: to none."`
}

func (a blockArgs) query() url.Values {
	q := url.Values{"handles": {a.Handle}}
	if a.To != "" {
		q.Set("to", a.To)
	}
	return q
}

// Run blocks handles.
func (c *HandleBlockCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodPost, "/admin/v1/blocks", c.query(), "is blocked", "was blocked before")
}

// Run undoes a block.
func (c *HandleUnblockCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodDelete, "/admin/v1/blocks", c.query(), "is not blocked any more", "was not blocked")
}

// HandleRegisterCmd is `smsbridge handle register`.
type HandleRegisterCmd struct {
	opsClient
	Handle string `arg:"" help:"The handle."`
	As     string `placeholder:"NAME" help:"What phones write behind the @; case and accents do not matter. Default: the handle's own name, as ann of xmpp:ann@corp.example."`
}

// Run registers a handle.
func (c *HandleRegisterCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"handle": {c.Handle}, "name": {c.As}}
	return c.change(ctx, std, http.MethodPost, "/admin/v1/registered", query, "is registered", "was registered before")
}

// HandleUnregisterCmd is `smsbridge handle unregister`.
type HandleUnregisterCmd struct {
	opsClient
	Name string `arg:"" help:"The name."`
}

// Run gives a name free.
func (c *HandleUnregisterCmd) Run(ctx context.Context, std *stdio) error {
	return c.change(ctx, std, http.MethodDelete, "/admin/v1/registered", url.Values{"name": {c.Name}}, "is free", "was not registered")
}
