//go:build linux

package main

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a run that is over in seconds.
func small() config {
	return config{
		seed: 7, kills: 6, people: 2, phones: 4, pause: 300 * time.Millisecond, every: 300 * time.Millisecond,
		only: "kill,cut", rest: time.Minute,
	}
}

// play makes a run and gives its report.
func play(t *testing.T, cfg config) report {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // what it keeps of a run with violations, too
	var out bytes.Buffer
	rep, err := perform(t.Context(), cfg, &out)
	rep.write(&out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// A daemon that is killed and cut off keeps its promises.
func TestRun(t *testing.T) {
	rep := play(t, small())
	if len(rep.violations) > 0 {
		t.Errorf("%d violations", len(rep.violations))
	}
	if f := rep.figures; rep.kills < 6 || f.Accepted == 0 || f.Wrote == 0 || f.Seen != f.Wrote {
		t.Errorf("%d kills, %+v", rep.kills, rep.figures)
	}
}

// What is wrong on purpose is found, in a real run: so the harness can fail.
func TestRunFindsWhatIsBroken(t *testing.T) {
	for _, test := range []struct {
		name      string
		broken    string
		invariant int
	}{
		{"a wire that doubles submits", brokenTwice, 4},
		{"a store from an old copy", brokenRestore, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := small()
			cfg.only, cfg.broken, cfg.rest = "kill", test.broken, 5*time.Second
			rep := play(t, cfg)
			found := make(map[int]bool)
			for _, v := range rep.violations {
				found[v.Invariant] = true
			}
			if !found[test.invariant] {
				t.Errorf("no violation of invariant %d among %d", test.invariant, len(rep.violations))
			}
		})
	}
}

// The same seed makes the same choices, whoever asks first.
func TestChoicesFollowFromTheSeed(t *testing.T) {
	cfg := small()
	three := func(who string) []uint64 {
		r := cfg.rand(who)
		return []uint64{r.Uint64(), r.Uint64(), r.Uint64()}
	}
	first := three("faults")
	three("ann")
	if !slices.Equal(first, three("faults")) {
		t.Error("the same asker has other choices the second time")
	}
	if slices.Equal(first, three("ann")) {
		t.Error("two askers have the same choices")
	}
	cfg.seed++
	if slices.Equal(first, three("faults")) {
		t.Error("another seed makes the same choices")
	}
}

func TestSlope(t *testing.T) {
	var all []sample
	for n := range 61 {
		all = append(all, sample{at: time.Duration(n) * time.Minute, rss: int64(100 + 2*n)})
	}
	if got := slopeOf(all, func(s sample) int64 { return s.rss }); got < 119.9 || got > 120.1 {
		t.Errorf("slope %f an hour, want 120", got)
	}
	if got := slopeOf(nil, func(s sample) int64 { return s.rss }); got != 0 {
		t.Errorf("slope of nothing: %f", got)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sleep(ctx, time.Hour); err == nil {
		t.Error("it slept on")
	}
}
