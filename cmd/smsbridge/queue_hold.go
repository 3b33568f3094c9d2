package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// QueuePauseCmd is `smsbridge queue pause`.
type QueuePauseCmd struct {
	opsClient
	holdArgs
}

// QueueResumeCmd is `smsbridge queue resume`.
type QueueResumeCmd struct {
	opsClient
	holdArgs
}

// holdArgs name a stage or a route.
type holdArgs struct {
	What string `arg:"" enum:"mt,mo,out,route" help:"A stage: mt (to phones), mo (from SMSCs) or out (to messengers); or route, with the name of one."`
	Name string `arg:"" optional:"" help:"The route, as smsbridge link ls names it."`
}

// path is where the daemon takes the action.
func (a holdArgs) path(action string) (string, error) {
	switch {
	case a.What == "route" && a.Name == "":
		return "", errors.New("name the route, as in smsbridge queue " + action + " route +33; smsbridge link ls lists them")
	case a.What == "route":
		return "/admin/v1/routes/" + url.PathEscape(a.Name) + "/" + action, nil
	case a.Name != "":
		return "", errors.New("a stage is all of it: only a route has a name, as in smsbridge queue " + action + " route +33")
	default:
		return "/admin/v1/stages/" + a.What + "/" + action, nil
	}
}

// Run pauses the stage or the route.
func (c *QueuePauseCmd) Run(ctx context.Context, std *stdio) error {
	path, err := c.path("pause")
	if err != nil {
		return err
	}
	return c.change(ctx, std, http.MethodPost, path, nil, "is paused: what comes is queued, until it is full, and nothing leaves until you resume it", "was paused before")
}

// Run resumes the stage or the route.
func (c *QueueResumeCmd) Run(ctx context.Context, std *stdio) error {
	path, err := c.path("resume")
	if err != nil {
		return err
	}
	return c.change(ctx, std, http.MethodPost, path, nil, "is resumed", "was not paused")
}
