package addressing

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// This file is about short numbers as those that people write to: services, and emergency
// numbers that take texts, such as 114 in France. They mean something in one country only, so
// that they are written with its code: 114;phone-context=+33 (RFC 3966, 5.1.5).

// maxShortDigits is the most digits of a short number that can be written to: longer ones
// could be a phone's.
const maxShortDigits = 6

// short reads the spelling as a short number with its country, which no phone has.
func (sp spelling) short() (MSISDN, bool) {
	if sp.context == "" || sp.plus || len(sp.digits) > maxShortDigits || len(sp.context)+len(sp.digits) > maxE164 {
		return MSISDN{}, false
	}
	return MSISDN{digits: sp.context + sp.digits, own: uint8(len(sp.digits))}, true
}

// ShortNumber gives the digits of a short number as they are dialled in its country, and
// the code of that; ok is false for the number of a phone.
func (m MSISDN) ShortNumber() (digits, country string, ok bool) {
	if m.own == 0 {
		return "", "", false
	}
	at := len(m.digits) - int(m.own)
	return m.digits[at:], m.digits[:at], true
}

// ParseShort reads a short number that is dialled in region, or that is written with its country.
// The error wraps [ErrInvalid] for all else, the numbers of phones too.
func ParseShort(s, region string) (MSISDN, error) {
	if code := phonenumbers.GetCountryCodeForRegion(region); code != 0 && !strings.ContainsAny(s, "+;") {
		s = strings.TrimSpace(s) + phoneContext + strconv.Itoa(code)
	}
	m, err := ParseMSISDN(s, "")
	if _, _, short := m.ShortNumber(); err == nil && !short {
		err = fmt.Errorf("%w: %q is the number of a phone, and not a short one", ErrInvalid, s)
	}
	if err != nil {
		return MSISDN{}, err
	}
	return m, nil
}
