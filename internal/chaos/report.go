//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"smsbridge/internal/chaos/history"
)

// report is what came of a run.
type report struct {
	seed       uint64
	took       time.Duration
	kills      int // of daemons
	nodeKills  int // of NATS servers
	figures    history.Figures
	faults     map[string]int
	starts     []time.Duration // sorted
	refused    int64
	violations []history.Violation
	samples    []sample
	xmpp       string // what the XMPP users did; empty where there were none
	kept       string // where the history is; empty where it is not kept
}

// askAll asks the bridge, when all is over, what it has of each text, as people would who
// look at their pages again.
func (r *run) askAll() error {
	open := make(map[history.Text]string) // id
	for _, e := range r.record.History().Events {
		if e.Kind == history.Accepted {
			open[e.Text] = e.ID
		}
	}
	for _, p := range r.people {
		for t, id := range open {
			if t.User != p.name {
				continue
			}
			var a answer
			code, err := p.insist("/api/v1/messages/"+id, &a)
			if err != nil {
				return fmt.Errorf("%s cannot ask what became of %s: %w", p.name, t, err)
			}
			state := history.Forgotten
			if code != http.StatusNotFound {
				if err := json.Unmarshal(a.Status, &state); err != nil {
					return fmt.Errorf("%s cannot ask what became of %s: %d %s %w", p.name, t, code, a.Detail, err)
				}
			}
			r.record.Add(history.Event{Kind: history.Shown, Text: t, By: p.name, ID: id, State: state})
		}
		if err := p.lookBack(); err != nil {
			return err
		}
	}
	for _, u := range r.xmppUsers() { // the archive that they read is their server's
		for n := range r.cfg.phones {
			r.record.Add(history.Event{Kind: history.Cut, Text: history.Text{User: u.name, Phone: phoneOf(n)}})
		}
	}
	return nil
}

// insist asks until the bridge can answer: when nothing breaks any more, soon it can.
func (p *person) insist(path string, into any) (code int, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.rest)
	defer cancel()
	for {
		code, err = p.call(ctx, http.MethodGet, path, nil, "", into)
		if err == nil && code < http.StatusInternalServerError || sleep(ctx, 100*time.Millisecond) != nil {
			return code, err
		}
	}
}

// mostListed is how many messages of a conversation the API gives.
const mostListed = 500

// lookBack reads the person's conversations. Of one that is longer than the API shows only
// the end counts.
func (p *person) lookBack() error {
	for n := range p.cfg.phones + 1 { // and that of the first text
		var page struct {
			Messages []event `json:"messages"`
		}
		path := fmt.Sprintf("/api/v1/conversations/%%2B%s/messages?limit=%d", phoneOf(n), mostListed)
		code, err := p.insist(path, &page)
		if err != nil {
			return fmt.Errorf("%s cannot read a conversation: %w", p.name, err)
		}
		if code != http.StatusOK {
			return fmt.Errorf("%s cannot read a conversation: it is answered %d", p.name, code)
		}
		for _, m := range page.Messages {
			if t, named := history.ParseText(m.Text); named && m.Direction == "mo" {
				p.record.Add(history.Event{Kind: history.Listed, Text: t, By: p.name, ID: m.ID, Number: m.Number})
			}
		}
		if len(page.Messages) == mostListed {
			p.record.Add(history.Event{Kind: history.Cut, Text: history.Text{User: p.name, Phone: phoneOf(n)}})
		}
	}
	return nil
}

// judge looks at the whole history.
func (r *run) judge(took time.Duration) (report, error) {
	h := r.record.History()
	var starts []time.Duration
	for _, d := range r.daemons {
		starts = append(starts, d.starts...)
	}
	rep := report{
		seed: r.cfg.seed, took: took, kills: int(r.counts.kills.Load()), figures: history.Count(h), faults: r.counts.faults,
		nodeKills: int(r.counts.nodeKills.Load()),
		starts:    slices.Sorted(slices.Values(starts)), refused: r.counts.refused.Load(), violations: history.Check(h),
		samples: r.samples, xmpp: r.xmppReport(),
	}
	if r.cfg.dir != "" || len(rep.violations) > 0 {
		if err := r.keep(); err != nil {
			return rep, err
		}
		rep.kept = r.results
	}
	return rep, nil
}

// keep writes the history down, and leaves it and the daemon's log where they are.
func (r *run) keep() error {
	if r.results == r.dir { // which is about to be removed
		kept, err := os.MkdirTemp("", "chaos-kept")
		if err != nil {
			return err
		}
		logs, err := filepath.Glob(filepath.Join(r.dir, "*.log"))
		if err != nil {
			return err
		}
		for _, log := range logs {
			if err := os.Rename(log, filepath.Join(kept, filepath.Base(log))); err != nil {
				return err
			}
		}
		r.results = kept
	}
	f, err := os.Create(filepath.Join(r.results, "history.jsonl"))
	if err != nil {
		return err
	}
	return errors.Join(r.record.History().Write(f), f.Close())
}

// shownViolations is how many violations a report tells one by one.
const shownViolations = 20

// write tells the report to people.
func (p report) write(out io.Writer) {
	f := p.figures
	fmt.Fprintf(out, "seed %d, %s: %d kills of daemons, %d of NATS servers, %d faults in all\n", p.seed, p.took.Round(time.Second), p.kills, p.nodeKills, sum(p.faults))
	fmt.Fprintf(out, "  faults: %s\n", counted(p.faults))
	if n := len(p.starts); n > 0 {
		fmt.Fprintf(out, "  starts until it serves: %d, median %s, longest %s\n", n, p.starts[n/2].Round(time.Millisecond), p.starts[n-1].Round(time.Millisecond))
	}
	fmt.Fprintf(out, "  MT: %d accepted, %d segments submitted, %d requests refused for now; ended: %s\n", f.Accepted, f.Submits, p.refused, counted(f.Ended))
	fmt.Fprintf(out, "  sent again on purpose: %d; told twice: %d\n", f.Again, f.ToldTwice)
	fmt.Fprintf(out, "  MO: %d written, %d taken, %d seen\n", f.Wrote, f.Taken, f.Seen)
	if p.xmpp != "" {
		fmt.Fprintf(out, "  %s\n", p.xmpp)
	}
	if n := len(p.samples); n > 0 {
		for _, s := range strips {
			fmt.Fprintf(out, "  %s: %.4g at the end, slope %+.2f an hour\n", s.title, float64(s.of(p.samples[n-1]))/s.unit, slopeOf(p.samples, s.of)/s.unit)
		}
	}
	fmt.Fprintf(out, "  violations: %d\n", len(p.violations))
	for _, v := range p.violations[:min(len(p.violations), shownViolations)] {
		fmt.Fprintf(out, "    %s\n", v)
	}
	if p.kept != "" {
		fmt.Fprintf(out, "  history and log: %s\n", p.kept)
	}
}

func sum(of map[string]int) (n int) {
	for name, count := range of {
		if !strings.HasPrefix(name, "smsc ") {
			n += count
		}
	}
	return n
}

func counted(of map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(all, ", ")
}
