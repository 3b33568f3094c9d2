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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// From now on no signal is lost: room for the second one while the first is handled.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		// The first asks for an orderly end; a second one ends the process at once.
		<-signals
		cancel()
		again := <-signals
		signal.Reset(again)
		if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(again) != nil {
			os.Exit(exitFailed) // where a process cannot send itself a signal
		}
	}()
	return execute(ctx, os.Args[1:], &stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
