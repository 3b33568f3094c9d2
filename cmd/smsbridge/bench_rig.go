package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// This file is what the benchmarks measure: a bridge in this process, wired as for
// serve, with a messenger that only counts; and the simulated SMSC in another process.

// BenchSMSCCmd is the SMSC that a benchmark starts.
type BenchSMSCCmd struct {
	BusyFor time.Duration `name:"busy-for" help:"How long a magic number that is busy refuses."`
}

// Run serves until ctx or the standard input ends: it does not outlive who started it.
func (c *BenchSMSCCmd) Run(ctx context.Context, std *stdio) error {
	s, err := smsc.New(smsc.Config{
		Addr: "127.0.0.1:0", ReceiptDelay: benchReceiptDelay, BusyFor: c.BusyFor, MaxPhones: 1000, MaxMessages: 1,
		Session: smpp.SessionConfig{Window: benchReceipts}, Logger: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, std.in)
		cancel()
	}()
	fmt.Fprintln(std.out, s.Addr())
	return s.Run(ctx)
}

// benchReceiptDelay is from a submit to its receipt.
const benchReceiptDelay = 10 * time.Millisecond

// benchReceipts is how many receipts the SMSC leaves unanswered at most.
const benchReceipts = 1000

// benchSMSC is an SMSC in another process.
type benchSMSC struct {
	addr string
	cmd  *exec.Cmd
	in   io.Closer
}

func startBenchSMSC(args ...string) (*benchSMSC, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// It ends with its standard input, and is waited for: no context may cut its figures short.
	p := &benchSMSC{cmd: exec.CommandContext(context.Background(), exe, append([]string{"bench", "smsc"}, args...)...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: the SMSC cannot be started: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_, stopErr := p.stop()
		return nil, fmt.Errorf("bench: the SMSC does not say where it listens: %w", errors.Join(err, stopErr))
	}
	p.addr = strings.TrimSpace(line)
	return p, nil
}

// stop ends the SMSC and says what CPU time it took.
func (p *benchSMSC) stop() (time.Duration, error) {
	_ = p.in.Close()
	err := p.cmd.Wait()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), err
}

// benchRig is a bridge that is running.
type benchRig struct {
	app     *app
	smsc    *benchSMSC
	ended   *benchSink
	meter   *benchMeter
	dir     string
	links   *stage
	workers *stage
	failed  func() // called where a part of the bridge ends by itself
}

// openBench starts a bridge with a new, empty queue, and its SMSC. failed is called where
// a part of the bridge ends by itself; close says why it did.
func openBench(ctx context.Context, flags benchFlags, receipts bool, failed func()) (_ *benchRig, err error) {
	r := &benchRig{ended: newBenchSink(), meter: newBenchMeter(), failed: failed}
	if r.dir, err = os.MkdirTemp(flags.Data, "smsbridge-bench-"); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if r.smsc, err = startBenchSMSC("--busy-for", (flags.Time + time.Minute).String()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	cfg := benchConfig(filepath.Join(r.dir, "data"), r.smsc.addr, flags)
	cfg.SMSCs[0].Fields.NoReceipts = !receipts
	if err := r.start(ctx, cfg); err != nil {
		_, closeErr := r.close()
		return nil, errors.Join(err, closeErr)
	}
	return r, nil
}

// start wires a bridge over cfg and runs it.
func (r *benchRig) start(ctx context.Context, cfg *configs.Config) error {
	r.app = &app{cfg: cfg, log: zerolog.New(zerolog.SyncWriter(os.Stderr)).Level(zerolog.ErrorLevel)}
	if _, err := r.app.openHub(ctx, map[string]bridge.Messenger{addressing.NetworkXMPP: r.ended}); err != nil {
		return err
	}
	r.meter.watch(r.app.hub)
	r.links = newStage("links to SMSCs", r.app.log, r.failed)
	r.workers = newStage("workers", r.app.log, r.failed)
	r.app.runHub(r.links, r.workers)
	return nil
}

// close ends all, removes the queue, and says what CPU time the SMSC took.
func (r *benchRig) close() (time.Duration, error) {
	err := r.end()
	cpu, stopErr := r.smsc.stop()
	return cpu, errors.Join(err, stopErr, os.RemoveAll(r.dir))
}

// end ends the bridge.
func (r *benchRig) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for _, s := range []*stage{r.workers, r.links} {
		if s != nil {
			errs = append(errs, s.stop(ctx))
		}
	}
	if r.app != nil {
		errs = append(errs, r.app.close())
	}
	return errors.Join(errs...)
}

// benchConfig is the configuration of a bridge with one link.
func benchConfig(dir, smscAddr string, flags benchFlags) *configs.Config {
	cfg := demoConfig(dir, "", smscAddr)
	cfg.Web = nil
	cfg.Queue.Durability = configs.Durability(flags.Durability)
	cfg.SMSCs[0].Window = flags.Window
	if flags.Calls {
		cfg.CallRecords = &configs.CallRecords{Output: configs.CallsToFile, Dir: filepath.Join(dir, "calls"), MaxBytes: 256 << 20}
	}
	return cfg
}

// benchSink is a messenger that tells who waits what became of a message.
type benchSink struct {
	mu      sync.Mutex
	waiting map[string]chan<- bridge.State
	count   atomic.Int64
}

func newBenchSink() *benchSink { return &benchSink{waiting: make(map[string]chan<- bridge.State)} }

// Network is XMPP's, since that is handed its statuses.
func (*benchSink) Network() string { return addressing.NetworkXMPP }

// Deliver takes a final status.
func (s *benchSink) Deliver(_ context.Context, m bridge.OUT) error {
	s.mu.Lock()
	tell := s.waiting[m.NetworkID]
	delete(s.waiting, m.NetworkID)
	s.mu.Unlock()
	s.count.Add(1)
	if tell != nil {
		tell <- m.State
	}
	return nil
}

// expect gives a channel for the final state of a message.
func (s *benchSink) expect(networkID string) <-chan bridge.State {
	told := make(chan bridge.State, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[networkID] = told
	return told
}

// total is how many messages have ended.
func (s *benchSink) total() int { return int(s.count.Load()) }
