package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// The test binary is a child where childDir is set: it publishes into that directory
// until it is killed, and handles what it published where childWorks is set too.
const (
	childDir   = "SMSBRIDGE_QUEUE_TEST_DIR"
	childWorks = "SMSBRIDGE_QUEUE_TEST_WORKS"
)

// publishUntilKilled prints "accepted ID" for each message that is, and "handled ID".
func publishUntilKilled(dir string) {
	s, err := queue.Open(context.Background(), queue.Config{Dir: dir, MinFree: -1})
	orExit(err)
	var out sync.Mutex
	say := func(what, id string) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(what, id)
	}
	if os.Getenv(childWorks) != "" {
		go func() {
			orExit(s.RunMT(context.Background(), func(_ context.Context, m bridge.MT) error {
				say("handled", m.ID)
				return nil
			}))
		}()
	}
	var publishers sync.WaitGroup
	for p := range 16 {
		publishers.Go(func() {
			for n := 0; ; n++ {
				m := mt(p, n)
				orExit(s.PublishMT(context.Background(), m))
				say("accepted", m.ID)
			}
		})
	}
	publishers.Wait()
}

func orExit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killed runs a child, kills it with SIGKILL after a thousand accepted messages, and
// returns what was accepted and handled, in order.
func killed(t *testing.T, dir string, env ...string) (accepted, handled []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(append(os.Environ(), childDir+"="+dir), env...)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, id, _ := strings.Cut(lines.Text(), " ")
		if what == "handled" {
			handled = append(handled, id)
			continue
		}
		if accepted = append(accepted, id); len(accepted) == 1000 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	if len(accepted) < 1000 {
		t.Fatalf("the child ended after %d messages", len(accepted))
	}
	return accepted, handled
}

func TestKilled(t *testing.T) {
	tests := []struct {
		name string
		env  []string
	}{
		{"while it publishes", nil},
		{"while it works", []string{childWorks + "=1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			accepted, handled := killed(t, dir, tt.env...)
			missing := make(map[string]bool)
			for _, id := range accepted {
				missing[id] = true
			}
			next := make(map[string]int) // by phone: the first number that was not handled
			for _, id := range handled {
				delete(missing, id)
				p, n := parseID(t, id)
				next[p] = max(next[p], n+1)
			}
			s := open(t, dir)
			var mu sync.Mutex
			all := make(chan struct{})
			found := sync.OnceFunc(func() { close(all) })
			if len(missing) == 0 {
				found()
			}
			work(t, s, func(_ context.Context, m bridge.MT) error {
				mu.Lock()
				defer mu.Unlock()
				// What was handled may come again, but nothing new may overtake anything.
				p, n := parseID(t, m.ID)
				if n > next[p] {
					t.Errorf("got %s, and number %d was never handled", m.ID, next[p])
				}
				next[p] = max(next[p], n+1)
				if delete(missing, m.ID); len(missing) == 0 {
					found()
				}
				return nil
			})
			receive(t, all, "the last message")
		})
	}
}

// parseID takes apart what mt made.
func parseID(t *testing.T, id string) (phone string, n int) {
	t.Helper()
	var p int
	if _, err := fmt.Sscanf(id, "m-%d-%d", &p, &n); err != nil {
		t.Errorf("message %q: %v", id, err)
	}
	return fmt.Sprint(p), n
}

func TestReopened(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	publish(t, s, mt(1, 0))
	story := bridge.Story{V: 1, ID: "m-1-0", State: bridge.Accepted}
	if _, err := s.PutStory(t.Context(), story, 0, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	queued(t, s, "mt", 1)
	if got, rev, err := s.Story(t.Context(), "m-1-0"); err != nil || rev == 0 || got.State != bridge.Accepted {
		t.Errorf("story %+v, revision %d, %v", got, rev, err)
	}
}

func TestSecondDaemonRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := queue.Open(t.Context(), queue.Config{Dir: dir})
	if err == nil {
		t.Fatal("two stores on one directory")
	}
	t.Log(err)
}

// TestTornConsumer: earlier versions let the server write what it knew of a consumer without
// a sync, so that a power cut may have left half of it. Everything is handled nevertheless.
func TestTornConsumer(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "half": "\x16\x02", "zeros": string(make([]byte, 64))} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, oneLane, listen)
			seen := newRecord()
			handle := func(_ context.Context, m bridge.MT) error {
				seen.add(m.ID)
				return nil
			}
			_, js := client(t, s)
			_, err := js.CreateConsumer(t.Context(), "MT", jetstream.ConsumerConfig{
				Durable: "all-0", FilterSubject: "mt.*.0", AckPolicy: jetstream.AckExplicitPolicy,
			})
			if err != nil {
				t.Fatal(err)
			}
			publish(t, s, mt(1, 0))
			publish(t, s, mt(1, 1))
			wantError(t, s.Close(), nil)
			states, err := filepath.Glob(filepath.Join(dir, "nats/jetstream/*/streams/MT/obs/*/o.dat"))
			if err != nil || len(states) == 0 {
				t.Fatalf("no consumer's state: %v", err)
			}
			for _, state := range states {
				if err := os.WriteFile(state, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			work(t, open(t, dir, oneLane), handle)
			if got := seen.wait(t, 2); !slices.Equal(got, []string{"m-1-0", "m-1-1"}) {
				t.Errorf("handled %v", got)
			}
		})
	}
}
