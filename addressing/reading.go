package addressing

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// readings are the numbers that the spelling may mean. At home it is what is dialled in
// region, where numbers of abroad may begin otherwise than with 00; and 00 is written
// for a plus everywhere.
func (sp spelling) readings(region string) []dialled {
	var all []dialled
	add := func(digits, region string) {
		if d, ok := readDialled(digits, region); ok {
			all = append(all, d)
		}
	}
	if !sp.plus {
		if region != "" {
			add(sp.digits, region)
		}
		if rest, ok := strings.CutPrefix(sp.digits, "00"); ok {
			add("+"+rest, "")
		}
		return all
	}
	add("+"+sp.digits, "")
	// What stands in brackets is not dialled from abroad, but in Italy it is.
	if at := sp.trunk; at > 0 && (len(all) == 0 || !all[0].valid) {
		add("+"+sp.digits[:at]+sp.digits[at+1:], "")
	}
	return all
}

// maxEmergency is more digits than any emergency number has, with a country code.
const maxEmergency = 8

// emergency tells whether digits are an emergency number: of region, or one that every
// mobile phone knows, whatever its country (3GPP TS 22.101, 10.1.1).
func emergency(digits, region string) bool {
	return digits == "112" || digits == "911" || region != "" && phonenumbers.IsEmergencyNumber(digits, region)
}

// refuseEmergency refuses what is an emergency number as it is dialled, or behind a
// country code or a plus. No E.164 number is one.
func (sp spelling) refuseEmergency(region string) error {
	if len(sp.digits) > maxEmergency {
		return nil
	}
	if emergency(sp.digits, region) || sp.plus && emergency(sp.behindCode()) {
		return fmt.Errorf("%w: %q is an emergency number, which no SMS from here reaches: call it from a phone", ErrInvalid, sp.text)
	}
	return nil
}

// behindCode gives the digits behind the country code, and the region of that code.
func (sp spelling) behindCode() (digits, region string) {
	code, rest, ok := cutCountryCode(sp.digits)
	if !ok {
		return "", ""
	}
	return rest, phonenumbers.GetRegionCodeForCountryCode(code)
}

// refuseShort refuses short numbers, which have no international form.
func (sp spelling) refuseShort(region string) error {
	code, digits := phonenumbers.GetCountryCodeForRegion(region), sp.digits
	if sp.plus {
		code, digits, _ = cutCountryCode(sp.digits)
	}
	if code == 0 || !short(code, digits) {
		return nil
	}
	return fmt.Errorf("%w: %q is a short number, which means something in one country only: write it like 36180;phone-context=+33, if the operator of this bridge lets you write to it", ErrInvalid, sp.text)
}

// short tells whether digits are a short number in the countries of a country code.
func short(code int, digits string) bool {
	n, ok := fromE164(strconv.Itoa(code) + digits)
	return ok && phonenumbers.IsValidShortNumber(n)
}

// leastDigits is fewer than any phone's number has with its country code.
const leastDigits = 5

// refuse tells what is wrong with a spelling that no reading fits.
func (sp spelling) refuse(readings []dialled, region string) error {
	switch {
	case !sp.plus && possibleE164(sp.digits):
		return fmt.Errorf("%w: %q needs a plus before its country code: write +%s", ErrInvalid, sp.text, sp.digits)
	case !sp.plus && region == "" && len(readings) == 0:
		return fmt.Errorf("%w: %q has no country code: write it with a plus and its country code, like +33612345678", ErrInvalid, sp.text)
	case len(sp.digits) > maxE164:
		return fmt.Errorf("%w: %q has too many digits: write one number, like +33612345678", ErrInvalid, sp.text)
	case len(readings) == 0 && len(sp.digits) < leastDigits:
		return fmt.Errorf("%w: %q has too few digits: write it like +33612345678", ErrInvalid, sp.text)
	case len(readings) == 0:
		return fmt.Errorf("%w: %q begins with no country code that there is: write it like +33612345678", ErrInvalid, sp.text)
	}
	last := readings[len(readings)-1]
	code, _, _ := cutCountryCode(last.digits)
	what := "is not a number of its country"
	switch last.length() {
	case phonenumbers.TOO_SHORT:
		what = "has too few digits for its country"
	case phonenumbers.TOO_LONG:
		what = "has too many digits for its country"
	case phonenumbers.INVALID_LENGTH:
		what = "has too few or too many digits for its country"
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		what = "has no area code"
	}
	return fmt.Errorf("%w: %q %s, +%d: write it like +33612345678", ErrInvalid, sp.text, what, code)
}
