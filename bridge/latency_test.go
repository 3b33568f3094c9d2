package bridge

import (
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	for _, tt := range []struct {
		name string
		took []time.Duration
		q    float64
		want time.Duration
		off  float64 // by how much it may be wrong: a bucket is 1.78 times the one before
	}{
		{"one", []time.Duration{time.Second}, 0.5, time.Second, 0.8},
		{"a clock that was set back", []time.Duration{-time.Second}, 1, 10 * time.Millisecond, 0},
		{"longer than a day", []time.Duration{100 * time.Hour}, 0.99, 28 * time.Hour, 0.8},
		{"the median of many", many(1000), 0.5, 500 * time.Millisecond, 0.2},
		{"p99 of many", many(1000), 0.99, 990 * time.Millisecond, 0.2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, l Latency
			before.add(time.Hour)
			l = before
			for _, took := range tt.took {
				l.add(took)
			}
			got, ok := l.Since(before).Quantile(tt.q)
			if ratio := float64(got)/float64(tt.want) - 1; !ok || ratio > tt.off || ratio < -tt.off {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if got, ok := (Latency{}).Quantile(0.5); ok {
		t.Errorf("of nothing: %s", got)
	}
}

// many are 1 ms, 2 ms and so on.
func many(n int) (all []time.Duration) {
	for i := range n {
		all = append(all, time.Duration(i+1)*time.Millisecond)
	}
	return all
}
