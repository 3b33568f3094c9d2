package smpp

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// typography is what word processors and phones put for plain characters, and those.
var typography = map[rune]string{
	'‘': "'", '’': "'", '‚': "'", '‛': "'", '′': "'", '´': "'", '`': "'", 'ʼ': "'",
	'“': `"`, '”': `"`, '„': `"`, '‟': `"`, '″': `"`, '«': `"`, '»': `"`, '‹': "<", '›': ">",
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '―': "-", '−': "-",
	'…': "...", '•': "*", '·': ".", '⁄': "/",
	'\u00A0': " ", '\u2002': " ", '\u2003': " ", '\u2004': " ", '\u2005': " ", '\u2006': " ", '\u2007': " ",
	'\u2008': " ", '\u2009': " ", '\u200A': " ", '\u202F': " ", '\u3000': " ", '\t': " ",
	'\u00AD': "", '\u200B': "", '\u2060': "", '\uFEFF': "", // soft hyphen, and blanks of no width
	'\u2028': "\n", '\u2029': "\n",
}

// letters have no decomposition into a base letter and its marks.
var letters = map[rune]string{
	'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "Th", 'ħ': "h", 'Ħ': "H",
	'ı': "i", 'ĸ': "k", 'ŋ': "n", 'Ŋ': "N", 'œ': "oe", 'Œ': "OE", 'ŧ': "t", 'Ŧ': "T", 'ẞ': "SS", 'ſ': "s",
	'©': "(c)", '®': "(r)", '№': "No", '×': "x", '÷': ":", '¢': "c", '°': "o", 'µ': "u", '¬': "-", '¦': "|",
}

// simplify replaces typography, and leaves what the alphabet has.
func simplify(text string) string {
	return replace(text, func(r rune) (string, bool) {
		s, ok := typography[r]
		return s, ok
	})
}

// transliterate replaces letters with accents that the alphabet lacks by those that it
// has. What has no such letter stays.
func transliterate(text string) string {
	return replace(text, func(r rune) (string, bool) {
		if s, ok := letters[r]; ok {
			return s, true
		}
		bare := replaceMarks(norm.NFKD.String(string(r)))
		_, ok := encodeGSM7(bare)
		return bare, ok && bare != ""
	})
}

func replaceMarks(decomposed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, decomposed)
}

// replace puts in what with gives for each character that GSM 7-bit lacks.
func replace(text string, with func(rune) (string, bool)) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFC.String(text) {
		if !inGSM7(r) {
			if s, ok := with(r); ok {
				b.WriteString(s)
				continue
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
