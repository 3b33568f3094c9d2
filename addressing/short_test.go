package addressing_test

import (
	"errors"
	"testing"

	"smsbridge/addressing"
)

func TestShortNumbers(t *testing.T) {
	for _, tt := range []struct{ in, region, want string }{
		{"114;phone-context=+33", "", "114;phone-context=+33"},
		{"tel:36-180;phone-context=+33", "", "36180;phone-context=+33"},
		{"112;phone-context=+49", "FR", "112;phone-context=+49"},
		{"911;phone-context=+1", "", "911;phone-context=+1"},
		{"114", "FR", "114;phone-context=+33"},
		{" 36 180 ", "FR", "36180;phone-context=+33"},
		{"999", "GB", "999;phone-context=+44"},
		{"612345678;phone-context=+33", "", ""}, // a phone
		{"22222;phone-context=+290", "", ""},    // a phone of Saint Helena
		{"1234567;phone-context=+33", "", ""},   // too long
		{"114", "", ""},
		{"+33114", "", ""},
		{"114;phone-context=corp.example", "", ""},
		{"114;phone-context=++33", "", ""},
	} {
		m, err := addressing.ParseShort(tt.in, tt.region)
		if m.String() != tt.want || (tt.want == "") != errors.Is(err, addressing.ErrInvalid) {
			t.Errorf("ParseShort(%q, %q) = %v, %v; want %q", tt.in, tt.region, m, err, tt.want)
			continue
		}
		if tt.want == "" {
			continue
		}
		var read addressing.MSISDN
		if err := read.UnmarshalText([]byte(m.String())); err != nil || read != m {
			t.Errorf("%v is read back as %v, %v", m, read, err)
		}
		if m.Masked() != tt.want {
			t.Errorf("%v in a log is %s", m, m.Masked())
		}
	}
	m, err := addressing.ParseMSISDN("114;phone-context=+33", "")
	digits, country, short := m.ShortNumber()
	if err != nil || digits != "114" || country != "33" || !short || m.Digits() != "33114" {
		t.Errorf("%q of %q, %v, %v", digits, country, short, err)
	}
	if _, _, short := addressing.MustParseMSISDN("+33612345678").ShortNumber(); short {
		t.Error("a phone is a short number")
	}
	other, err := addressing.ParseShort("3114;phone-context=+3", "")
	if err == nil {
		t.Errorf("a country that is none: %v", other)
	}
}

func TestRulesOfShortNumbers(t *testing.T) {
	sms114, err := addressing.ParseShort("114", "FR")
	if err != nil {
		t.Fatal(err)
	}
	if err := (addressing.Rules{Premium: true}).Check(sms114); !errors.Is(err, addressing.ErrShort) {
		t.Errorf("not allowed: %v", err)
	}
	if err := (addressing.Rules{Valid: true, Short: []addressing.MSISDN{sms114}}).Check(sms114); err != nil {
		t.Errorf("allowed: %v", err)
	}
}
