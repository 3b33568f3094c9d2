package queue_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/queue"
)

// natsServer runs a NATS server of its own on dir; port -1 picks one.
func natsServer(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true, JetStreamMaxStore: 1 << 40,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server did not start")
	}
	t.Cleanup(func() { stopServer(s) })
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func external(s *server.Server) func(*queue.Config) {
	return func(c *queue.Config) { c.Dir, c.URL = "", s.ClientURL() }
}

// TestServerRestarts takes the server away while messages are held, finished and waiting.
func TestServerRestarts(t *testing.T) {
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(peers.FreeAddress(t)) // nobody takes it while the server is away
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	remote := natsServer(t, dir, number)
	s := open(t, "", external(remote))
	const phones, each = 4, 20
	for n := range each {
		for p := range phones {
			publish(t, s, mt(p, n))
		}
	}
	followed := newRecord()
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "0"), entry(bridge.EntryMT, ann, 1, "a"))
	follow(t, s, ann, 1, followed)
	followed.wait(t, 1)

	seen := newRecord()
	half, release := make(chan struct{}), make(chan struct{})
	work(t, s, func(_ context.Context, m bridge.MT) error {
		if m.Text == fmt.Sprint(each/2) {
			if m.Phone == phone(0) {
				close(half) // panics if it comes twice
			}
			<-release
		}
		seen.add(name(m))
		return nil
	})
	receive(t, half, "the middle")
	stopServer(remote)
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Healthy(soon); err == nil {
		t.Error("healthy without a server")
	}
	natsServer(t, dir, number)
	close(release)
	inOrder(t, seen.wait(t, phones*each), phones, each)
	queued(t, s, "mt", 0)
	for end := time.Now().Add(patience); s.Healthy(t.Context()) != nil; {
		if time.Now().After(end) {
			t.Fatal("not healthy again")
		}
	}
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "b"))
	if got := followed.wait(t, 2); !slices.Equal(got, []string{"mt a", "mt b"}) {
		t.Errorf("followed %v", got)
	}
}

func TestWaitsForServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := queue.Open(ctx, queue.Config{URL: "nats://bob:secret@127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "no NATS server answers at nats://xxxxx@127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// A server that is away is tried several times a second, and told of once.
func TestServerAwayIsToldOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	var log lines
	if s, err := queue.Open(ctx, queue.Config{URL: "nats://bob:secret@127.0.0.1:1", Logger: zerolog.New(&log)}); err == nil {
		_ = s.Close()
		t.Fatal("opened without a server")
	}
	said := log.String()
	if n := strings.Count(said, "no connection to NATS"); n > 1 || strings.Contains(said, "secret") {
		t.Errorf("told of %d times; want once:\n%s", n, said)
	}
}

// lines is a log that several goroutines write.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestReplicasWithoutCluster(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, err := queue.Open(t.Context(), queue.Config{URL: remote.ClientURL(), Replicas: 3})
	if err == nil || !strings.Contains(err.Error(), "is alone and cannot keep 3 replicas") || !strings.Contains(err.Error(), "set queue.replicas to 1") {
		t.Errorf("got %v", err)
	}
}

func TestNoRoomForStreams(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, err := queue.Open(t.Context(), queue.Config{URL: remote.ClientURL(), MTMaxBytes: 1 << 50})
	if err == nil || !strings.Contains(err.Error(), "has no room to reserve") {
		t.Errorf("got %v", err)
	}
}

func TestWrongToken(t *testing.T) {
	s := open(t, t.TempDir(), listen, func(c *queue.Config) { c.Token = "right" })
	_, err := queue.Open(t.Context(), queue.Config{URL: "nats://" + s.Addr(), Token: "wrong"})
	if err == nil || !strings.Contains(err.Error(), "refuses the credentials") {
		t.Errorf("got %v", err)
	}
	beside, err := queue.Open(t.Context(), queue.Config{URL: "nats://" + s.Addr(), Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, beside.Close(), nil)
}
