package queue

import (
	"regexp"
	"strings"
	"testing"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "="},
		{"plain", "ann-2_B", "ann-2_B"},
		{"JID", "ann@corp.example", "ann=40corp=2Eexample"},
		{"wildcards", "*.>", "=2A=2E=3E"},
		{"its own mark", "=", "=3D"},
		{"not ASCII", "é", "=C3=A9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := escape(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, ok := unescape(tt.want); !ok || got != tt.in {
				t.Errorf("back: %q, %t", got, ok)
			}
		})
	}
	for _, bad := range []string{"=4", "=4x", "=40=", "a.b", "=61", "=e9", "==", token(strings.Repeat("x", 500))} {
		if got, ok := unescape(bad); ok {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

func TestLongTokens(t *testing.T) {
	long, other := token(strings.Repeat("x", 500)), token(strings.Repeat("x", 501))
	if len(long) > maxToken || long == other || !strings.HasPrefix(long, "==") {
		t.Errorf("got %q and %q", long, other)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("ann@corp.example")
	f.Add("")
	f.Add("=")
	valid := regexp.MustCompile(`^[-_=a-zA-Z0-9]+$`)
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if !valid.MatchString(e) || !valid.MatchString(token(s)) {
			t.Errorf("%q is no token", e)
		}
		if got, ok := unescape(e); !ok || got != s {
			t.Errorf("%q came back as %q, %t", s, got, ok)
		}
		if got, ok := unescape(s); ok && escape(got) != s { // one spelling only
			t.Errorf("%q was read as %q", s, got)
		}
	})
}
