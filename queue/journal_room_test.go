package queue

import (
	"testing"
	"time"
)

func TestKeptFor(t *testing.T) {
	const week = 7 * 24 * time.Hour
	tests := []struct {
		name  string
		count uint64
		full  time.Duration
		want  time.Duration
	}{
		{"empty", 0, week, week},
		{"a quarter full", 250, week, week},
		{"half full: the geometric mean", 500, week, 19049 * time.Second},
		{"three quarters full", 750, week, keptLeast},
		{"full", 1000, week, keptLeast},
		{"more than full", 5000, week, keptLeast},
		{"an operator who wants less than the least", 900, time.Minute, time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := keptFor(test.count, 1000, test.full); got != test.want {
				t.Errorf("kept for %s; want %s", got, test.want)
			}
		})
	}
}
