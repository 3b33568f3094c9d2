package addressing_test

import (
	"errors"
	"strings"
	"testing"

	"smsbridge/addressing"
)

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, canonical string // canonical "" is an error
		yes, no            []string
	}{
		{"*", "*", []string{"web:ann", "xmpp:ann@corp.example", "matrix:@ann:corp.example"}, nil},
		{"web:Ann", "web:ann", []string{"web:ann", "web:ANN"}, []string{"web:anna", "xmpp:ann@web"}},
		{"web:*", "web:*", []string{"web:ann"}, []string{"xmpp:ann@corp.example"}},
		{"xmpp:*", "xmpp:*", []string{"xmpp:ann@corp.example"}, []string{"web:ann"}},
		{"xmpp:*@Corp.Example", "xmpp:*@corp.example", []string{"xmpp:ann@corp.example"}, []string{"xmpp:ann@evil.example", "xmpp:ann@sub.corp.example", "web:ann"}},
		{"xmpp:*@*.corp.example", "xmpp:*@*.corp.example", []string{"xmpp:ann@sub.corp.example"}, []string{"xmpp:ann@corp.example"}},
		{"xmpp:Sales-*@corp.example", "xmpp:sales-*@corp.example", []string{"xmpp:sales-ann@corp.example", "xmpp:sales-@corp.example"}, []string{"xmpp:ann@corp.example"}},
		{"web:a*b*c", "web:a*b*c", []string{"web:abc", "web:axbxc", "web:abcbc"}, []string{"web:acb", "web:abcd", "web:ac"}},
		{"web:aa*aa", "web:aa*aa", []string{"web:aaaa", "web:aabaa"}, []string{"web:aaa"}},
		{"web:q*", "web:q*", []string{"web:qx", "web:q"}, []string{"web:xq"}},
		{"web:qx*xqx", "web:qx*xqx", []string{"web:qxxqx"}, []string{"web:qx"}},
		{"web:ＱＸ*", "web:qx*", []string{"web:qxx"}, []string{"web:xqx"}},
		{"matrix:@*:corp.example", "matrix:@*:corp.example", []string{"matrix:@Ann:corp.example"}, []string{"matrix:@ann:corp.example:8448", "matrix:@ann:Corp.example"}},
		{"xmpp:ann", "", nil, nil},
		{"xmpp:*/x", "", nil, nil},
		{"xmpp:*@corp.example/phone", "", nil, nil},
		{"irc:*", "", nil, nil},
		{"corp.example", "", nil, nil},
		{"web:a b*", "", nil, nil},
		{"", "", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			p, err := addressing.ParsePattern(tt.pattern)
			if p.String() != tt.canonical || (err == nil) != (tt.canonical != "") || err != nil && !errors.Is(err, addressing.ErrInvalid) {
				t.Fatalf("ParsePattern(%q) = %q, %v; want %q", tt.pattern, p, err, tt.canonical)
			}
			if again, err := addressing.ParsePattern(p.String()); tt.canonical != "" && (err != nil || again != p) {
				t.Errorf("ParsePattern(%q) = %v, %v; want itself", p, again, err)
			}
			for _, h := range tt.yes {
				if !p.Match(addressing.MustParseHandle(h)) {
					t.Errorf("%s does not match %s", p, h)
				}
			}
			for _, h := range tt.no {
				if p.Match(addressing.MustParseHandle(h)) {
					t.Errorf("%s matches %s", p, h)
				}
			}
			if p.Match(addressing.Handle{}) {
				t.Errorf("%s matches nobody's handle", p)
			}
		})
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{"*", "web:a*b*", "xmpp:*@*.corp.example", "matrix:@*:corp.example", "web:qx*", "web:ＱＸ*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := addressing.ParsePattern(s)
		if err != nil {
			return
		}
		if again, err := addressing.ParsePattern(p.String()); err != nil || again != p {
			t.Errorf("%q: ParsePattern(%q) = %q, %v; want itself", s, p, again, err)
		}
		// A pattern without a * is a handle, and matches that.
		if h, err := addressing.ParseHandle(s); err == nil && !strings.Contains(s, "*") && !p.Match(h) {
			t.Errorf("%q does not match itself", p)
		}
	})
}
