package main

import (
	"context"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"smsbridge/ops"
)

// LookupCmd is `smsbridge lookup`.
type LookupCmd struct {
	opsClient
	Address string `arg:"" help:"A phone (+33612345678), a handle (web:ann, xmpp:ann@corp.example) or a number of the bridge."`
}

// Run prints whose the address is, and its conversations.
func (c *LookupCmd) Run(ctx context.Context, std *stdio) error {
	var found ops.Lookup
	query := url.Values{"address": {c.Address}}
	if read, err := c.get(ctx, std, "/admin/v1/lookup", query, &found); err != nil || !read {
		return err
	}
	fmt.Fprintf(std.out, "%s\n", describe(found))
	if len(found.Conversations) == 0 {
		fmt.Fprintln(std.out, "It has no conversations.")
		return nil
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HANDLE\tPHONE\tNUMBER\tLAST USED (TO THE DAY)")
	for _, v := range found.Conversations {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Handle, v.Phone, v.Number, v.LastUsed.Local().Format(time.DateOnly))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if found.More > 0 {
		fmt.Fprintf(std.out, "and %d more\n", found.More)
	}
	return nil
}

func describe(found ops.Lookup) string {
	switch {
	case found.Kind == ops.KindHandle && found.Dedicated.IsZero():
		return found.Address + " is a handle without a number of its own: it has one of the pool on each phone."
	case found.Kind == ops.KindHandle:
		return fmt.Sprintf("%s is a handle with a number of its own, %s.", found.Address, found.Dedicated)
	case found.Kind == ops.KindNumber && found.Pool:
		return found.Address + " is a number of the bridge's pool."
	case found.Kind == ops.KindNumber:
		return fmt.Sprintf("%s is a number of the bridge and belongs to %s.", found.Address, found.Owner)
	default:
		return found.Address + " is a phone."
	}
}
