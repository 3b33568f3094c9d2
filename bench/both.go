package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/time/rate"

	"smsbridge/bridge"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// store keeps an MO: when it returns nil the MO is on the disk.
type store interface {
	PublishMO(ctx context.Context, m bridge.MO) error
	Close() error
}

// storeKind is a way to store by name.
type storeKind struct {
	name string
	open func(dir string) (store, error)
}

var storeKinds = []storeKind{
	{"file, fdatasync", func(dir string) (store, error) { return openFile(filepath.Join(dir, "mo")) }},
	{"queue, power", func(dir string) (store, error) { return openQueue(dir, queue.Power) }},
	{"queue, process", func(dir string) (store, error) { return openQueue(dir, queue.Process) }},
}

func openQueue(dir string, d queue.Durability) (store, error) {
	return queue.Open(context.Background(), queue.Config{Dir: dir, Durability: d, MOMaxBytes: 16 << 30})
}

// bothOptions say what goes which way: MT are held to so many a second, or not at all, and
// so many MO are in flight at most.
type bothOptions struct {
	mtRate, moWindow int
	dir              string
	only             string // the one store; empty: all
}

// both prints a table of MT and MO a second, at once over one Session.
func both(windows []int, rounds int, d time.Duration, o bothOptions) error {
	stores := slices.DeleteFunc(slices.Clone(storeKinds), func(s storeKind) bool { return o.only != "" && s.name != o.only })
	if len(stores) == 0 {
		return fmt.Errorf("-only: no store is named %q", o.only)
	}
	addr, stop, err := startSMSC(o.moWindow)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("MT and MO at once; medians of %d rounds of %s; %d cores, %s; load %s\n\n", rounds, d, runtime.NumCPU(), runtime.Version(), loadAverage())
	fmt.Println("| MO are stored in | MO window | MT window | MT/s | MO/s | CPU | one sync |\n| -- | --: | --: | --: | --: | --: | -- |")
	for _, window := range windows {
		all := make([][]traffic, len(stores))
		for range rounds {
			for i, s := range stores {
				got, err := measureBoth(addr, window, d, o, s.open)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				all[i] = append(all[i], got)
			}
		}
		for i, s := range stores {
			mt := median(column(all[i], func(t traffic) float64 { return t.mt }))
			mo := median(column(all[i], func(t traffic) float64 { return t.mo }))
			cost := median(column(all[i], func(t traffic) float64 { return t.cost }))
			fmt.Printf("| %s | %d | %d | %.0f | %.0f | %.1f µs | %s |\n", s.name, o.moWindow, window, mt, mo, cost, all[i][0].sync)
		}
	}
	fmt.Printf("\nload at the end: %s\n", loadAverage())
	return nil
}

// traffic is what went both ways in a second, the CPU that each message took of all cores,
// in µs, and what the store says of its syncs.
type traffic struct {
	mt, mo float64
	cost   float64
	sync   string
}

func column(all []traffic, of func(traffic) float64) []float64 {
	var values []float64
	for _, t := range all {
		values = append(values, of(t))
	}
	return values
}

func measureBoth(addr string, window int, d time.Duration, o bothOptions, open func(string) (store, error)) (t traffic, err error) {
	dir, err := os.MkdirTemp(o.dir, "smsbridge-bench-")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	s, err := open(dir)
	if err != nil {
		return t, err
	}
	defer s.Close()
	var stored atomic.Int64
	var refused atomic.Pointer[error]
	handler := smpp.HandlerFunc(func(ctx context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		if err := s.PublishMO(ctx, moOf(p)); err != nil {
			refused.CompareAndSwap(nil, &err)
			return p.Answer(smpp.StatusRxTAppn)
		}
		stored.Add(1)
		return p.Answer(smpp.StatusOK)
	})
	dial := func() (client, error) {
		c, err := dialOurs(addr, smpp.SessionConfig{Window: window, MaxHandlers: o.moWindow, Handler: handler})
		if err == nil && o.mtRate > 0 {
			c.limit = rate.NewLimiter(rate.Limit(o.mtRate), window)
		}
		return c, err
	}
	var before int64
	f, err := measure(dial, window, d, func(begins bool) {
		if begins {
			before = stored.Load()
		} else {
			t.mo = float64(stored.Load()-before) / d.Seconds()
		}
	})
	t.mt, t.sync = f.rate, "not known"
	t.cost = f.cost * t.mt / (t.mt + t.mo)
	if s, ok := s.(*file); ok {
		t.sync = s.summary()
	}
	// The end of the connection refuses what is in hand: only what came before counts.
	if why := refused.Load(); err == nil && why != nil && !errors.Is(*why, context.Canceled) {
		err = *why
	}
	return t, err
}

// moOf is what a link makes of a deliver_sm.
func moOf(p *smpp.PDU) bridge.MO {
	return bridge.MO{
		V: 1, ID: ulid.Make().String(), Account: "bench", Link: "bench", Session: "bench",
		Sequence: p.Sequence, Command: p.Command.String(), ReceivedAt: time.Now().UTC(),
		Source: p.Short.Source, Destination: p.Short.Destination,
		ESMClass: p.Short.ESMClass, DataCoding: p.Short.DataCoding, Body: p.Short.Body, TLVs: p.Short.TLVs,
	}
}

// file is the least that keeps a promise: records are appended, and one fdatasync serves
// all that were written before it.
type file struct {
	f    *os.File
	kick chan struct{}
	done chan struct{}

	mu      sync.Mutex
	pending []byte
	waiting []chan error

	syncs, records int
	syncing        time.Duration
}

// summary says how many records shared one sync, and how long it took, in the mean.
func (s *file) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := max(s.syncs, 1)
	return fmt.Sprintf("%d MO, %.1f ms", s.records/n, s.syncing.Seconds()*1000/float64(n))
}

func openFile(path string) (*file, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	s := &file{f: f, kick: make(chan struct{}, 1), done: make(chan struct{})}
	go s.loop()
	return s, nil
}

func (s *file) PublishMO(_ context.Context, m bridge.MO) error {
	record, err := json.Marshal(m)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	s.mu.Lock()
	s.pending = append(append(s.pending, record...), '\n')
	s.waiting = append(s.waiting, answer)
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default: // the loop knows
	}
	return <-answer
}

func (s *file) loop() {
	defer close(s.done)
	var spare []byte
	for range s.kick {
		s.mu.Lock()
		group, waiting := s.pending, s.waiting
		s.pending, s.waiting = spare[:0], nil
		s.mu.Unlock()
		began := time.Now()
		_, err := s.f.Write(group)
		if err == nil {
			err = syscall.Fdatasync(int(s.f.Fd()))
		}
		spare = group
		s.mu.Lock()
		s.syncs, s.records, s.syncing = s.syncs+1, s.records+len(waiting), s.syncing+time.Since(began)
		s.mu.Unlock()
		for _, answer := range waiting {
			answer <- err
		}
	}
}

// Close must follow the last PublishMO.
func (s *file) Close() error {
	close(s.kick)
	<-s.done
	return s.f.Close()
}
