// Command bench measures the smpp room beside other SMPP clients, and how long it takes to find whose
// an answer is; README.md says how.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"smsbridge/smpp"
)

const usage = `usage: go run . submit|both|memory|lookup|smsc [flags]

  submit   submits a second, side by side with go-smpp and gosmpp
  both     MT and MO at once, each MO stored before its response
  memory   the memory of the process over many submits
  lookup   whose an answer is, among many conversations
  smsc     the SMSC that the others start in a process of its own
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("say what to measure")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	rounds := flags.Int("rounds", 5, "how many rounds; the table has the median of them")
	duration := flags.Duration("time", 2*time.Second, "how long one measurement takes, after a warm-up")
	windows := flags.String("windows", "1,10,100,1000", "the windows")
	only := flags.String("only", "", "submit: the one client to measure, such as smsbridge; both: the one store; default: all")
	profile := flags.String("cpuprofile", "", "a file for a CPU profile")
	count := flags.Int64("n", 10_000_000, "memory: how many submits")
	conversations := flags.Int("conversations", 1_000_000, "lookup: in how many")
	lookups := flags.Int("lookups", 300_000, "lookup: how many look-ups of each kind")
	dir := flags.String("dir", "", "both, lookup: where to store, on a real disk; default: the folder for temporary files")
	mtRate := flags.Int("mt-rate", 61_000, "both: so many MT a second; 0: as fast as it goes")
	moWindow := flags.Int("mo-window", smpp.DefaultMaxHandlers, "both, smsc: so many deliver_sm without an answer, from the first submit_sm on")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	sizes, err := numbers(*windows)
	if err != nil {
		return fmt.Errorf("-windows: %w", err)
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	switch args[0] {
	case "submit":
		return submit(*only, sizes, *rounds, *duration)
	case "both":
		return both(sizes, *rounds, *duration, bothOptions{mtRate: *mtRate, moWindow: *moWindow, dir: *dir, only: *only})
	case "memory":
		return memory(sizes[len(sizes)-1], *count)
	case "lookup":
		if *conversations < 1 || *lookups < 1 {
			return fmt.Errorf("-conversations and -lookups must be at least 1")
		}
		return lookup(*conversations, *lookups, *dir)
	case "smsc":
		return serve(*moWindow)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%q is nothing to measure", args[0])
	}
}

func numbers(list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > 100_000 {
			return nil, fmt.Errorf("%q is not a number from 1 to 100000", text)
		}
		all = append(all, n)
	}
	return all, nil
}
