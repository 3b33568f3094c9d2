package xmpp

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		attempt int
		luck    float64
		want    time.Duration
	}{
		{0, 0, time.Second},
		{0, 0.99, time.Second},
		{1, 0, 2 * time.Second},
		{2, 1, 3 * time.Second},
		{5, 0, 32 * time.Second},
		{6, 0, time.Minute},
		{6, 1, 45 * time.Second},
		{1000, 0, time.Minute},
	}
	for _, tt := range tests {
		if got := retryAfter(tt.attempt, tt.luck); got != tt.want {
			t.Errorf("retryAfter(%d, %v) = %v, want %v", tt.attempt, tt.luck, got, tt.want)
		}
	}
}

func FuzzRef(f *testing.F) {
	f.Add("purple1a2b", "o:1 %", true)
	f.Add("", "", false)
	f.Add("a:b:c", "a:b:c", true)
	f.Fuzz(func(t *testing.T, id, origin string, receipt bool) {
		r := newRef(id, origin, receipt)
		if got := parseRef(r.String()); got != r {
			t.Errorf("%+v became %+v by way of %q", r, got, r)
		}
	})
}
