package addressing_test

import (
	"encoding"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"smsbridge/addressing"
)

var (
	_ encoding.TextMarshaler   = addressing.MSISDN{}
	_ encoding.TextUnmarshaler = (*addressing.MSISDN)(nil)
	_ encoding.TextMarshaler   = addressing.Number{}
	_ encoding.TextUnmarshaler = (*addressing.Number)(nil)
	_ encoding.TextMarshaler   = addressing.Handle{}
	_ encoding.TextUnmarshaler = (*addressing.Handle)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMSISDN(t *testing.T) {
	tests := []struct {
		name, in, region, want string // want "" is an error
	}{
		{"canonical", "+33612345678", "", "+33612345678"},
		{"national", "0612345678", "FR", "+33612345678"},
		{"double zero", "0033612345678", "", "+33612345678"},
		{"spaces and brackets", "+33 (6) 12-34.56 78", "", "+33612345678"},
		{"wide digits", "＋３３６１２３４５６７８", "", "+33612345678"},
		{"tel URI", "tel:+33-6-12-34-56-78", "", "+33612345678"},
		{"overseas", "+262692123456", "FR", "+262692123456"},
		{"Italy keeps its zero", "+390612345678", "", "+390612345678"},
		{"national without a region", "0612345678", "", ""},
		{"empty", "  ", "FR", ""},
		{"word", "ann", "FR", ""},
		{"short code", "36180", "FR", ""},
		{"too long", "+336123456789012345", "", ""},
		{"extension", "+33612345678;ext=12", "", ""},
		{"NUL", "+3361234\x005678", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := addressing.ParseMSISDN(tt.in, tt.region)
			if got.String() != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("ParseMSISDN(%q, %q) = %q, %v; want %q", tt.in, tt.region, got, err, tt.want)
			}
			if err != nil && !errors.Is(err, addressing.ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
		})
	}
}

func TestMasked(t *testing.T) {
	if got := addressing.MustParseMSISDN("+33612345678").Masked(); got != "+336*****678" {
		t.Errorf("Masked() = %q", got)
	}
}

func TestParseNumber(t *testing.T) {
	tests := []struct {
		name, in string
		kind     addressing.NumberKind
		value    string
	}{
		{"long", "+33 7 00 00 00 01", addressing.LongNumber, "33700000001"},
		{"short code", "36180;phone-context=+33", addressing.ShortCode, "36180"},
		{"alphanumeric", "Acme 24", addressing.Alphanumeric, "Acme 24"},
		{"digits alone", "36180", addressing.NoNumber, ""},
		{"short code of no country", "36180;phone-context=+", addressing.NoNumber, ""},
		{"short code of two pluses", "36180;phone-context=++33", addressing.NoNumber, ""},
		{"short code of an unknown country", "36180;phone-context=+999", addressing.NoNumber, ""},
		{"name too long", "Acme Telephones", addressing.NoNumber, ""},
		{"name without a letter", "24-7", addressing.NoNumber, ""},
		{"accent", "Café", addressing.NoNumber, ""},
		{"empty", "", addressing.NoNumber, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := addressing.ParseNumber(tt.in)
			if got.Kind() != tt.kind || got.Value() != tt.value || (err == nil) != (tt.kind != addressing.NoNumber) {
				t.Fatalf("ParseNumber(%q) = %v %q, %v", tt.in, got.Kind(), got.Value(), err)
			}
			if again, err := addressing.ParseNumber(got.String()); got.Kind() != addressing.NoNumber && (err != nil || again != got) {
				t.Errorf("ParseNumber(%q) = %v, %v; want itself", got, again, err)
			}
		})
	}
}

// Who writes a number without its country is told how it is written.
func TestBareDigitsAsNumber(t *testing.T) {
	tests := []struct{ name, in, says, not string }{
		{"national", "0612345678", "with its country code, like +33612345678", "+0612345678"},
		{"international", "33700000001", "write it +33700000001", "phone-context"},
		{"short", "36180", "36180;phone-context=+33", "+36180"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := addressing.ParseNumber(tt.in)
			if !errors.Is(err, addressing.ErrInvalid) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), tt.not) {
				t.Errorf("ParseNumber(%q) = %v; want an error that says %q, and not %q", tt.in, err, tt.says, tt.not)
			}
		})
	}
	if n, err := addressing.ParseNumber("0033700000001"); err != nil || n.String() != "+33700000001" {
		t.Errorf("with 00: %v, %v", n, err)
	}
}

func FuzzParseMSISDN(f *testing.F) {
	// Plans differ: in some, numbers are longer, begin with zeros, or have been changed.
	regions := []string{"FR", "DE", "IT", "US", "MX", "BR", "AR", ""}
	for i, s := range []string{
		"0612345678", "98061623297824", "+39 06 1234 5678", "tel:+1-202-555-0100", "٠٦١٢٣٤٥٦٧٨", "+800 1234 5678",
		"36180;phone-context=+33", "01000;phone-context=++1",
	} {
		f.Add(s, byte(i))
	}
	f.Fuzz(func(t *testing.T, s string, at byte) {
		region := regions[int(at)%len(regions)]
		m, err := addressing.ParseMSISDN(s, region)
		if err != nil {
			return
		}
		if again, err := addressing.ParseMSISDN(m.String(), ""); err != nil || again != m {
			t.Errorf("%q in %q: ParseMSISDN(%q) = %v, %v; want itself", s, region, m, again, err)
		}
		var read addressing.MSISDN
		if err := read.UnmarshalText([]byte(m.String())); err != nil || read != m {
			t.Errorf("%q in %q: UnmarshalText(%q) = %v, %v", s, region, m, read, err)
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"+33700000001", "36180;phone-context=+33", "Acme"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := addressing.ParseNumber(s)
		if err != nil {
			return
		}
		if again, err := addressing.ParseNumber(n.String()); err != nil || again != n {
			t.Errorf("%q: ParseNumber(%q) = %v, %v; want itself", s, n, again, err)
		}
	})
}
