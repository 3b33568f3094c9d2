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
	for end := time.Now().Add(peers.Patience); strings.Count(log.String(), "no suitable peers") < 2; {
		select {
		case err := <-opened:
			t.Fatalf("it did not wait: %v\n%s", err, log.String())
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(end) {
				t.Fatalf("it says nothing of the servers:\n%s", log.String())
			}
		}
	}
	cancel()
	if err := <-opened; err == nil || !strings.Contains(err.Error(), "no suitable peers") {
		t.Errorf("got %v", err)
	}
}
