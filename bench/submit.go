package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"smsbridge/smpp"
)

// contestant is a client by name.
type contestant struct {
	name string
	dial func(addr string, window int) (client, error)
}

// contestants are measured in turn, so that what disturbs the machine disturbs all.
var contestants = []contestant{
	{"smsbridge", func(addr string, window int) (client, error) {
		return dialOurs(addr, smpp.SessionConfig{Window: window})
	}},
	{"smsbridge, Links", func(addr string, window int) (client, error) { return dialLinks(addr, window) }},
	{"go-smpp", func(addr string, _ int) (client, error) { return dialGoSMPP(addr) }},
	{"gosmpp", func(addr string, _ int) (client, error) { return dialLinx(addr) }},
}

// submit prints a table of submits a second: of all clients with their ratios, or of one.
func submit(only string, windows []int, rounds int, d time.Duration) error {
	chosen := slices.Clone(contestants)
	if only != "" {
		chosen = slices.DeleteFunc(chosen, func(c contestant) bool { return c.name != only })
		if len(chosen) == 0 {
			return fmt.Errorf("-only: no client is named %q", only)
		}
	}
	addr, stop, err := startSMSC(0)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("Medians of %d rounds of %s; %d cores, %s; load %s\n\n", rounds, d, runtime.NumCPU(), runtime.Version(), loadAverage())
	fmt.Print("| window |")
	for i, c := range chosen {
		fmt.Printf(" %s | CPU |", c.name)
		if i > 0 {
			fmt.Print(" ratio |")
		}
	}
	fmt.Printf("\n|%s\n", strings.Repeat(" --: |", 3*len(chosen)))
	for _, window := range windows {
		rates, costs := make([][]float64, len(chosen)), make([][]float64, len(chosen))
		for range rounds {
			for i, c := range chosen {
				f, err := measure(func() (client, error) { return c.dial(addr, window) }, window, d, nil)
				if err != nil {
					return fmt.Errorf("%s with window %d: %w", c.name, window, err)
				}
				rates[i], costs[i] = append(rates[i], f.rate), append(costs[i], f.cost)
			}
		}
		fmt.Printf("| %d |", window)
		for i := range chosen {
			fmt.Printf(" %.0f/s | %.1f µs |", median(rates[i]), median(costs[i]))
			if i > 0 {
				fmt.Printf(" %.2f |", ratio(rates[0], rates[i]))
			}
		}
		fmt.Println()
	}
	fmt.Printf("\nload at the end: %s\n", loadAverage())
	return nil
}

// figures of one measurement.
type figures struct {
	rate float64 // answered submits a second
	cost float64 // µs of CPU that the client took for each, of all cores; unlike rate it hardly depends on who else is at work
}

// measure lets a client submit. After a warm-up it counts, and calls at, if set, when the
// counting begins and when it ends.
func measure(dial func() (client, error), window int, d time.Duration, at func(begins bool)) (figures, error) {
	if at == nil {
		at = func(bool) {}
	}
	runtime.GC() // what the one before left behind is not this one's to clear away
	c, err := dial()
	if err != nil {
		return figures{}, err
	}
	defer c.close()
	var stop atomic.Bool
	var answered atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- c.load(window, &stop, &answered) }()
	const warmUp = 300 * time.Millisecond
	time.Sleep(warmUp)
	at(true)
	before, began, used := answered.Load(), time.Now(), cpuTime()
	time.Sleep(d)
	at(false)
	n, took, cost := answered.Load()-before, time.Since(began), cpuTime()-used
	stop.Store(true)
	select {
	case err = <-ended:
	case <-time.After(2 * patience):
		err = fmt.Errorf("%d submits came back and the rest did not", answered.Load())
	}
	return figures{rate: float64(n) / took.Seconds(), cost: float64(cost.Microseconds()) / float64(max(n, 1))}, err
}

// cpuTime is what this process has used so far, of all cores.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it never fails with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ratio is the median of the ratios round by round.
func ratio(a, b []float64) float64 {
	var all []float64
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return median(all)
}

// loadAverage tells who else is at work.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return string(b[:min(len(b), 14)])
}
