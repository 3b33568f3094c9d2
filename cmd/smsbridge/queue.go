package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/ops"
)

// QueueCmd is `smsbridge queue`.
type QueueCmd struct {
	Ls      QueueLsCmd      `cmd:"" help:"How much waits in each stage, and for how long; ls dead lists the dead letters."`
	Show    QueueShowCmd    `cmd:"" help:"Show one dead letter, or a message that waits."`
	Pause   QueuePauseCmd   `cmd:"" help:"Stop a stage or a route: what comes is queued, and nothing leaves until resume."`
	Resume  QueueResumeCmd  `cmd:"" help:"Undo that."`
	Purge   QueuePurgeCmd   `cmd:"" help:"Give up messages to phones that wait, of a handle, to a phone, for a route, or all; their senders are told."`
	Requeue QueueRequeueCmd `cmd:"" help:"Try the messages of dead letters again, each as a new message; their senders are told."`
	Drop    QueueDropCmd    `cmd:"" help:"Give the messages of dead letters up for good."`
	Audit   QueueAuditCmd   `cmd:"" help:"What operators did: who, when, and to what."`
	Export  QueueExportCmd  `cmd:"" help:"Write all that the queue of a stopped daemon holds to a file."`
	Import  QueueImportCmd  `cmd:"" help:"Fill an empty queue with what export wrote."`
}

// QueueLsCmd is `smsbridge queue ls`.
type QueueLsCmd struct {
	opsClient
	What string `arg:"" optional:"" enum:",dead" default:"" help:"dead for the dead letters; otherwise the stages."`
}

// Run prints one line for each stage, and for each instance where there may be several; or for
// each dead letter.
func (c *QueueLsCmd) Run(ctx context.Context, std *stdio) error {
	if c.What == "dead" {
		return c.listDead(ctx, std)
	}
	var queue ops.Queue
	if read, err := c.get(ctx, std, "/admin/v1/queue", nil, &queue); err != nil || !read {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STAGE\tMESSAGES\tSIZE\tLIMIT\tOLDEST")
	for _, s := range queue.Stages {
		limit, oldest := "none", "-"
		if s.MaxBytes > 0 {
			limit = sizeOf(s.MaxBytes)
		}
		if s.Messages > 0 {
			oldest = (time.Duration(s.OldestAgeSeconds) * time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", s.Stage, s.Messages, sizeOf(s.Bytes), limit, oldest)
	}
	if len(queue.Instances) > 0 {
		fmt.Fprintln(w, "\nINSTANCE\tSINCE\tHOLDS")
		for _, i := range queue.Instances {
			name := i.Name
			if i.Here {
				name += " (asked)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", name, i.Since.Local().Format(time.DateTime), strings.Join(i.Holds, " "))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printHeldStages(std, queue)
}

// printHeldStages says which stages are paused.
func printHeldStages(std *stdio, queue ops.Queue) error {
	for _, s := range queue.Stages {
		if !s.Held.Held {
			continue
		}
		if _, err := fmt.Fprintf(std.out, "%s is %s\n", s.Stage, heldNote(s.Held)); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf writes a size for people.
func sizeOf(n uint64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= step && unit < 3 {
		value /= step
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit])
}
