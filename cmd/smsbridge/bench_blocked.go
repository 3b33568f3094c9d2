package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"smsbridge/bridge"
)

// BenchBlockedCmd is `smsbridge bench blocked`: whether one conversation that waits makes the
// others wait.
type BenchBlockedCmd struct {
	benchFlags
	Rounds int `default:"3" help:"How often both are measured, by turns."`
	Behind int `default:"1000" help:"How many messages of the blocked conversation wait."`
}

// Validate is of the command line.
func (c *BenchBlockedCmd) Validate() error {
	return cmp.Or(c.benchFlags.Validate(), atLeast(1, "rounds", c.Rounds), atLeast(1, "behind", c.Behind))
}

// benchBlockedReport is what it says.
type benchBlockedReport struct {
	At         time.Time           `json:"at"`
	Machine    string              `json:"machine"`
	Load       string              `json:"load"`
	Durability string              `json:"durability"`
	Rounds     []benchBlockedRound `json:"rounds"`
}

// benchBlockedRound is the latency of the others.
type benchBlockedRound struct {
	Free    benchLatency `json:"free"`
	Blocked benchLatency `json:"blocked"`
}

// Run measures the latency of conversations beside one that is blocked, and without it.
func (c *BenchBlockedCmd) Run(ctx context.Context, std *stdio) error {
	report := benchBlockedReport{
		At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Load: loadAverage(), Durability: c.Durability,
	}
	for n := range c.Rounds {
		var round benchBlockedRound
		var err error
		fmt.Fprintf(std.err, "round %d of %d: twice %s ...\n", n+1, c.Rounds, c.Time)
		if round.Free, err = c.measure(ctx, 0); err != nil {
			return err
		}
		if round.Blocked, err = c.measure(ctx, c.Behind); err != nil {
			return err
		}
		report.Rounds = append(report.Rounds, round)
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(report)
	}
	return report.print(std.out)
}

// measure gives the latency of the others while behind messages of one conversation wait.
func (c *BenchBlockedCmd) measure(ctx context.Context, behind int) (latency benchLatency, err error) {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	rig, err := openBench(ctx, c.benchFlags, false, failed)
	if err != nil {
		return latency, err
	}
	defer func() {
		_, closeErr := rig.close()
		err = errors.Join(err, closeErr)
	}()
	load := benchLoad{rig: rig, want: bridge.Sent}
	var told <-chan bridge.State // of the first that is blocked
	for n := range behind {
		r := load.request(benchConversations)
		r.To = benchBusyPhone
		if n == 0 {
			told = rig.ended.expect(r.NetworkID)
		}
		if _, err := rig.app.hub.Accept(ctx, r); err != nil {
			return latency, err
		}
	}
	for behind > 0 && rig.app.hub.Stats().Submits[bridge.OutcomeTemporary] == 0 && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	// The first second warms up.
	if _, err := load.latency(ctx, c.Rate, time.Second); err != nil {
		return latency, err
	}
	latency, err = load.latency(ctx, c.Rate, c.Time)
	select {
	case state := <-told:
		err = errors.Join(err, fmt.Errorf("bench: the conversation that was to be blocked went on: its first message is %s", state))
	default:
	}
	return latency, err
}

// benchBusyPhone is refused for now (ESME_RSYSERR) for as long as the bench takes.
const benchBusyPhone = "+33612300500"

func (r benchBlockedReport) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, %s, load average %s\ndurability %s, from when a message was to be written to its final status, without receipts\n\n",
		r.At.Format(time.DateTime), r.Machine, r.Load, r.Durability)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROUND\tOFFERED\tp50 / p99\tBESIDE A BLOCKED CONVERSATION\tp99 BY")
	for n, round := range r.Rounds {
		free, blocked := round.Free.Final, round.Blocked.Final
		fmt.Fprintf(t, "%d\t%d/s\t%s\t%s\t%+.0f %%\n", n+1, round.Free.Offered, free, blocked, 100*(float64(blocked.P99)/float64(free.P99)-1))
	}
	return t.Flush()
}
