package addressing

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// This file is what has to be known of numbering plans beyond the library's metadata.

// dialled is a number read from "+33612345678", or from the digits that are dialled in
// a region. Its digits are those of the phone that it reaches: mend has seen them.
type dialled struct {
	digits string // with the country code
	valid  bool   // its numbering plan has given out the range that it is in
}

// readDialled reads a number; false where it begins with no country code.
func readDialled(number, region string) (dialled, bool) {
	if digits, ok := strings.CutPrefix(number, "+"); ok {
		// Most numbers are written as they are, and this is a third of the library's work.
		if digits = mend(digits); validE164(digits) {
			return dialled{digits: digits, valid: true}, true
		}
	}
	n, err := phonenumbers.Parse(number, region)
	if err != nil {
		return dialled{}, false
	}
	digits := mend(strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+"))
	return dialled{digits: digits, valid: validE164(digits)}, true
}

// length tells whether d has as many digits as its country's numbers have, and as ITU-T
// E.164 allows. Numbers without an area code do not: they reach another phone in each town.
func (d dialled) length() phonenumbers.ValidationResult {
	n, ok := fromE164(d.digits)
	switch {
	case !ok:
		return phonenumbers.INVALID_COUNTRY_CODE
	case len(d.digits) > maxE164:
		return phonenumbers.TOO_LONG
	default:
		return phonenumbers.IsPossibleNumberWithReason(n)
	}
}

// possible tells whether d can be a phone's number, and its only name. Some numbers of
// the right length read as another number when they are read again; they are in no plan.
func (d dialled) possible() bool {
	if d.valid {
		return true
	}
	if code, rest, ok := cutCountryCode(d.digits); !ok || d.length() != phonenumbers.IS_POSSIBLE ||
		short(code, rest) || emergency(rest, phonenumbers.GetRegionCodeForCountryCode(code)) {
		return false
	}
	again, ok := readDialled("+"+d.digits, "")
	return ok && again.digits == d.digits
}

// validE164 tells whether a numbering plan has given out the range of digits. What a plan
// has beyond the length of E.164, as Germany's has, no other network reaches.
func validE164(digits string) bool {
	n, ok := fromE164(digits)
	return ok && len(digits) <= maxE164 && phonenumbers.IsValidNumber(n)
}

// possibleE164 tells whether digits can be a phone's number as they stand.
func possibleE164(digits string) bool {
	d, ok := readDialled("+"+digits, "")
	return ok && d.digits == digits && d.possible()
}

// fromE164 takes digits to pieces as the library has them. A country code is no beginning
// of another (ITU-T E.164, annex D), and zeros behind it are part of the number.
func fromE164(digits string) (*phonenumbers.PhoneNumber, bool) {
	code, rest, ok := cutCountryCode(digits)
	national, err := strconv.ParseUint(rest, 10, 64)
	if !ok || err != nil {
		return nil, false
	}
	countryCode := int32(code)
	n := &phonenumbers.PhoneNumber{CountryCode: &countryCode, NationalNumber: &national}
	// A number of zeros alone keeps the last of them as its value.
	if zeros := int32(len(rest[:len(rest)-1]) - len(strings.TrimLeft(rest[:len(rest)-1], "0"))); zeros > 0 {
		leading := true
		n.ItalianLeadingZero, n.NumberOfLeadingZeros = &leading, &zeros
	}
	return n, true
}

// cutCountryCode cuts the country code off digits; false where they begin with none.
func cutCountryCode(digits string) (code int, rest string, ok bool) {
	const longest = 3
	for i := 1; i <= longest && i < len(digits); i++ {
		if digits[0] < '1' || digits[i-1] < '0' || digits[i-1] > '9' {
			return 0, "", false
		}
		code = code*10 + int(digits[i-1]-'0')
		if phonenumbers.GetRegionCodeForCountryCode(code) != phonenumbers.UNKNOWN_REGION {
			return code, digits[i:], true
		}
	}
	return 0, "", false
}

// mend gives the number that digits stand for where its plan was changed and people
// still write the old form, or write one of its parts twice. A number that is valid as it
// stands is left alone, and so is one for which the change gives nothing valid.
func mend(digits string) string {
	if code, national, ok := cutFrench(digits); ok {
		return mendFrench(code, national)
	}
	if validE164(digits) {
		return digits
	}
	next := digits
	if rest, ok := strings.CutPrefix(digits, "52"); ok {
		next = "52" + mendMexican(rest)
	}
	if rest, ok := strings.CutPrefix(digits, "55"); ok {
		next = "55" + mendBrazilian(rest)
	}
	if next != digits && validE164(next) {
		return next
	}
	return digits
}

// mendMexican drops what mobiles needed before their ten digits until August 2019: 1 from
// abroad, and 044, 045, 01 or 1 at home (IFT, Plan Técnico Fundamental de Numeración
// of 11 May 2018).
func mendMexican(national string) string {
	const subscriber = 10
	if len(national) <= subscriber {
		return national
	}
	switch prefix := national[:len(national)-subscriber]; prefix {
	case "1", "01", "044", "045":
		return national[len(prefix):]
	default:
		return national
	}
}

// mendBrazilian puts the ninth digit before mobile numbers of eight, which begin with 6,
// 8 or 9; with 7 begin those of trunked radio, which have none (Anatel, Resolução 553 of
// 2010, in force in all areas since November 2016).
func mendBrazilian(national string) string {
	const area, old = 2, 8
	if len(national) == area+old && strings.ContainsRune("689", rune(national[area])) {
		return national[:area] + "9" + national[area:]
	}
	return national
}

// frenchCodes are the country codes of the one French numbering plan: dialled from any
// of them, 0692 is Réunion and 0612 the mainland (Arcep, décision 2018-0881).
var frenchCodes = []string{"33", "262", "508", "590", "594", "596"}

// overseas are the country codes of the blocks of that plan that are not the mainland's.
var overseas = map[string]string{
	"262": "262", "263": "262", "692": "262", "693": "262", // Réunion
	"269": "262", "639": "262", // Mayotte
	"508": "508", "708": "508", // Saint-Pierre-et-Miquelon
	"590": "590", "690": "590", "691": "590", // Guadeloupe, Saint-Martin and Saint-Barthélemy
	"594": "594", "694": "594", // Guyane
	"596": "596", "696": "596", "697": "596", // Martinique
}

// cutFrench gives the code and the nine national digits of a French number. In
// Saint-Pierre-et-Miquelon the fixed ones drop their 508 behind the country code.
func cutFrench(digits string) (code, national string, ok bool) {
	const nine = 9
	for _, code := range frenchCodes {
		if rest, found := strings.CutPrefix(digits, code); found && len(rest) == nine {
			return code, rest, true
		}
	}
	return "", "", false
}

// mendFrench gives the number under the country code that its national digits belong
// to; each belongs to one at most, whatever code it was written with.
func mendFrench(code, national string) string {
	const block = 3
	if of, ok := overseas[national[:block]]; ok {
		for _, there := range []string{of + national, of + strings.TrimPrefix(national, of)} {
			if validE164(there) {
				return there
			}
		}
	}
	asWritten := code + national
	if validE164(asWritten) {
		return asWritten
	}
	var elsewhere []string
	for _, other := range frenchCodes {
		if validE164(other + national) {
			elsewhere = append(elsewhere, other+national)
		}
	}
	if len(elsewhere) == 1 {
		return elsewhere[0]
	}
	return asWritten
}

// mainRegion is the region that a country code is of, or the largest of them; empty where
// the code is none, or is of no region, as 800 is.
func mainRegion(code string) string {
	n, err := strconv.Atoi(code)
	if err != nil || !allDigits(code) || code[0] == '0' { // Atoi takes a sign too
		return ""
	}
	region := phonenumbers.GetRegionCodeForCountryCode(n)
	if region == phonenumbers.UNKNOWN_REGION || region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return ""
	}
	return region
}
