package addressing_test

import (
	"errors"
	"strings"
	"testing"

	"smsbridge/addressing"
)

func TestParseHandle(t *testing.T) {
	long := strings.Repeat("x", 255-len("@:corp.example"))
	tests := []struct{ name, in, want string }{ // want "" is an error
		{"a JID with a resource", "xmpp:Ann@Corp.Example/phone", "xmpp:ann@corp.example"},
		{"a JID in full-width letters", "xmpp:Ａｎｎ@corp.example", "xmpp:ann@corp.example"},
		{"a JID, composed and decomposed", "xmpp:Zoe\u0301@corp.example", "xmpp:zo\u00e9@corp.example"},
		{"a JID in Cyrillic, which looks like ann", "xmpp:\u0430nn@corp.example", "xmpp:\u0430nn@corp.example"},
		{"a JID in Hebrew", "xmpp:שלום@corp.example", "xmpp:שלום@corp.example"},
		{"a JID with a dot behind the domain", "xmpp:ann@corp.example.", "xmpp:ann@corp.example"},
		{"a JID of a domain in punycode", "xmpp:ann@xn--bcher-kva.example", "xmpp:ann@bücher.example"},
		{"a JID of a domain in capitals and umlauts", "xmpp:ann@BÜCHER.example", "xmpp:ann@bücher.example"},
		{"a JID of an IPv6 address", "xmpp:ann@[::1]", "xmpp:ann@[::1]"},
		{"a JID with an escape (XEP-0106)", "xmpp:d\\27artagnan@corp.example", "xmpp:d\\27artagnan@corp.example"},
		{"a JID with a resource that has an @", "xmpp:ann@corp.example/a@b", "xmpp:ann@corp.example"},
		{"a JID with spaces around it", " xmpp:ann@corp.example ", "xmpp:ann@corp.example"},
		{"a JID of a server", "xmpp:corp.example", ""},
		{"a JID without a name", "xmpp:@corp.example", ""},
		{"a JID with an empty resource", "xmpp:ann@corp.example/", ""},
		{"a JID with an apostrophe", "xmpp:d'artagnan@corp.example", ""},
		{"a JID with a space", "xmpp:a nn@corp.example", ""},
		{"a JID with two @", "xmpp:ann@b@corp.example", ""},
		{"a JID that mixes directions", "xmpp:שa@corp.example", ""},
		{"a JID with a ligature", "xmpp:ﬁn@corp.example", ""},
		{"a JID that is not UTF-8", "xmpp:ann\xff@corp.example", ""},
		{"a JID with a long name", "xmpp:" + strings.Repeat("x", 1024) + "@corp.example", ""},

		{"web", "web:Ann", "web:ann"},
		{"web, composed and decomposed", "web:Zoe\u0301", "web:zo\u00e9"},
		{"web, full-width letters", "web:Ａｎｎ", "web:ann"},
		{"web, Cyrillic that looks like ann", "web:\u0430nn", "web:\u0430nn"},
		{"web, the capital of ß", "web:GROẞ", "web:groß"},
		{"web, signs", "web:a.b-c_d1", "web:a.b-c_d1"},
		{"web, empty", "web:", ""},
		{"web, a space", "web:ann b", ""},
		{"web, a sign", "web:ann@b", ""},
		{"web, an emoji", "web:ann😀", ""},
		{"web, a ligature", "web:ﬁn", ""},
		{"web, a mark that cannot be seen", "web:an\u200bn", ""},
		{"web, not UTF-8", "web:ann\xff", ""},

		{"Matrix", "matrix:@ann:corp.example", "matrix:@ann:corp.example"},
		{"Matrix, all that names of today have", "matrix:@a.b_c=d-e/f+g1:corp.example", "matrix:@a.b_c=d-e/f+g1:corp.example"},
		{"Matrix, a historical name keeps its case", "matrix:@Ann!~:corp.example", "matrix:@Ann!~:corp.example"},
		{"Matrix, a server's case counts", "matrix:@ann:Corp.Example", "matrix:@ann:Corp.Example"},
		{"Matrix, a port", "matrix:@ann:corp.example:8448", "matrix:@ann:corp.example:8448"},
		{"Matrix, IPv4", "matrix:@ann:1.2.3.4", "matrix:@ann:1.2.3.4"},
		{"Matrix, IPv6 and a port", "matrix:@ann:[1234:5678::abcd]:5678", "matrix:@ann:[1234:5678::abcd]:5678"},
		{"Matrix, IPv6", "matrix:@ann:[::1]", "matrix:@ann:[::1]"},
		{"Matrix, as long as can be", "matrix:@" + long + ":corp.example", "matrix:@" + long + ":corp.example"},
		{"Matrix, longer", "matrix:@x" + long + ":corp.example", ""},
		{"Matrix, no server", "matrix:@ann", ""},
		{"Matrix, an empty server", "matrix:@ann:", ""},
		{"Matrix, no name", "matrix:@:corp.example", ""},
		{"Matrix, no sigil", "matrix:ann:corp.example", ""},
		{"Matrix, an accent", "matrix:@zoé:corp.example", ""},
		{"Matrix, a space", "matrix:@a nn:corp.example", ""},
		{"Matrix, a control character", "matrix:@a\x00nn:corp.example", ""},
		{"Matrix, an accent in the server", "matrix:@ann:bücher.example", ""},
		{"Matrix, an underscore in the server", "matrix:@ann:a_b.example", ""},
		{"Matrix, a port that is none", "matrix:@ann:corp.example:99999", ""},
		{"Matrix, an empty port", "matrix:@ann:corp.example:", ""},
		{"Matrix, a signed port", "matrix:@ann:corp.example:+1", ""},
		{"Matrix, a port alone", "matrix:@ann::8448", ""},
		{"Matrix, a broken bracket", "matrix:@ann:[::1", ""},
		{"Matrix, IPv4 in brackets", "matrix:@ann:[1.2.3.4]", ""},

		{"no network", "ann", ""},
		{"unknown network", "irc:ann", ""},
		{"a network in capitals", "XMPP:ann@corp.example", ""},
		{"endless", "xmpp:" + strings.Repeat("x", 3000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := addressing.ParseHandle(tt.in)
			if got.String() != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("ParseHandle(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
			if err != nil && !errors.Is(err, addressing.ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
		})
	}
}

func FuzzParseHandle(f *testing.F) {
	for _, s := range []string{
		"xmpp:ann@corp.example", "xmpp:Ａｎｎ@Corp.example./x", "xmpp:a@[::1]", "xmpp:a@xn--bcher-kva.example", "xmpp:İ@x.y",
		"web:ann", "web:Zoe\u0301", "web:ΣΑΣ", "web:ẞ", "matrix:@ann:corp.example:8448", "matrix:@A!:[::1]:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := addressing.ParseHandle(s)
		if err != nil {
			return
		}
		if again, err := addressing.ParseHandle(h.String()); err != nil || again != h {
			t.Errorf("%q: ParseHandle(%q) = %q, %v; want itself", s, h, again, err)
		}
		var read addressing.Handle
		if err := read.UnmarshalText([]byte(h.String())); err != nil || read != h {
			t.Errorf("%q: UnmarshalText(%q) = %q, %v", s, h, read, err)
		}
	})
}
