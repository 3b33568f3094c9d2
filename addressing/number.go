package addressing

import (
	"fmt"
	"strings"
	"unicode"
)

// NumberKind tells the three sorts of address that the SMS side knows a bridge by.
type NumberKind uint8

// The kinds of Number. The zero value is no Number.
const (
	NoNumber     NumberKind = iota
	LongNumber              // an E.164 number: TON 1, NPI 1
	ShortCode               // a code that means something in one country only: TON 3
	Alphanumeric            // a name that nobody can answer: TON 5, NPI 0
)

// Number is an address on the SMS side that is the bridge's own. It is comparable;
// the zero value is no Number.
type Number struct {
	kind    NumberKind
	value   string // digits of a long number or a short code, or the name
	country string // a short code's country calling code, digits
}

// maxAlphanumeric is the length of an alphanumeric sender in characters of GSM
// 7-bit (3GPP TS 23.040, 9.1.2.5).
const maxAlphanumeric = 11

// maxShortCode is the most digits that a short code has.
const maxShortCode = 8

// phoneContext joins a short code to its country, as in RFC 3966, 5.1.5.
const phoneContext = ";phone-context=+"

// ParseNumber reads a Number: a long number "+33700000001", a short code with its
// country "36180;phone-context=+33", or an alphanumeric sender "Acme". The error
// wraps [ErrInvalid].
func ParseNumber(s string) (Number, error) {
	in := strings.TrimSpace(s)
	switch {
	case in == "":
		return Number{}, fmt.Errorf("%w: the number is empty", ErrInvalid)
	case strings.HasPrefix(in, "+"), strings.HasPrefix(in, "00") && allDigits(in):
		m, err := ParseMSISDN(in, "")
		if err != nil {
			return Number{}, err
		}
		return LongNumberOf(m), nil
	case strings.Contains(in, phoneContext):
		code, country, _ := strings.Cut(in, phoneContext)
		if !allDigits(code) || len(code) > maxShortCode || mainRegion(country) == "" {
			return Number{}, fmt.Errorf("%w: %q is not a short code: write it like 36180;phone-context=+33", ErrInvalid, s)
		}
		return Number{kind: ShortCode, value: code, country: country}, nil
	case allDigits(in):
		return Number{}, refuseBareDigits(in)
	default:
		return parseAlphanumeric(in)
	}
}

// refuseBareDigits says what digits without a country may be.
func refuseBareDigits(in string) error {
	long := "with its country code, like +33612345678"
	if possibleE164(in) {
		long = "+" + in
	}
	if len(in) > maxShortCode {
		return fmt.Errorf("%w: %q needs its country: write it %s", ErrInvalid, in, long)
	}
	return fmt.Errorf("%w: %q needs its country: a long number is written %s, a short code %s", ErrInvalid, in, long, in+phoneContext+"33")
}

func parseAlphanumeric(in string) (Number, error) {
	if len(in) > maxAlphanumeric {
		return Number{}, fmt.Errorf("%w: the sender %q is longer than %d characters", ErrInvalid, in, maxAlphanumeric)
	}
	letter := false
	for _, r := range in {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) || strings.ContainsRune("`;", r) {
			return Number{}, fmt.Errorf("%w: the sender %q has the character %q; use letters, digits and spaces", ErrInvalid, in, r)
		}
		letter = letter || unicode.IsLetter(r)
	}
	if !letter {
		return Number{}, fmt.Errorf("%w: the sender %q has no letter, so a phone would take it for a number", ErrInvalid, in)
	}
	return Number{kind: Alphanumeric, value: in}, nil
}

// MustParseNumber is ParseNumber for constants. It panics on a bad number.
func MustParseNumber(s string) Number {
	n, err := ParseNumber(s)
	if err != nil {
		panic(err)
	}
	return n
}

// LongNumberOf is the long Number with the digits of m.
func LongNumberOf(m MSISDN) Number {
	if m.IsZero() {
		return Number{}
	}
	return Number{kind: LongNumber, value: m.digits}
}

// Kind tells which sort of Number n is.
func (n Number) Kind() NumberKind { return n.kind }

// Value is what goes into an address field: the digits, or the name.
func (n Number) Value() string { return n.value }

// IsZero tells whether n is no Number at all.
func (n Number) IsZero() bool { return n.kind == NoNumber }

// CanReply tells whether a phone can answer to n. Nobody can answer a name.
func (n Number) CanReply() bool { return n.kind == LongNumber || n.kind == ShortCode }

// String is the canonical form, which ParseNumber reads back.
func (n Number) String() string {
	switch n.kind {
	case LongNumber:
		return "+" + n.value
	case ShortCode:
		return n.value + phoneContext + n.country
	default:
		return n.value
	}
}

// MarshalText gives the canonical form.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads the canonical form. Like [MSISDN.UnmarshalText] it checks the
// form of a long number and not today's numbering plan.
func (n *Number) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" {
		*n = Number{}
		return nil
	}
	if strings.HasPrefix(s, "+") {
		var m MSISDN
		if err := m.UnmarshalText(b); err != nil {
			return err
		}
		*n = LongNumberOf(m)
		return nil
	}
	parsed, err := ParseNumber(s)
	if err != nil {
		return err
	}
	*n = parsed
	return nil
}
