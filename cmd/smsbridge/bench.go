package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/bridge"
)

// BenchCmd is `smsbridge bench`.
type BenchCmd struct {
	MT    BenchMTCmd    `cmd:"" default:"withargs" help:"MT from intake to final status: rate, latency, and the cost of each stage."`
	Queue BenchQueueCmd `cmd:"" help:"A long queue: memory, the next start, and whether intake slows down."`

	Blocked BenchBlockedCmd `cmd:"" help:"Whether one conversation that waits makes the others wait."`

	SMSC       BenchSMSCCmd       `cmd:"" hidden:""`
	QueueFill  BenchQueueFillCmd  `cmd:"" hidden:""`
	QueueStart BenchQueueStartCmd `cmd:"" hidden:""`
}

// benchFlags are those of every benchmark.
type benchFlags struct {
	Data       string        `default:"." placeholder:"DIR" help:"Where the queue is, in a folder of its own that is removed again. It must be on a real disk."`
	Durability string        `default:"power" enum:"power,process" help:"What accepted means: power or process."`
	Window     int           `default:"200" help:"The window of the link, 1 to 1000."`
	Time       time.Duration `default:"10s" help:"How long each measurement takes."`
	Rate       int           `default:"500" help:"How many messages a second are offered where latency is measured."`
	Calls      bool          `name:"call-records" help:"Keep call-detail records, to see what they cost."`
	JSON       bool          `name:"json" help:"Print the figures for programs."`
	CPUProfile string        `name:"cpuprofile" type:"path" hidden:"" help:"A file for a CPU profile."`
	MemProfile string        `name:"memprofile" type:"path" hidden:"" help:"A file for a profile of the memory at the end."`
}

// Validate refuses what would measure nothing, for ever.
func (f benchFlags) Validate() error {
	if f.Window < 1 || f.Window > 1000 {
		return fmt.Errorf("--window must be 1 to 1000, not %d", f.Window)
	}
	if f.Time < minBenchTime {
		return fmt.Errorf("--time must be %s or more, not %s", minBenchTime, f.Time)
	}
	return atLeast(1, "rate", f.Rate)
}

// minBenchTime is that of the shortest measurement that counts anything.
const minBenchTime = 100 * time.Millisecond

func atLeast(least int, flag string, n int) error {
	if n < least {
		return fmt.Errorf("--%s must be %d or more, not %d", flag, least, n)
	}
	return nil
}

// BenchMTCmd is `smsbridge bench mt`.
type BenchMTCmd struct {
	benchFlags
	AtOnce int `name:"at-once" default:"512" help:"How many messages are between intake and final status where the rate is measured."`
}

// Validate is of the command line.
func (c *BenchMTCmd) Validate() error {
	return cmp.Or(c.benchFlags.Validate(), atLeast(1, "at-once", c.AtOnce))
}

// benchReport is what `smsbridge bench mt` says.
type benchReport struct {
	At         time.Time  `json:"at"`
	Machine    string     `json:"machine"`
	Load       string     `json:"load"`
	Durability string     `json:"durability"`
	Window     int        `json:"window"`
	Runs       []benchRun `json:"runs"`
}

// benchRun is one way to send.
type benchRun struct {
	Name    string       `json:"name"`
	Rate    float64      `json:"messages_per_second"`
	CPU     float64      `json:"bridge_cpu_us_per_message"` // of all cores; 0: not known here
	SMSCCPU float64      `json:"smsc_cpu_us_per_message"`
	Latency benchLatency `json:"latency"`
	Stages  []benchStage `json:"stages"`
}

// benchLatency is from when a message was to be written, not from when the bench came to it.
type benchLatency struct {
	Offered  int       `json:"offered_per_second"`
	Accepted quantiles `json:"accepted"`
	Final    quantiles `json:"final"`
}

// Run measures without receipts and with.
func (c *BenchMTCmd) Run(ctx context.Context, std *stdio) error {
	report := benchReport{
		At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Load: loadAverage(),
		Durability: c.Durability, Window: c.Window,
	}
	stop, err := c.profile()
	if err != nil {
		return err
	}
	defer stop()
	for _, receipts := range []bool{false, true} {
		run, err := c.measure(ctx, std.err, receipts)
		if err != nil {
			return err
		}
		report.Runs = append(report.Runs, run)
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(report)
	}
	return report.print(std.out)
}

func (c *BenchMTCmd) measure(ctx context.Context, progress io.Writer, receipts bool) (run benchRun, err error) {
	run.Name = "without receipts"
	want := bridge.Sent
	if receipts {
		run.Name, want = "with receipts", bridge.Delivered
	}
	fmt.Fprintf(progress, "MT %s: %s of rate, %s of latency ...\n", run.Name, c.Time, c.Time)
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	rig, err := openBench(ctx, c.benchFlags, receipts, failed)
	if err != nil {
		return run, err
	}
	load := benchLoad{rig: rig, want: want, atOnce: c.AtOnce}
	if run.Rate, run.CPU, run.Stages, err = load.rate(ctx, c.Time); err == nil {
		run.Latency, err = load.latency(ctx, c.Rate, c.Time)
	}
	messages := rig.ended.total()
	cpu, closeErr := rig.close()
	run.SMSCCPU = perMessage(cpu, messages)
	return run, errors.Join(err, closeErr)
}

// heapProfile writes a profile of the memory where one is asked for.
func (f benchFlags) heapProfile() error {
	if f.MemProfile == "" {
		return nil
	}
	file, err := os.Create(f.MemProfile)
	if err != nil {
		return fmt.Errorf("--memprofile: %w", err)
	}
	runtime.GC() // the profile is as of the last collection
	return errors.Join(pprof.WriteHeapProfile(file), file.Close())
}

// profile begins a CPU profile where one is asked for.
func (f benchFlags) profile() (stop func(), err error) {
	if f.CPUProfile == "" {
		return func() {}, nil
	}
	file, err := os.Create(f.CPUProfile)
	if err != nil {
		return nil, fmt.Errorf("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close() // a profile that is cut short says so to who reads it
	}, nil
}

func (r benchReport) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, %s, load average %s\ndurability %s, window %d, one text of one segment each, an SMSC in another process on the same machine\n\n",
		r.At.Format(time.DateTime), r.Machine, r.Load, r.Durability, r.Window)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MT\tRATE\tCPU A MESSAGE (BRIDGE + SMSC)\tOFFERED\tACCEPTED p50 / p99\tFINAL p50 / p99")
	for _, run := range r.Runs {
		l := run.Latency
		fmt.Fprintf(t, "%s\t%.0f/s\t%.0f + %.0f µs\t%d/s\t%s\t%s\n", run.Name, run.Rate, run.CPU, run.SMSCCPU, l.Offered, l.Accepted, l.Final)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, run := range r.Runs {
		fmt.Fprintf(w, "\nStages %s, while the rate was measured:\n", run.Name)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "STAGE\tCALLS A MESSAGE\tMEAN")
		for _, s := range run.Stages {
			fmt.Fprintf(t, "%s\t%.2f\t%s\n", s.Name, s.Calls, micros(s.Mean))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// quantiles of durations.
type quantiles struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

func quantilesOf(all []time.Duration) quantiles {
	if len(all) == 0 {
		return quantiles{}
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(len(all)-1, int(q*float64(len(all))))] }
	return quantiles{P50: at(0.5), P99: at(0.99), Max: all[len(all)-1]}
}

func (q quantiles) String() string { return micros(q.P50) + " / " + micros(q.P99) }

func micros(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}

func perMessage(d time.Duration, messages int) float64 {
	return float64(d.Microseconds()) / float64(max(messages, 1))
}

func machine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// loadAverage is Linux's of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	first, _, found := strings.Cut(string(text), " ")
	if err != nil || !found {
		return "not known"
	}
	return first
}
