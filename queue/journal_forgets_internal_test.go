package queue

import (
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// TestForgot: what a crash brings back long after its story is gone is known by what its
// sender was told, and what was never tried is not taken for it.
func TestForgot(t *testing.T) {
	ann, phone := addressing.MustParseHandle("web:ann"), addressing.MustParseMSISDN("+33612345678")
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	for id, state := range map[string]bridge.State{"told": bridge.Sent, "retried": bridge.Accepted} {
		if err := s.AppendLog(t.Context(), bridge.Entry{V: 1, ID: id, Kind: bridge.EntryStatus, Handle: ann, Phone: phone, At: now, State: state}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name     string
		id       string
		phone    addressing.MSISDN
		early    bool
		away     time.Duration // of the queue, before the log was written, as far as anybody knows
		accepted time.Duration // before now
		want     bool
	}{
		{"its sender was told", "told", phone, true, keptLeast, time.Hour, true},
		{"its sender was told that it waits", "retried", phone, true, keptLeast, time.Hour, false},
		{"nobody was told", "waits", phone, true, keptLeast, time.Hour, false},
		{"another conversation", "told", addressing.MustParseMSISDN("+33612345679"), true, keptLeast, time.Hour, false},
		{"everything is kept", "told", phone, false, keptLeast, time.Hour, false},
		{"away for a moment", "told", phone, true, time.Minute, time.Hour, false},
		{"accepted since", "told", phone, true, keptLeast, time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.forgetful.until, s.forgetful.early = time.Time{}, test.early
			s.forgetful.away(now.Add(-test.away))
			s.forgetful.away(now) // a short while again
			m := bridge.MT{V: 1, ID: test.id, Handle: ann, Phone: test.phone, AcceptedAt: now.Add(-test.accepted)}
			if got, err := s.Forgot(t.Context(), m); got != test.want || err != nil {
				t.Errorf("%t, %v; want %t", got, err, test.want)
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
