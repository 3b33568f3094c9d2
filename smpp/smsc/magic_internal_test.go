package smsc

import (
	"testing"
	"time"
)

// A number that was busy is so no more for a client that pauses longer and longer.
func TestBusyOnce(t *testing.T) {
	const last = 30 * time.Millisecond
	f, begin := newMagic(last), time.Now()
	for _, tt := range []struct {
		after time.Duration
		busy  bool
	}{
		{0, true},
		{last - 1, true},
		{last, false},
		{20 * time.Second, false},
		{last + anewAfter, false},
		{last + anewAfter + 1, true},
		{last + anewAfter + last + 1, false},
	} {
		if got := f.busy("33612300429", begin.Add(tt.after)); got != tt.busy {
			t.Errorf("after %s busy is %t", tt.after, got)
		}
	}
}
