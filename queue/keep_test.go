package queue_test

import (
	"testing"
	"time"

	"smsbridge/queue"
)

// How long history, stories and dead letters are kept is the operator's choice, and a
// start with another choice keeps to that.
func TestRetention(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, js := connect(t, remote.ClientURL())
	for _, days := range []time.Duration{10, 30, 2} {
		const day = 24 * time.Hour
		s := open(t, "", external(remote), func(c *queue.Config) {
			c.LogFor, c.SentFor, c.DeadFor = days*day, (days+1)*day, (days+2)*day
		})
		for name, want := range map[string]time.Duration{"LOG": days, "SENT": days + 1, "DEAD": days + 2, "AUDIT": days + 2} {
			stream, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if got := stream.CachedInfo().Config.MaxAge; got != want*day {
				t.Errorf("%s is kept for %s, want %d days", name, got, want)
			}
		}
		wantError(t, s.Close(), nil)
	}
}

// What is older than that is in no history any more.
func TestHistoryEnds(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.LogFor = time.Second })
	appendAll(t, s, entry("mt", ann, 1, "0"))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		found, err := s.Messages(t.Context(), ann, phone(1), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still there: %+v", found)
		}
	}
	if all, err := s.Conversations(t.Context(), ann); err != nil || len(all) != 0 {
		t.Errorf("conversations %+v, %v", all, err)
	}
}
