package addressing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrInvalid is wrapped by every error of a Parse function in this room.
var ErrInvalid = errors.New("invalid address")

// MSISDN is the number of a phone: a country code and a national number, at most
// 15 digits (ITU-T E.164, 6.2.1). It is comparable; the zero value is no number.
type MSISDN struct {
	digits string
}

// ParseMSISDN reads a phone's number. International spellings (+33612345678,
// 0033612345678, +33 6 12 34 56 78) need no region; a national one (0612345678) is
// read as a number of region, an ISO 3166-1 code such as FR. An empty region
// accepts international spellings only. The error wraps [ErrInvalid] and tells the
// person who typed the number what to write instead.
func ParseMSISDN(s, region string) (MSISDN, error) {
	in := strings.TrimSpace(s)
	if in == "" {
		return MSISDN{}, fmt.Errorf("%w: the phone number is empty", ErrInvalid)
	}
	if strings.HasPrefix(in, "00") {
		in = "+" + in[2:]
	}
	n, err := phonenumbers.Parse(in, region)
	if err != nil {
		return MSISDN{}, fmt.Errorf("%w: %q is not a phone number: write it like +33612345678", ErrInvalid, s)
	}
	if n.Extension != nil && *n.Extension != "" {
		return MSISDN{}, fmt.Errorf("%w: %q has an extension, which no SMS can reach", ErrInvalid, s)
	}
	if !phonenumbers.IsPossibleNumber(n) {
		return MSISDN{}, fmt.Errorf("%w: %q has too few or too many digits for its country: write it like +33612345678", ErrInvalid, s)
	}
	canonical := phonenumbers.Format(n, phonenumbers.E164)
	// Some possible numbers have a canonical form that reads as another number. They
	// are in no numbering plan, and accepting them would give one phone two names.
	again, err := phonenumbers.Parse(canonical, "")
	if err != nil || phonenumbers.Format(again, phonenumbers.E164) != canonical || !phonenumbers.IsPossibleNumber(again) {
		return MSISDN{}, fmt.Errorf("%w: %q is not a number of its country: write it like +33612345678", ErrInvalid, s)
	}
	return MSISDN{digits: canonical[1:]}, nil
}

// MustParseMSISDN is ParseMSISDN for constants. It panics on a bad number.
func MustParseMSISDN(s string) MSISDN {
	m, err := ParseMSISDN(s, "")
	if err != nil {
		panic(err)
	}
	return m
}

// IsZero tells whether m is no number at all.
func (m MSISDN) IsZero() bool { return m.digits == "" }

// Digits is the number without a plus, as most SMSCs want it (TON 1, NPI 1).
func (m MSISDN) Digits() string { return m.digits }

// String is the canonical form, +33612345678, or nothing for the zero value.
func (m MSISDN) String() string {
	if m.IsZero() {
		return ""
	}
	return "+" + m.digits
}

// Masked is the form for logs: +336*****678.
func (m MSISDN) Masked() string {
	const head, tail = 3, 3
	if len(m.digits) <= head+tail {
		return "+" + strings.Repeat("*", len(m.digits))
	}
	hidden := len(m.digits) - head - tail
	return "+" + m.digits[:head] + strings.Repeat("*", hidden) + m.digits[head+hidden:]
}

// MarshalText gives the canonical form.
func (m MSISDN) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the canonical form. What was once stored is read back even
// if numbering plans have changed since, so it checks the form and not the plan.
func (m *MSISDN) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" {
		*m = MSISDN{}
		return nil
	}
	digits, found := strings.CutPrefix(s, "+")
	if !found || !allDigits(digits) || len(digits) > maxE164 {
		return fmt.Errorf("%w: %q is not of the form +33612345678", ErrInvalid, s)
	}
	m.digits = digits
	return nil
}

// maxE164 is the most digits that a number may have (ITU-T E.164, 6.2.1).
const maxE164 = 15

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
