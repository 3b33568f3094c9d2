package smpp

import (
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 5, 9, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		after time.Duration
		mode  ValidityMode
		until time.Time
		want  string
	}{
		{"at once", 0, "", now.Add(time.Hour), ""},
		{"in UTC", 10 * time.Minute, "", now.Add(time.Hour), "261122181509000+"},
		{"where the validity is the SMSC's", 10 * time.Minute, ValidityNone, now.Add(time.Hour), "261122181509000+"},
		{"relative", 26 * time.Hour, ValidityRelative, now.Add(48 * time.Hour), "000001020000000R"},
		{"without an end", time.Minute, ValidityRelative, time.Time{}, "000000000100000R"},
		{"later than it is worth", time.Hour, "", now.Add(time.Hour), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := FieldsConfig{Schedule: tt.after, Validity: tt.mode}
			if got := f.schedule(tt.until, now); got != tt.want || len(got) != 0 && len(got) != maxTime {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

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
