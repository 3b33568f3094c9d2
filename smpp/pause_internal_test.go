package smpp

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	var p pause
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, want := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000} {
		want *= time.Millisecond
		sent := now.Add(time.Millisecond)
		now = now.Add(2 * time.Millisecond)
		if !p.throttled(sent, now) || p.until.Sub(now) != want {
			t.Fatalf("paused for %s, want %s", p.until.Sub(now), want)
		}
		if p.throttled(sent, now.Add(time.Millisecond)) {
			t.Error("another answer to the same burst made the pause longer")
		}
		p.accepted(sent) // was on its way before the pause: proves nothing
		if !p.active(now.Add(want-1)) || p.active(now.Add(want)) {
			t.Errorf("the pause does not end after %s", want)
		}
		now = p.until
	}
	p.accepted(now.Add(time.Millisecond))
	now = now.Add(2 * time.Millisecond)
	if !p.throttled(now, now) || p.until.Sub(now) != pauseMin {
		t.Errorf("after a success it pauses for %s", p.until.Sub(now))
	}
}

// Sequence numbers wrap, and one that is in use is left out.
func TestSequenceWraps(t *testing.T) {
	s := NewSession(nil, SessionConfig{})
	s.last = maxSequence - 1
	s.pending[1] = &request{}
	for _, want := range []uint32{maxSequence, 2, 3} {
		if got := s.nextLocked(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

// Every status that has a name or a class is in one table here.
func TestClassOf(t *testing.T) {
	classes := map[Class][]Status{
		ClassOK:        {0x00},
		ClassThrottle:  {0x14, 0x58},
		ClassTemporary: {0x08, 0x45, 0x64, 0x67, 0xFE, 0xFF},
		ClassLink:      {0x03, 0x04, 0x05},
	}
	named := 0
	for class, all := range classes {
		for _, s := range all {
			if got := ClassOf(s, nil); got != class {
				t.Errorf("%s is of class %d, want %d", s, got, class)
			}
			if _, ok := statusNames[s]; !ok {
				t.Errorf("%s has no name", s)
			}
			named++
		}
	}
	permanent := 0
	for s := range statusNames {
		if ClassOf(s, nil) == ClassPermanent {
			permanent++
		}
	}
	if named+permanent != len(statusNames) {
		t.Errorf("%d statuses have a class and %d a name", named+permanent, len(statusNames))
	}
	for _, s := range []Status{0x0A, 0x0B, 0x33, 0x40, 0x66, 0x22, 0x94, 0x400} {
		if ClassOf(s, nil) != ClassPermanent {
			t.Errorf("%s is not permanent", s)
		}
	}
	if ClassOf(0x22, map[Status]StatusRule{0x22: {Class: ClassThrottle}}) != ClassThrottle {
		t.Error("an override does not count")
	}
}
