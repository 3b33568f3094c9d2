// Command smsbridge joins people on messengers with people on phones. `smsbridge demo`
// shows it, `smsbridge serve` runs it, and the other commands look after it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end; after it, a second one ends the process.
	defer context.AfterFunc(ctx, stop)()
	return execute(ctx, os.Args[1:], &stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
