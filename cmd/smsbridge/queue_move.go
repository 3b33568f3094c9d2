package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/rs/zerolog"

	"smsbridge/configs"
	"smsbridge/queue"
)

// QueueExportCmd is `smsbridge queue export`.
type QueueExportCmd struct {
	Config string `required:"" short:"c" placeholder:"FILE" env:"SMSBRIDGE_CONFIG" help:"The configuration whose queue is written; its daemons must have been stopped."`
	File   string `arg:"" help:"The file to write; it must not exist yet. It holds texts and phone numbers in the clear."`
}

// QueueImportCmd is `smsbridge queue import`.
type QueueImportCmd struct {
	Config  string `required:"" short:"c" placeholder:"FILE" env:"SMSBRIDGE_CONFIG" help:"The configuration whose queue is filled; its daemons must have been stopped."`
	Replace bool   `help:"Delete what the queue holds first."`
	File    string `arg:"" help:"What queue export wrote."`
}

// Run writes all that the queue holds to a file, whole or not at all.
func (c *QueueExportCmd) Run(ctx context.Context, std *stdio) error {
	cfg, err := storeOf(c.Config, std)
	if err != nil {
		return err
	}
	if cfg.Dir != "" { // a wrong data_dir would be made
		if _, err := os.Stat(cfg.Dir); err != nil {
			return fmt.Errorf("there is no queue in data_dir: %w", err)
		}
	}
	var moved queue.Moved
	err = writeWhole(c.File, func(w io.Writer) (err error) {
		moved, err = queue.Export(ctx, cfg, w)
		return err
	})
	if err != nil {
		return err
	}
	return printMoved(std, moved, c.File+" holds all of it.")
}

// Run fills the queue from a file.
func (c *QueueImportCmd) Run(ctx context.Context, std *stdio) error {
	cfg, err := storeOf(c.Config, std)
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	moved, err := queue.Import(ctx, cfg, f, c.Replace)
	if err != nil {
		return err
	}
	return printMoved(std, moved, "The queue holds all of it. Never start a daemon on the queue that it comes from again: it would send everything a second time.")
}

// storeOf is the queue of a configuration file.
func storeOf(file string, std *stdio) (queue.Config, error) {
	cfg, err := configs.Load(file)
	if err != nil {
		return queue.Config{}, err
	}
	if cfg.Queue.URL == "" {
		if err := ownersOnly(cfg.DataDir); err != nil {
			return queue.Config{}, err
		}
	}
	q := queueConfig(cfg, newLogger(std.err, cfg.Log).Level(zerolog.WarnLevel))
	q.MTMaxPerRoute, q.Listen = 0, "" // both are for a daemon
	return q, nil
}

func printMoved(std *stdio, moved queue.Moved, end string) error {
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STREAM\tMESSAGES")
	for _, m := range moved {
		fmt.Fprintf(w, "%s\t%d\n", m.Name, m.Messages)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(std.out, end)
	return err
}

// writeWhole makes a file, for its owner only, that has all of what write writes, on disk,
// or is not there.
func writeWhole(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fmt.Errorf("%s is there already: name another file", path))
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // unless it was renamed
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = cmp.Or(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
