package smpp

import (
	"testing"
	"time"
)

func TestValidityPeriod(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 5, 9, 0, time.UTC)
	tests := []struct {
		name  string
		mode  ValidityMode
		until time.Time
		want  string
	}{
		{"absolute by default", "", now.Add(2*time.Hour + 300*time.Millisecond), "261122200509300+"},
		{"absolute in UTC", ValidityAbsolute, now.In(time.FixedZone("", -3600)), "261122180509000+"},
		{"relative", ValidityRelative, now.Add(49*time.Hour + 3*time.Minute + 4*time.Second), "000002010304000R"},
		{"relative, over", ValidityRelative, now.Add(-time.Hour), "000000000001000R"},
		{"relative, very long", ValidityRelative, now.Add(365 * 24 * time.Hour), "000030000000000R"},
		{"none", ValidityNone, now, ""},
		{"no end", ValidityRelative, time.Time{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.mode.period(tt.until, now); got != tt.want || len(got) != 0 && len(got) != maxTime {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
