package main

import (
	"context"
	"fmt"
	"net/http"

	"smsbridge/ops"
)

// ReloadCmd is `smsbridge reload`.
type ReloadCmd struct {
	opsClient
}

// Run has the daemon read its file again, and prints what that changed.
func (c *ReloadCmd) Run(ctx context.Context, std *stdio) error {
	var done ops.Reloaded
	if read, err := c.ask(ctx, std, http.MethodPost, "/admin/v1/reload", nil, operator(), &done); err != nil || !read {
		return err
	}
	for _, change := range done.Changes {
		if change.From == change.To {
			fmt.Fprintf(std.out, "%s: changed\n", change.Setting)
		} else {
			fmt.Fprintf(std.out, "%s: %s, was %s\n", change.Setting, change.To, change.From)
		}
	}
	_, err := fmt.Fprintln(std.out, count(len(done.Changes), "setting")+" changed.")
	return err
}
