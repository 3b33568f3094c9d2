package smpp

import (
	"testing"
	"time"
)

// The pace after throttling: half of what went well, then a tenth more each second, and
// none once twice as much goes well.
func TestPace(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var p pace
	for range 100 {
		now = now.Add(10 * time.Millisecond)
		p.accepted(now, 1)
	}
	p.throttled(now)
	if got := p.rate(); got < 45 || got > 55 {
		t.Fatalf("after 100 a second it is %g", got)
	}
	half := p.rate()
	p.throttled(now.Add(time.Second)) // nothing went well since
	if p.rate() != half {
		t.Errorf("a second refusal made it %g", p.rate())
	}
	now = now.Add(time.Second)
	seconds := 0
	for last := half; p.rate() > 0; last = p.rate() {
		if seconds++; seconds > 60 {
			t.Fatal("it never recovers")
		}
		now = now.Add(time.Second)
		if !p.grow(now) || p.rate() != 0 && p.rate() <= last {
			t.Fatalf("after %d s it is %g", seconds, p.rate())
		}
		if p.grow(now.Add(time.Second / 2)) {
			t.Error("it grows within a second")
		}
	}
	if seconds < 10 || seconds > 20 {
		t.Errorf("it took %d s to recover", seconds)
	}
}

func TestPaceLimits(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name        string
		limit       float64
		sent        int
		after, then float64 // at once, and when it has recovered
	}{
		{"never very slow", 0, 0, minPace, 0},
		{"never above the operator's", 2, 1, 2, 2},
		{"back to the operator's", 50, 50, 25, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := pace{limit: test.limit}
			for range test.sent {
				p.accepted(now, 1)
			}
			if p.throttled(now); p.rate() != test.after {
				t.Errorf("%g after a refusal, want %g", p.rate(), test.after)
			}
			if p.grow(now.Add(time.Hour)); p.rate() != test.then {
				t.Errorf("%g in the end, want %g", p.rate(), test.then)
			}
		})
	}
}

// What went well is measured over a second that moves on.
func TestPaceRecent(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var p pace
	for range 10 {
		p.accepted(now, 1)
	}
	for _, test := range []struct {
		after    time.Duration
		low, top float64
	}{{0, 10, 10}, {1500 * time.Millisecond, 4, 6}, {5 * time.Second, 0, 0}} {
		if got := p.recent(now.Add(test.after)); got < test.low || got > test.top {
			t.Errorf("%g after %s", got, test.after)
		}
	}
}

func TestRetry(t *testing.T) {
	short, useful := ending{bound: time.Second}, ending{bound: time.Second, useful: true}
	const s = time.Second
	tests := []struct {
		name string
		ends []ending
		want []time.Duration
		in   bool // quarantine after the last
	}{
		{"cannot connect", make([]ending, 8), []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}, false},
		{"a bind that held", []ending{{}, {}, {bound: time.Minute}, {}}, []time.Duration{s, 2 * s, s, 2 * s}, false},
		{"wrong credentials", []ending{{credentials: true}}, []time.Duration{60 * s}, false},
		{"dropped at once", []ending{short, short, short, short, short, short}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 300 * s, 300 * s}, true},
		{"dropped at once, with times when it could not connect", []ending{short, short, {}, short, short, {}, short}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 300 * s}, true},
		{"dropped, but of use", []ending{useful, useful, useful, useful, useful, useful}, []time.Duration{s, s, s, s, s, s}, false},
		{"out of quarantine", []ending{short, short, short, short, short, useful, short}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 300 * s, s, 2 * s}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := retry{min: s, max: 60 * s}
			in := false
			for i, e := range test.ends {
				var wait time.Duration
				if wait, in = r.after(e); wait != test.want[i] {
					t.Errorf("it waits %s after %d, want %s", wait, i, test.want[i])
				}
			}
			if in != test.in {
				t.Errorf("in quarantine is %v", in)
			}
		})
	}
}
