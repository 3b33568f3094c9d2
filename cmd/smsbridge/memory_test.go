package main

import "testing"

func TestMemoryLimit(t *testing.T) {
	const mb = 1 << 20
	for _, test := range []struct {
		name       string
		live, want int64
	}{
		{"little in use", 50 * mb, 300 * mb},
		{"more than the least", 200 * mb, 350 * mb},
		{"a large installation keeps the collector's share of time", 4000 * mb, 5100 * mb},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := memoryLimit(test.live); got != test.want {
				t.Errorf("%d MB; want %d", got/mb, test.want/mb)
			}
		})
	}
}
