package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// One person, or one route, cannot take all the room: it is refused at its bound, others are
// not, and there is room again once messages leave, after a restart as well.
func TestBounds(t *testing.T) {
	const bound = 20
	bob := addressing.MustParseHandle("web:bob")
	tests := []struct {
		name   string
		adjust func(*queue.Config)
		want   error
		free   bridge.MT // what is accepted all the same
	}{
		{
			"of a person",
			func(c *queue.Config) { c.MTMaxPerHandle = bound },
			bridge.ErrHandleFull,
			bridge.MT{V: 1, ID: "bob's", Handle: bob, Phone: phone(1)},
		},
		{
			"of a route",
			func(c *queue.Config) {
				c.MTMaxPerRoute = bound
				c.RouteOf = func(_ addressing.Handle, p addressing.MSISDN) string { return p.Digits()[:3] }
			},
			bridge.ErrRouteFull,
			bridge.MT{V: 1, ID: "to Spain", Handle: ann, Phone: addressing.MustParseMSISDN("+34612345678")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, tt.adjust)
			stop := work(t, s, func(ctx context.Context, _ bridge.MT) error {
				<-ctx.Done()
				return ctx.Err()
			})
			accepted := fillUp(t, s, "first", tt.want)
			if accepted < bound {
				t.Errorf("refused after %d messages", accepted)
			}
			publish(t, s, tt.free)
			stop()
			wantError(t, s.Close(), nil)

			s = open(t, dir, tt.adjust)
			release := make(chan struct{})
			seen := newRecord()
			work(t, s, func(_ context.Context, m bridge.MT) error {
				<-release
				seen.add(m.ID)
				return nil
			})
			more := fillUp(t, s, "second", tt.want)
			close(release)
			seen.wait(t, accepted+more+1)
			queued(t, s, "mt", 0)
			publish(t, s, mt(1, 1000))
		})
	}
}

// fillUp publishes to many phones until it is refused, which must be for that reason.
func fillUp(t *testing.T, s *queue.Store, name string, want error) (accepted int) {
	t.Helper()
	for ; accepted < 100_000; accepted++ {
		m := mt(accepted%5, 0)
		m.ID = fmt.Sprint(name, accepted)
		err := s.PublishMT(t.Context(), m)
		if errors.Is(err, bridge.ErrFull) {
			wantError(t, err, want)
			return accepted
		}
		wantError(t, err, nil)
	}
	t.Fatal("it is never full")
	return accepted
}

// The bounds hold for all instances together: one refuses what another has too much of.
func TestBoundsAcrossInstances(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	bounded := func(c *queue.Config) { c.MTMaxPerHandle = 40 }
	works := open(t, "", external(remote), bounded)
	accepts := open(t, "", external(remote), bounded)
	work(t, works, func(ctx context.Context, _ bridge.MT) error {
		<-ctx.Done()
		return ctx.Err()
	})
	holds(t, works, 0, 8)
	accepted := fillUp(t, accepts, "here", bridge.ErrHandleFull)
	if accepted < 40 {
		t.Errorf("refused after %d messages", accepted)
	}
	wantError(t, works.PublishMT(t.Context(), mt(1, 1)), bridge.ErrHandleFull)
}
