package addressing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is wrapped by every error of a Parse function in this room.
var ErrInvalid = errors.New("invalid address")

// Explain gives the words of an error that wraps [ErrInvalid], as a sentence for the
// person who wrote the address.
func Explain(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "), "addressing: ")
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// MSISDN is the number of a phone: a country code and a national number, at most
// 15 digits (ITU-T E.164, 6.2.1). It may also be a short number that people write to, with its
// country ([MSISDN.ShortNumber]). It is comparable; the zero value is no number.
type MSISDN struct {
	digits string
	own    uint8 // how many of them, at the end, are a short number; 0 for a phone
}

// ParseMSISDN reads a phone's number as a person writes it: with spaces, dashes, dots,
// slashes or brackets, in digits of any script, or as a tel: URI (RFC 3966).
// International spellings (+33612345678, 0033612345678) need no region; a national one
// (0612345678) is read as it is dialled in region, an ISO 3166-1 code such as FR. An
// empty region accepts international spellings only. A short number is read only as it is written
// with its country, 36180;phone-context=+33: whether it may be written to, [Rules] say. Old forms that numbering plans have
// replaced give the number of today, so that a phone has one name.
//
// A number is accepted if it has as many digits as its country's numbers have; see
// [Rules] for more. A spelling that can be read as two numbers is refused. The error wraps
// [ErrInvalid] and tells the person who typed the number what to write instead.
func ParseMSISDN(s, region string) (MSISDN, error) {
	sp, err := readSpelling(s)
	if err != nil {
		return MSISDN{}, err
	}
	if sp.context != "" {
		region = mainRegion(sp.context)
	}
	short, isShort := sp.short()
	if err := sp.refuseEmergency(region); err != nil {
		if isShort {
			return short, nil
		}
		return MSISDN{}, err
	}
	var valid, possible []string
	readings := sp.readings(region)
	for _, d := range readings {
		switch {
		case d.valid && !slices.Contains(valid, d.digits):
			valid = append(valid, d.digits)
		case !d.valid && !slices.Contains(possible, d.digits) && d.possible():
			possible = append(possible, d.digits)
		}
	}
	if len(valid) == 0 {
		if isShort && len(possible) == 0 {
			return short, nil
		}
		if err := sp.refuseShort(region); err != nil {
			return MSISDN{}, err
		}
		valid = possible
	}
	switch len(valid) {
	case 0:
		return MSISDN{}, sp.refuse(readings, region)
	case 1:
		return MSISDN{digits: valid[0]}, nil
	default:
		return MSISDN{}, fmt.Errorf("%w: %q can be read as +%s and as +%s: write the one that you mean", ErrInvalid, s, valid[0], valid[1])
	}
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

// Digits is the number without a plus, as most SMSCs want it (TON 1, NPI 1). That of a short
// number begins with its country's code; no phone has these digits.
func (m MSISDN) Digits() string { return m.digits }

// String is the canonical form, +33612345678 or 36180;phone-context=+33, or nothing for the
// zero value.
func (m MSISDN) String() string {
	if m.IsZero() {
		return ""
	}
	if digits, country, short := m.ShortNumber(); short {
		return digits + phoneContext + country
	}
	return "+" + m.digits
}

// Masked is the form for logs: +336*****678. A short number is nobody's, and stands as it is.
func (m MSISDN) Masked() string {
	if m.own != 0 {
		return m.String()
	}
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
	if own, country, short := strings.Cut(s, phoneContext); short && len(own) <= maxShortDigits && allDigits(own) && allDigits(country) && len(s) <= maxE164+len(phoneContext) {
		*m = MSISDN{digits: country + own, own: uint8(len(own))}
		return nil
	}
	digits, found := strings.CutPrefix(s, "+")
	if !found || !allDigits(digits) || len(digits) > maxE164 {
		return fmt.Errorf("%w: %q is not of the form +33612345678", ErrInvalid, s)
	}
	*m = MSISDN{digits: digits}
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
