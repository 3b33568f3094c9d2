package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"smsbridge/ops"
)

// LookupCmd is `smsbridge lookup`.
type LookupCmd struct {
	opsClient
	Address string `arg:"" help:"A phone (+33612345678), a handle (web:ann, xmpp:ann@corp.example) or a number of the bridge."`
	With    string `arg:"" optional:"" help:"What happens between the two: a phone and a number of the bridge tell whose an answer is, a handle and a phone over which number a text goes; and why."`
}

// Run prints whose the address is, and its conversations; or what happens between two.
func (c *LookupCmd) Run(ctx context.Context, std *stdio) error {
	var found ops.Lookup
	query := url.Values{"address": {c.Address}, "with": {c.With}}
	if read, err := c.get(ctx, std, "/admin/v1/lookup", query, &found); err != nil || !read {
		return err
	}
	switch f := found.Reply; {
	case f != nil && f.Handle.IsZero():
		fmt.Fprintf(std.out, "A text from %s to %s is nobody's yet: %s.\n", f.Phone, f.Number, f.Why)
		return nil
	case f != nil:
		fmt.Fprintf(std.out, "A text from %s to %s goes to %s: %s.\n", f.Phone, f.Number, f.Handle, f.Why)
		return nil
	}
	switch f := found.Send; {
	case f != nil && f.Number.IsZero():
		fmt.Fprintf(std.out, "A text from %s to %s is refused: %s.\n", f.Handle, f.Phone, f.Why)
		return nil
	case f != nil:
		fmt.Fprintf(std.out, "A text from %s to %s goes over %s: %s.\n", f.Handle, f.Phone, f.Number, f.Why)
		return nil
	}
	fmt.Fprintln(std.out, describe(found))
	if !found.OwnPhoneOf.IsZero() {
		fmt.Fprintf(std.out, "It is the own phone of %s.\n", found.OwnPhoneOf)
	}
	for _, name := range found.Registered {
		fmt.Fprintf(std.out, "Phones may write to it first: @%s at the start of a text to a shared number.\n", name)
	}
	for _, b := range found.Blocks {
		fmt.Fprintf(std.out, "It is blocked since %s: %s.\n", b.At.Local().Format(time.DateOnly), b)
	}
	for _, o := range found.Optouts {
		who := o.Handle.String()
		if o.Handle.IsZero() {
			who = "everybody"
		}
		fmt.Fprintf(std.out, "It opted out of %s on %s.\n", who, o.At.Local().Format(time.DateOnly))
	}
	return printConversations(std, found)
}

func describe(found ops.Lookup) string {
	switch gone := found.Gone; {
	case gone != nil && gone.Now.IsZero():
		return fmt.Sprintf("%s was removed on %s. Nobody may write as it, and what phones answer is nobody's.", found.Address, gone.Since.Local().Format(time.DateOnly))
	case gone != nil:
		return fmt.Sprintf("%s is called %s since %s; look that up.", found.Address, gone.Now, gone.Since.Local().Format(time.DateOnly))
	case found.Kind == ops.KindHandle && found.Dedicated.IsZero():
		return found.Address + " is a handle without a number of its own: it has one of the pool, or a shared one, on each phone."
	case found.Kind == ops.KindHandle:
		return fmt.Sprintf("%s is a handle with a number of its own, %s.", found.Address, found.Dedicated)
	case found.Kind == ops.KindNumber && found.Pool:
		return found.Address + " is a number of the bridge's pool."
	case found.Kind == ops.KindNumber && found.Shared:
		return found.Address + " is a number of the bridge that several people share on one phone."
	case found.Kind == ops.KindNumber:
		return fmt.Sprintf("%s is a number of the bridge and belongs to %s.", found.Address, found.Owner)
	default:
		return found.Address + " is a phone."
	}
}
