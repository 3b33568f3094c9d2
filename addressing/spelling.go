package addressing

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// spelling is a phone number as a person wrote it, taken to pieces.
type spelling struct {
	text   string // as written, for errors
	plus   bool   // the digits begin with a country code
	digits string // ASCII
	// trunk tells that a 0 stands in brackets, as in +49 (0)170, and at which digit: it
	// is dialled at home only. -1 where none does.
	trunk int
	// context is the country code, in digits, that a tel: URI says the number is of.
	context string
}

// maxSpelling bounds what is looked at, in bytes: far beyond any number with its separators.
const maxSpelling = 200

// telScheme begins a telephone URI (RFC 3966, 3); schemes are in any case (RFC 3986, 3.1).
const telScheme = "tel:"

// readSpelling takes a phone number to pieces: digits of any script, a plus before
// them, and separators, which mean nothing. All else is no phone number.
func readSpelling(text string) (spelling, error) {
	sp := spelling{text: text, trunk: -1}
	if len(text) > maxSpelling {
		return sp, fmt.Errorf("%w: the phone number is longer than %d characters: write it like +33612345678", ErrInvalid, maxSpelling)
	}
	in := strings.TrimSpace(text)
	if len(in) >= len(telScheme) && strings.EqualFold(in[:len(telScheme)], telScheme) {
		in = in[len(telScheme):]
		if decoded, err := url.PathUnescape(in); err == nil {
			in = decoded
		}
	}
	number, parameters, _ := strings.Cut(in, ";")
	if err := sp.readParameters(parameters); err != nil {
		return sp, err
	}
	if extension.MatchString(number) {
		return sp, sp.hasExtension()
	}
	return sp, sp.readDigits(number)
}

// extension is how the extension of a switchboard is written after a number.
var extension = regexp.MustCompile(`(?i)(?:[0-9][^0-9a-z]*){6}(?:#|x|ext|extn|extension|poste|int|durchwahl)[^0-9a-z]*[0-9]+[^0-9a-z]*$`)

func (sp *spelling) hasExtension() error {
	return fmt.Errorf("%w: %q has an extension, which no SMS can reach: write the number without it", ErrInvalid, sp.text)
}

// readParameters reads what follows the number in a tel: URI. Parameters that mean
// nothing here are ignored (RFC 3966, 5.4).
func (sp *spelling) readParameters(all string) error {
	for p := range strings.SplitSeq(all, ";") {
		name, value, _ := strings.Cut(p, "=")
		switch strings.ToLower(name) {
		case "ext", "isub":
			return sp.hasExtension()
		case "phone-context":
			// A context is a country here, and no mere prefix: with +1-914-784 or a domain the
			// number means something inside one organisation only (RFC 3966, 5.1.5).
			code, global := strings.CutPrefix(value, "+")
			code = strings.Map(dropVisual, code)
			if !global || mainRegion(code) == "" {
				return fmt.Errorf("%w: %q is a number inside the network %q only: write it like +33612345678", ErrInvalid, sp.text, value)
			}
			sp.context = code
		}
	}
	return nil
}

// dropVisual drops the visual separators of RFC 3966, 3.
func dropVisual(r rune) rune {
	if strings.ContainsRune("-.()", r) {
		return -1
	}
	return r
}

// spelled is a number whose characters are folded: an optional plus, then digits.
var spelled = regexp.MustCompile(`^[ (]*\+?[ ()]*[0-9][0-9 ()]*$`)

// trunkInBrackets is a zero alone in brackets behind a country code.
var trunkInBrackets = regexp.MustCompile(`\( *0 *\)`)

func (sp *spelling) readDigits(number string) error {
	folded := strings.Map(fold, number)
	switch {
	case strings.TrimSpace(folded) == "":
		return fmt.Errorf("%w: the phone number is empty", ErrInvalid)
	case !spelled.MatchString(folded):
		return fmt.Errorf("%w: %q is not a phone number: write it like +33612345678", ErrInvalid, sp.text)
	}
	sp.plus = strings.Contains(folded, "+")
	sp.digits = onlyDigits(folded)
	if at := trunkInBrackets.FindStringIndex(folded); at != nil {
		sp.trunk = len(onlyDigits(folded[:at[0]]))
	}
	return nil
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// fold makes a digit of any script an ASCII one, any bracket a round one, any other
// separator a blank, and drops what cannot be seen: phones put direction marks around
// numbers that are copied. What is none of these stays, and so is refused.
func fold(r rune) rune {
	switch {
	case r >= '0' && r <= '9':
		return r
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r)
	case r == '+' || r == '＋' || r == '﹢':
		return '+'
	case r == '(' || r == '[' || r == '（' || r == '［':
		return '('
	case r == ')' || r == ']' || r == '）' || r == '］':
		return ')'
	case unicode.Is(unicode.Cf, r):
		return -1
	case r == '\t' || unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("./~−·•．／～ー⁓∼", r):
		return ' '
	default:
		return r
	}
}

// digitOf is the value of a decimal digit. Digits stand in runs of ten from zero, and
// no range of the table begins within a run (Unicode, 4.6).
func digitOf(r rune) rune {
	for _, run := range unicode.Nd.R16 {
		if r <= rune(run.Hi) {
			return (r - rune(run.Lo)) % 10
		}
	}
	for _, run := range unicode.Nd.R32 {
		if r <= rune(run.Hi) {
			return (r - rune(run.Lo)) % 10
		}
	}
	return 0
}
