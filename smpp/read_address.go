package smpp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Types of number (SMPP 3.4, 5.2.5).
const (
	tonUnknown       = 0
	tonInternational = 1
	tonNational      = 2
	tonNetwork       = 3
	tonSubscriber    = 4
	tonAlphanumeric  = 5
	tonAbbreviated   = 6
)

const (
	maxShortCode  = 8 // addressing refuses longer ones
	surelyShort   = 6 // no phone can be dialled from abroad with so few digits
	leastDialable = 7
)

// country is the calling code of an account's short numbers; empty where nobody has said it.
func (r *Reader) country(account string) string {
	if c := r.Accounts[account].Country; c != "" || r.Region == "" {
		return c
	}
	return strconv.Itoa(phonenumbers.GetCountryCodeForRegion(r.Region))
}

// phone reads the address of a person's phone, or of a service with a short number.
func (r *Reader) phone(a bridge.Address, country string) (addressing.MSISDN, error) {
	if m, ok := parsePhone(a, r.Region); ok {
		return m, nil
	}
	if in := strings.TrimSpace(a.Addr); isDecimal(in) && len(in) <= surelyShort && country != "" && country != "0" {
		if m, ok := tryPhone(in+";phone-context=+"+country, ""); ok {
			return m, nil
		}
	}
	return addressing.MSISDN{}, fmt.Errorf("%w: %s", ErrNoReply, describe(a))
}

// parsePhone reads an E.164 number from an address field. SMSCs send them with and
// without a plus, with 00, and under the wrong type of number. So the type decides only
// which reading is tried first, national for TON 2 and for a leading 0, and international
// otherwise; and a reading that is a number of a numbering plan goes before one that
// only has as many digits: 2025550123 is +1 202 555 0123 in the USA, and not +20 25550123.
func parsePhone(a bridge.Address, region string) (addressing.MSISDN, bool) {
	in := strings.TrimSpace(a.Addr)
	digits := strings.TrimPrefix(in, "+")
	if !isDecimal(digits) || len(digits) < leastDialable {
		return addressing.MSISDN{}, false
	}
	switch {
	case in != digits:
		return tryPhone(in, "")
	case strings.HasPrefix(in, "00"):
		return tryPhone("+"+strings.TrimLeft(in, "0"), "")
	}
	readings := [2][2]string{{"+" + in, ""}, {in, region}}
	if a.TON == tonNational || in[0] == '0' {
		readings[0], readings[1] = readings[1], readings[0]
	}
	first, readable := tryPhone(readings[0][0], readings[0][1])
	if readable && first.Valid() {
		return first, true
	}
	second, ok := tryPhone(readings[1][0], readings[1][1])
	if ok && (second.Valid() || !readable) {
		return second, true
	}
	return first, readable
}

func tryPhone(s, region string) (addressing.MSISDN, bool) {
	m, err := addressing.ParseMSISDN(s, region)
	return m, err == nil
}

// number reads an address of our own. Digits that are too few for a phone, or whose
// type of number says so, are a short code of country.
func (r *Reader) number(a bridge.Address, country string) (addressing.Number, error) {
	in := strings.TrimSpace(a.Addr)
	short := isDecimal(in) && len(in) <= maxShortCode && country != "" && country != "0"
	if short && (len(in) <= surelyShort || typeSaysShort(a.TON)) {
		return r.parseNumber(a, in+";phone-context=+"+country)
	}
	if m, ok := parsePhone(a, r.Region); ok {
		return addressing.LongNumberOf(m), nil
	}
	if short {
		return r.parseNumber(a, in+";phone-context=+"+country)
	}
	return r.parseNumber(a, in)
}

// typeSaysShort: network specific, subscriber and abbreviated numbers mean something in
// one network only, as a short code does.
func typeSaysShort(ton byte) bool {
	return ton == tonNetwork || ton == tonSubscriber || ton == tonAbbreviated
}

func (r *Reader) parseNumber(a bridge.Address, s string) (addressing.Number, error) {
	n, err := addressing.ParseNumber(s)
	if err != nil {
		return addressing.Number{}, fmt.Errorf("%w: %s; if it is a short code, set the account's country calling code", ErrOurNumber, describe(a))
	}
	return n, nil
}

// describe names an address in an error: the type, and no more of a number than its
// length, since errors are logged.
func describe(a bridge.Address) string {
	kinds := [...]string{
		tonUnknown: "of unknown type", tonInternational: "international", tonNational: "national", tonNetwork: "network specific",
		tonSubscriber: "subscriber number", tonAlphanumeric: "a name", tonAbbreviated: "abbreviated",
	}
	kind := "of no known type"
	if int(a.TON) < len(kinds) {
		kind = kinds[a.TON]
	}
	if a.Addr == "" {
		return "the address is empty"
	}
	if strings.Trim(a.Addr, "+0123456789 ") != "" {
		return fmt.Sprintf("%q (TON %d, %s; NPI %d)", a.Addr, a.TON, kind, a.NPI)
	}
	return fmt.Sprintf("%d digits (TON %d, %s; NPI %d)", len(a.Addr), a.TON, kind, a.NPI)
}
