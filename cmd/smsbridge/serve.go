package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"smsbridge/configs"
)

// Run serves until ctx ends and the daemon has drained.
func (c *ServeCmd) Run(ctx context.Context, std *stdio) error {
	cfg, err := configs.Load(c.Config)
	if err != nil {
		return err
	}
	// From now on: a daemon that is told to reload while it starts must not end.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// The level is that of the whole process, so that a reload can change it.
	zerolog.SetGlobalLevel(cfg.Log.Level)
	a, err := newApp(ctx, cfg, newLogger(std.err, configs.Log{Level: zerolog.TraceLevel, Console: cfg.Log.Console}))
	if err != nil {
		return err
	}
	a.reload.hup, a.reload.watch = hup, c.Watch
	if f, ok := std.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		a.greet = f
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
