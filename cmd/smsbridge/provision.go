package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"smsbridge/ops"
)

// ProvisionCmd is `smsbridge provision`.
type ProvisionCmd struct {
	opsClient
	File   string `arg:"" help:"The file; - for standard input. Its first line names the columns: kind, and phone, handle, number or use as the kinds need them."`
	DryRun bool   `name:"dry-run" help:"Only say what would be made, and what is wrong."`
}

// errBadLines ends the command where not all lines were good.
var errBadLines = errors.New("not all lines are good: mend those named above and run the file again; what was made stays as it is")

// Run sends the lines of the file, some at a time, and reports those that are wrong.
func (c *ProvisionCmd) Run(ctx context.Context, std *stdio) error {
	in, size, name, err := c.open(std)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	table, err := newTable(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	out := &provisionReport{std: std, json: c.JSON, dry: c.DryRun, meter: newMeter(std.err, size)}
	for {
		rows, bad, readErr := table.next(ops.MaxRows)
		if err := out.add(ops.Provisioned{Bad: bad}, 0); err != nil {
			return err
		}
		if len(rows) > 0 {
			made, err := c.make(ctx, name, rows)
			if err != nil {
				out.meter.clear()
				return fmt.Errorf("stopped at line %d of %s: %w; run the file again: what was made stays as it is", rows[0].Line, name, err)
			}
			if err := out.add(made, len(rows)); err != nil {
				return err
			}
		}
		out.meter.show(table.offset(), out.lines, out.bad)
		if errors.Is(readErr, io.EOF) {
			return out.end()
		}
		if readErr != nil {
			return fmt.Errorf("%s cannot be read: %w", name, readErr)
		}
	}
}

func (c *ProvisionCmd) open(std *stdio) (in io.ReadCloser, size int64, name string, err error) {
	if c.File == "-" {
		return io.NopCloser(std.in), 0, "standard input", nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, 0, "", fmt.Errorf("the file cannot be read: %w", err)
	}
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	return f, size, filepath.Base(c.File), nil
}

func (c *ProvisionCmd) make(ctx context.Context, name string, rows []ops.Row) (made ops.Provisioned, err error) {
	data, err := json.Marshal(ops.Rows{File: name, Rows: rows})
	if err != nil {
		return made, err
	}
	query := url.Values{"dry_run": {fmt.Sprint(c.DryRun)}}
	_, err = c.send(ctx, http.MethodPost, "/admin/v1/provision", query, operator(), bytes.NewReader(data), &made)
	return made, err
}

// provisionReport is what has become of the lines so far.
type provisionReport struct {
	std                            *stdio
	json, dry                      bool
	meter                          *meter
	lines, changed, unchanged, bad int
}

// provisionSummary is the last line for programs; those before it are of bad lines.
type provisionSummary struct {
	DryRun    bool `json:"dry_run"`
	Lines     int  `json:"lines"`
	Changed   int  `json:"changed"`
	Unchanged int  `json:"unchanged"`
	Bad       int  `json:"bad"`
}

func (r *provisionReport) add(made ops.Provisioned, lines int) error {
	r.lines += max(lines, len(made.Bad))
	r.changed += made.Changed
	r.unchanged += made.Unchanged
	r.bad += len(made.Bad)
	if len(made.Bad) > 0 {
		r.meter.clear()
	}
	for _, b := range made.Bad {
		var err error
		if r.json {
			err = json.NewEncoder(r.std.out).Encode(b)
		} else {
			_, err = fmt.Fprintf(r.std.out, "line %d, column %s: %s\n", b.Line, b.Column, b.Problem)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *provisionReport) end() error {
	r.meter.clear()
	if r.json {
		if err := json.NewEncoder(r.std.out).Encode(provisionSummary{r.dry, r.lines, r.changed, r.unchanged, r.bad}); err != nil {
			return err
		}
	} else {
		verb := "made"
		if r.dry {
			verb = "would be made"
		}
		fmt.Fprintf(r.std.out, "%s: %d %s, %d there already, %d bad\n", count(r.lines, "line"), r.changed, verb, r.unchanged, r.bad)
	}
	if r.bad > 0 {
		return errBadLines
	}
	return nil
}
