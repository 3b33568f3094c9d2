package queue

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A process that stood still finds by the clock that its lease is over, before the keeper
// has said so. Its work ends then, and goes on once the lease is held again: it has not
// ended by itself, which would end the daemon.
func TestWorkOutlivesAnExpiredLease(t *testing.T) {
	k := &keeper{
		log: zerolog.Nop(), ttl: 10 * time.Millisecond, start0: time.Now(), me: "me", lanes: 1,
		kick: make(chan struct{}, 1), beatNow: make(chan struct{}, 1), leases: make(map[string]*lease),
	}
	k.until.Store(int64(time.Hour))
	k.mu.Lock()
	k.start(k.lease("lane-0"))
	k.mu.Unlock()

	ctx, cancel := context.WithCancel(t.Context())
	began, expire, told, ended := make(chan struct{}), make(chan struct{}), make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		k.hold(ctx, "lane-0", func(ctx context.Context) {
			began <- struct{}{}
			select {
			case <-expire:
				told <- ctx.Err()
			case <-ctx.Done():
			}
		})
	}()
	<-began
	k.until.Store(0)
	expire <- struct{}{}
	if err := <-told; err == nil {
		t.Error("the work was not told that its lease is over")
	}
	k.until.Store(int64(time.Hour)) // renewed after all
	select {
	case <-began:
	case <-ended:
		t.Fatal("the work counts as ended by itself")
	}
	cancel()
	<-ended
}
