package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"smsbridge/smpp"
)

// memory submits count times over one Session and prints what the process occupies.
func memory(window int, count int64) error {
	addr, stop, err := startSMSC(0)
	if err != nil {
		return err
	}
	defer stop()
	c, err := dialOurs(addr, smpp.SessionConfig{Window: window})
	if err != nil {
		return err
	}
	defer c.close()
	var enough atomic.Bool
	var answered atomic.Int64
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- c.load(window, &enough, &answered) }()
	fmt.Printf("Resident memory at window %d\n\n| submits | s | MB |\n| --: | --: | --: |\n", window)
	const steps = 20
	var most float64
	for next := count / steps; !enough.Load(); {
		select {
		case err := <-ended:
			return fmt.Errorf("the submits ended early: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
		now, err := resident()
		if err != nil {
			return err
		}
		most = max(most, now)
		if n := answered.Load(); n >= next {
			fmt.Printf("| %d | %.0f | %.1f |\n", n, time.Since(began).Seconds(), now)
			next += max(count/steps, 1)
			enough.Store(n >= count)
		}
	}
	fmt.Printf("\nmost at any time, looked at each 20 ms: %.1f MB\n", most)
	return <-ended
}

// resident is the memory that this process occupies, in MB (proc(5), statm).
func resident() (float64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0, err
	}
	return float64(pages*os.Getpagesize()) / 1e6, nil
}
