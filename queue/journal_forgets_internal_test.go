package queue

import (
	"testing"
	"time"
)

// TestForgets: only a journal that lets stories go early forgets, and only what was accepted
// before it was away for long.
func TestForgets(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name     string
		early    bool
		away     time.Duration
		accepted time.Duration // before now
		want     bool
	}{
		{"everything is kept", false, 3 * time.Hour, 4 * time.Hour, false},
		{"away for a moment", true, time.Minute, 4 * time.Hour, false},
		{"away for almost as long as a story is kept", true, keptLeast - time.Minute, 4 * time.Hour, true},
		{"accepted before that", true, 3 * time.Hour, 4 * time.Hour, true},
		{"accepted since", true, 3 * time.Hour, time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Store{forgetful: forgetful{early: test.early}}
			s.forgetful.away(now.Add(-test.away))
			s.forgetful.away(now) // a short while again
			if got := s.Forgets(now.Add(-test.accepted)); got != test.want {
				t.Errorf("%t; want %t", got, test.want)
			}
		})
	}
}

// TestEarlyIsKnownAfterRestart: the next process knows that stories went early.
func TestEarlyIsKnownAfterRestart(t *testing.T) {
	dir := t.TempDir()
	for n, want := range []bool{false, true} {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if s.forgetful.early != want {
			t.Errorf("start %d: early %t; want %t", n, s.forgetful.early, want)
		}
		if err := s.letGoEarly(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
