package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		publishUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test; nothing waits that long unless it is broken. Shared
// machines have disks that take seconds for a sync.
const patience = 2 * time.Minute

// shortAckWait lets a test see the signs of life.
const shortAckWait = 300 * time.Millisecond

// open starts a store with quick retries on dir. It is closed at the end of the test.
func open(t testing.TB, dir string, adjust ...func(*queue.Config)) *queue.Store {
	t.Helper()
	cfg := queue.Config{Dir: dir, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, MinFree: -1}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := queue.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// listen opens the store to the test's own NATS client.
func listen(c *queue.Config) { c.Listen = "127.0.0.1:0" }

func oneLane(c *queue.Config) { c.Lanes = 1 }

// client is a NATS client beside the store, like the command line tool of an operator.
func client(t testing.TB, s *queue.Store) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	return connect(t, "nats://"+s.Addr())
}

func connect(t testing.TB, url string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

var ann = addressing.MustParseHandle("web:ann")

// phone is one of many phones.
func phone(n int) addressing.MSISDN {
	return addressing.MustParseMSISDN(fmt.Sprintf("+336123%05d", n))
}

// mt is message n from ann to phone p.
func mt(p, n int) bridge.MT {
	return bridge.MT{V: 1, ID: fmt.Sprintf("m-%d-%d", p, n), Handle: ann, Phone: phone(p), Text: fmt.Sprint(n)}
}

func publish(t testing.TB, s *queue.Store, messages ...bridge.MT) {
	t.Helper()
	for _, m := range messages {
		if err := s.PublishMT(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// work runs RunMT until the test ends or the function that it returns is called.
func work(t testing.TB, s *queue.Store, handle func(context.Context, bridge.MT) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.RunMT(ctx, handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// record is what handlers saw, and lets a test wait for it.
type record struct {
	mu   sync.Mutex
	more chan struct{} // closed and renewed with each change
	all  []string
}

func newRecord() *record { return &record{more: make(chan struct{})} }

func (r *record) add(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, what)
	close(r.more)
	r.more = make(chan struct{})
}

func (r *record) get() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// wait returns what was recorded once there are n.
func (r *record) wait(t testing.TB, n int) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		all, more := slices.Clone(r.all), r.more
		r.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("only %d of %d came: %v", len(all), n, all)
		}
	}
}

func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("not reached")
	}
}

// queued waits until a stage holds n messages.
func queued(t testing.TB, s *queue.Store, stage string, n uint64) queue.Depth {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		all, err := s.Depths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(d queue.Depth) bool { return d.Stage == stage })
		if all[i].Messages == n {
			return all[i]
		}
		if time.Now().After(end) {
			t.Fatalf("%s holds %d messages, want %d", stage, all[i].Messages, n)
		}
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}
