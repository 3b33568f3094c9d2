package queue

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/internal/peers"
)

// said is a log that is read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A cluster that has just come up does not know all of its servers yet, and says of a stream
// that there is no place for it. Here there never is; the daemon goes on trying as long as it may.
func TestOpenWaitsForServers(t *testing.T) {
	cluster := peers.NATS(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log said
	opened := make(chan error, 1)
	go func() {
		s, err := Open(ctx, Config{URL: cluster.URL(), Replicas: 5, Logger: zerolog.New(&log)})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	waitsForServers(t, &log, opened)
	cancel()
	if err := <-opened; err == nil || !strings.Contains(err.Error(), "no suitable peers") {
		t.Errorf("got %v", err)
	}
}

// waitsForServers returns once the log has said twice that there is no place, with done still to come.
func waitsForServers(t *testing.T, log *said, done <-chan error) {
	t.Helper()
	for end := time.Now().Add(peers.Patience); strings.Count(log.String(), "no suitable peers") < 2; {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v\n%s", err, log.String())
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(end) {
				t.Fatalf("it says nothing of the servers:\n%s", log.String())
			}
		}
	}
}

// So does an import, which begins with the same question; it leaves nothing behind.
func TestImportWaitsForServers(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), MinFree: -1}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := Export(t.Context(), cfg, &export); err != nil {
		t.Fatal(err)
	}
	cluster := peers.NATS(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log said
	imported := make(chan error, 1)
	go func() {
		_, err := Import(ctx, Config{URL: cluster.URL(), Replicas: 5, Logger: zerolog.New(&log)}, bytes.NewReader(export.Bytes()), false)
		imported <- err
	}()
	waitsForServers(t, &log, imported)
	cancel()
	if err := <-imported; err == nil || !strings.Contains(err.Error(), "no suitable peers") {
		t.Errorf("got %v", err)
	}
	if _, err := Import(t.Context(), Config{URL: cluster.URL(), Replicas: 3, Logger: zerolog.New(&log)}, bytes.NewReader(export.Bytes()), false); err != nil {
		t.Errorf("with a place: %v\n%s", err, log.String())
	}
}
