package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"smsbridge/bridge"
)

// BenchQueueCmd is `smsbridge bench queue`: what a long queue costs.
type BenchQueueCmd struct {
	benchFlags
	Messages      int `default:"1000000" help:"How many messages wait."`
	Conversations int `default:"10000" help:"How many conversations they are in."`
	AtOnce        int `name:"at-once" default:"512" help:"How many are written at once."`
}

// Validate is of the command line.
func (c *BenchQueueCmd) Validate() error {
	return cmp.Or(c.benchFlags.Validate(), atLeast(10, "messages", c.Messages),
		atLeast(1, "conversations", c.Conversations), atLeast(1, "at-once", c.AtOnce))
}

// benchQueueReport is what it says.
type benchQueueReport struct {
	At            time.Time  `json:"at"`
	Machine       string     `json:"machine"`
	Load          string     `json:"load"`
	Durability    string     `json:"durability"`
	Messages      int        `json:"messages"`
	Conversations int        `json:"conversations"`
	Fill          benchFill  `json:"fill"`
	Start         benchStart `json:"start"`
}

// benchFill is what a daemon took whose link is down.
type benchFill struct {
	First    float64 `json:"first_tenth_per_second"`
	Last     float64 `json:"last_tenth_per_second"`
	CPUFirst float64 `json:"first_tenth_cpu_us"`
	CPULast  float64 `json:"last_tenth_cpu_us"`
	Memory   memory  `json:"memory"`
}

// benchStart is what the next daemon did with what waits.
type benchStart struct {
	Opened  time.Duration `json:"opened_ns"`
	Submit  time.Duration `json:"first_submit_ns"`
	Memory  memory        `json:"memory"` // after some seconds at work
	Sent    uint64        `json:"sent"`   // by then
	Elapsed time.Duration `json:"elapsed_ns"`
}

// memory is resident, in bytes; 0 where it is not known.
type memory struct {
	Now  int64 `json:"now_bytes"`
	Peak int64 `json:"peak_bytes"`
}

// Run fills the queue in one process and works on it in another, so that each one's
// memory is its own.
func (c *BenchQueueCmd) Run(ctx context.Context, std *stdio) (err error) {
	report := benchQueueReport{
		At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Load: loadAverage(), Durability: c.Durability,
		Messages: c.Messages, Conversations: c.Conversations,
	}
	dir, err := os.MkdirTemp(c.Data, "smsbridge-bench-")
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(std.err, "%d messages are written ...\n", c.Messages)
	if err := c.part(ctx, "queue-fill", dir, &report.Fill); err != nil {
		return err
	}
	fmt.Fprintf(std.err, "a daemon starts on them ...\n")
	if err := c.part(ctx, "queue-start", dir, &report.Start); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(report)
	}
	fmt.Fprintf(std.out, "\n%s, %s, load average %s\ndurability %s, %d messages in %d conversations\n\n",
		report.At.Format(time.DateTime), report.Machine, report.Load, c.Durability, c.Messages, c.Conversations)
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fill, start := report.Fill, report.Start
	fmt.Fprintf(t, "intake, first tenth\t%.0f/s\t%.0f µs of CPU a message\n", fill.First, fill.CPUFirst)
	fmt.Fprintf(t, "intake, last tenth\t%.0f/s\t%.0f µs of CPU a message\n", fill.Last, fill.CPULast)
	fmt.Fprintf(t, "resident when all wait\t%d MB\tat most %d MB\n", fill.Memory.Now>>20, fill.Memory.Peak>>20)
	fmt.Fprintf(t, "start to open store\t%s\t\n", micros(start.Opened))
	fmt.Fprintf(t, "start to first submit\t%s\t\n", micros(start.Submit))
	fmt.Fprintf(t, "resident at work, %d sent\t%d MB\tat most %d MB\n", start.Sent, start.Memory.Now>>20, start.Memory.Peak>>20)
	return t.Flush()
}

// part runs this program on dir as a daemon of its own, and reads what it says.
func (c *BenchQueueCmd) part(ctx context.Context, name, dir string, answer any) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, "bench", name, "--data", dir, "--durability", c.Durability, "--window", strconv.Itoa(c.Window),
		"--time", c.Time.String(), "--messages", strconv.Itoa(c.Messages), "--conversations", strconv.Itoa(c.Conversations), "--at-once", strconv.Itoa(c.AtOnce))
	if c.CPUProfile != "" {
		cmd.Args = append(cmd.Args, "--cpuprofile", c.CPUProfile+"."+name)
	}
	if c.MemProfile != "" {
		cmd.Args = append(cmd.Args, "--memprofile", c.MemProfile+"."+name)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("bench %s: %w", name, err)
	}
	return json.Unmarshal(out, answer)
}

// BenchQueueFillCmd is the daemon that takes the messages.
type BenchQueueFillCmd struct{ BenchQueueCmd }

// nowhere is an address at which no SMSC is.
const nowhere = "127.0.0.1:1"

// Run prints a benchFill.
func (c *BenchQueueFillCmd) Run(ctx context.Context, std *stdio) error {
	return c.on(ctx, nowhere, func(ctx context.Context, r *benchRig) error {
		var fill benchFill
		var err error
		load := benchLoad{rig: r}
		tenth := c.Messages / 10
		if fill.First, fill.CPUFirst, err = c.write(ctx, &load, tenth); err != nil {
			return err
		}
		if _, _, err = c.write(ctx, &load, c.Messages-2*tenth); err != nil {
			return err
		}
		if fill.Last, fill.CPULast, err = c.write(ctx, &load, tenth); err != nil {
			return err
		}
		fill.Memory = resident()
		return errors.Join(json.NewEncoder(std.out).Encode(fill), c.heapProfile())
	})
}

// write writes n messages and gives their rate and the CPU time that each took.
func (c *BenchQueueCmd) write(ctx context.Context, load *benchLoad, n int) (rate, cpu float64, err error) {
	begun, cpuBefore := time.Now(), cpuTime()
	var next atomic.Int64
	var writers sync.WaitGroup
	errs := make([]error, c.AtOnce)
	for w := range c.AtOnce {
		writers.Go(func() {
			for errs[w] == nil && next.Add(1) <= int64(n) {
				r := load.request(0)
				// By its number, since what this process wrote must be new to the queue.
				number := int(load.next.Load()) % c.Conversations
				r.Handle, r.To = benchHandle(number), benchPhone(number)
				_, errs[w] = load.rig.app.hub.Accept(ctx, r)
			}
		})
	}
	writers.Wait()
	return float64(n) / time.Since(begun).Seconds(), perMessage(cpuTime()-cpuBefore, n), errors.Join(errs...)
}

// BenchQueueStartCmd is the daemon that starts on what waits.
type BenchQueueStartCmd struct{ BenchQueueCmd }

// Run prints a benchStart.
func (c *BenchQueueStartCmd) Run(ctx context.Context, std *stdio) (err error) {
	smsc, err := startBenchSMSC()
	if err != nil {
		return err
	}
	defer func() {
		_, stopErr := smsc.stop()
		err = errors.Join(err, stopErr)
	}()
	begun := time.Now()
	return c.on(ctx, smsc.addr, func(ctx context.Context, r *benchRig) error {
		start := benchStart{Opened: time.Since(begun)}
		sent := func() uint64 { return r.app.hub.Stats().Submits[bridge.OutcomeSent] }
		for sent() == 0 && ctx.Err() == nil {
			pause(ctx, 5*time.Millisecond)
		}
		start.Submit = time.Since(begun)
		pause(ctx, c.Time)
		start.Memory, start.Sent, start.Elapsed = resident(), sent(), time.Since(begun)
		return errors.Join(json.NewEncoder(std.out).Encode(start), c.heapProfile(), ctx.Err())
	})
}

// on runs a bridge on what is in --data, which stays there.
func (c *BenchQueueCmd) on(ctx context.Context, smscAddr string, do func(context.Context, *benchRig) error) error {
	stop, err := c.profile()
	if err != nil {
		return err
	}
	defer stop()
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	r := &benchRig{ended: newBenchSink(), meter: newBenchMeter(), failed: failed}
	err = r.start(ctx, benchConfig(filepath.Join(c.Data, "data"), smscAddr, c.benchFlags))
	if err == nil {
		err = do(ctx, r)
	}
	return errors.Join(err, r.end())
}

// resident is this process's memory, as Linux tells it.
func resident() memory {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return memory{}
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		for name, value := range map[string]*int64{"VmRSS:": &m.Now, "VmHWM:": &m.Peak} {
			if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
				kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // 0: not known
				*value = kilobytes << 10
			}
		}
	}
	return m
}
