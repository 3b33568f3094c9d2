package main

import (
	"context"
	"io"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/configs"
)

// Run serves until ctx ends and the daemon has drained.
func (c *ServeCmd) Run(ctx context.Context, std *stdio) error {
	cfg, err := configs.Load(c.Config)
	if err != nil {
		return err
	}
	a, err := newApp(ctx, cfg, newLogger(std.err, cfg.Log))
	if err != nil {
		return err
	}
	return a.run(ctx)
}

// newLogger makes the one logger of the process; rooms get it passed.
func newLogger(w io.Writer, cfg configs.Log) zerolog.Logger {
	if cfg.Console {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: true}
	}
	return zerolog.New(zerolog.SyncWriter(w)).Level(cfg.Level).With().Timestamp().Logger()
}
