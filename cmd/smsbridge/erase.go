package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"smsbridge/ops"
)

// EraseCmd is `smsbridge erase`.
type EraseCmd struct {
	opsClient
	Who    string `arg:"" help:"A handle (web:ann, xmpp:ann@corp.example), which ends and is erased under all its names, or a phone (+33612345678)."`
	DryRun bool   `name:"dry-run" help:"Only say what would be erased."`
	Yes    bool   `help:"Do not ask."`
}

// Run erases what is kept of a person, once it was confirmed how much that is.
func (c *EraseCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"phone": {c.Who}}
	if strings.ContainsRune(c.Who, ':') { // no phone has one
		query = url.Values{"handle": {c.Who}}
	}
	const path = "/admin/v1/erase"
	var found ops.Erased
	if c.DryRun {
		query.Set("dry_run", "true")
		if read, err := c.ask(ctx, std, http.MethodPost, path, query, operator(), &found); err != nil || !read {
			return err
		}
		return printErased(std, "would be erased", found)
	}
	if !c.Yes {
		query.Set("dry_run", "true")
		if _, err := c.send(ctx, http.MethodPost, path, query, operator(), nil, &found); err != nil {
			return err
		}
		query.Del("dry_run")
		if err := c.confirm(std, found); err != nil {
			return err
		}
		found = ops.Erased{}
	}
	if read, err := c.ask(ctx, std, http.MethodPost, path, query, operator(), &found); err != nil || !read {
		return err
	}
	return printErased(std, "erased", found)
}

// confirm asks who sits there.
func (c *EraseCmd) confirm(std *stdio, found ops.Erased) error {
	fmt.Fprintf(std.err, "%s: ", c.Who)
	for _, k := range found.Counts {
		fmt.Fprintf(std.err, "%d %s, ", k.Count, k.Kind)
	}
	fmt.Fprint(std.err, "all that will be gone for good. Type erase to go on: ")
	answer, _ := bufio.NewReader(std.in).ReadString('\n') // no answer is no
	if strings.TrimSpace(answer) != "erase" {
		return errors.New("nothing was erased; --yes does it without asking")
	}
	return nil
}

func printErased(std *stdio, done string, e ops.Erased) error {
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, k := range e.Counts {
		fmt.Fprintf(w, "%d\t %s\n", k.Count, k.Kind)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s %s\n", count(e.Total, "record"), done)
	for _, kept := range e.Kept {
		fmt.Fprintf(std.out, "kept: %s\n", kept)
	}
	if e.Left > 0 {
		return fmt.Errorf("%s are being sent at this moment: do it again in a minute", count(e.Left, "message"))
	}
	return nil
}
