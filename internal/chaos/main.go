//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(chaos(os.Args[1:])) }

// chaos gives the exit code: 0 where all is well, 1 where an invariant was violated, 2 where
// the run could not be made.
func chaos(args []string) int {
	cfg, err := parseFlags(args, os.Stderr)
	if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("chaos with seed %d\n", cfg.seed)
	rep, err := perform(ctx, cfg, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	rep.write(os.Stdout)
	if len(rep.violations) > 0 {
		return 1
	}
	return 0
}
