package smpp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Encoding is how texts leave. The zero value means [EncodingAuto].
type Encoding string

// The encodings.
const (
	EncodingAuto Encoding = "auto" // what takes the fewest segments
	EncodingGSM7 Encoding = "gsm7" // GSM 7-bit; a text with other characters is refused
	EncodingUCS2 Encoding = "ucs2" // UCS-2, always
)

// LongMode is how a text that needs several segments leaves. The zero value means
// [LongUDH8].
type LongMode string

// The ways of long texts.
const (
	LongUDH8    LongMode = "udh8"    // a header with a reference of 8 bits (3GPP TS 23.040, 9.2.3.24.1)
	LongUDH16   LongMode = "udh16"   // one of 16 bits (3GPP TS 23.040, 9.2.3.24.8)
	LongSAR     LongMode = "sar"     // the sar_ parameters (SMPP 3.4, 5.3.2.22 to 5.3.2.24)
	LongPayload LongMode = "payload" // one submit_sm with message_payload (SMPP 3.4, 5.3.2.32)
)

// TextConfig is how texts leave over one account. The zero value is what most SMSCs
// want: GSM 7-bit unpacked or UCS-2, with headers of 8 bits, unchanged.
type TextConfig struct {
	// Alphabet is what data_coding 0 means there.
	Alphabet Alphabet
	Encoding Encoding
	Long     LongMode
	// National are the languages whose tables may be used, where that takes fewer segments than
	// UCS-2. Not every phone reads them. They need GSM 7-bit and headers: they are not
	// used with AlphabetLatin1, AlphabetASCII, LongSAR or LongPayload.
	National []Language
	// Smart replaces curly quotes, dashes and special blanks, and Transliterate drops
	// accents that the alphabet lacks, both only where the text then needs no UCS-2.
	Smart, Transliterate bool
}

// coded is a text in the alphabet that it goes out in.
type coded struct {
	text     string // as it is sent
	name     string // of the encoding, for people
	coding   byte   // data_coding
	octets   []byte // septets, one an octet, or UTF-16
	unit     int    // octets of a character: 1, or 2 for UTF-16
	elements []byte // of the header, besides those that join segments
	cfg      TextConfig
}

// encode chooses the encoding of text. The error wraps [ErrText] or [ErrCharacters].
func encode(text string, cfg TextConfig) (coded, error) {
	if !utf8.ValidString(text) {
		return coded{}, ErrText
	}
	if cfg.Encoding == EncodingUCS2 {
		return encodeUCS2(text, cfg), nil
	}
	for _, plain := range simpler(text, cfg) {
		if c, ok := encodeDefault(plain, cfg); ok {
			return c, nil
		}
	}
	national, ok := encodeNational(text, cfg)
	if cfg.Encoding == EncodingGSM7 {
		if !ok {
			return coded{}, missing(text, cfg)
		}
		return national, nil
	}
	wide := encodeUCS2(text, cfg)
	// Every phone reads UCS-2, so it wins where the tables of a language save nothing.
	if ok && len(national.ends()) < len(wide.ends()) {
		return national, nil
	}
	return wide, nil
}

// simpler gives text as it is, and then what it may be replaced with.
func simpler(text string, cfg TextConfig) []string {
	all := []string{text}
	if cfg.Smart {
		text = simplify(text)
		all = append(all, text)
	}
	if cfg.Transliterate {
		all = append(all, transliterate(text))
	}
	return all
}

// encodeDefault is false where the account's default alphabet lacks a character. An SMSC
// that takes Latin-1 or ASCII writes GSM 7-bit to the phone all the same: so a
// character must be in both, and septets are what counts.
func encodeDefault(text string, cfg TextConfig) (coded, bool) {
	switch cfg.Alphabet {
	case AlphabetLatin1, AlphabetASCII:
		for _, r := range text {
			if !inAlphabet(r, cfg.Alphabet) {
				return coded{}, false
			}
		}
	case AlphabetGSM7Packed:
		// A carriage return at the end of an octet reads as padding.
		if strings.ContainsRune(text, rune(padding)) {
			return coded{}, false
		}
	}
	octets, ok := encodeGSM7(text)
	return coded{text: text, name: "gsm7", coding: CodingDefault, octets: octets, unit: 1, cfg: cfg}, ok
}

func inAlphabet(r rune, a Alphabet) bool {
	switch a {
	case AlphabetLatin1:
		return r <= 0xFF && inGSM7(r)
	case AlphabetASCII:
		return r < utf8.RuneSelf && inGSM7(r)
	default:
		return inGSM7(r)
	}
}

// encodeNational gives the shortest with the tables of a language, if any has all of text.
func encodeNational(text string, cfg TextConfig) (best coded, found bool) {
	if !cfg.shifts() || cfg.Alphabet == AlphabetGSM7Packed && strings.ContainsRune(text, rune(padding)) {
		return coded{}, false
	}
	for _, language := range cfg.National {
		for _, s := range shifts[language] {
			octets, ok := encodeSeptets(text, s.set, s.ext)
			if !ok {
				continue
			}
			c := coded{text: text, name: s.name, coding: CodingDefault, octets: octets, unit: 1, elements: s.tables.elements(), cfg: cfg}
			if !found || len(c.ends()) < len(best.ends()) {
				best, found = c, true
			}
		}
	}
	return best, found
}

// shifts tells whether the account can carry national tables.
func (cfg TextConfig) shifts() bool {
	septets := cfg.Alphabet != AlphabetLatin1 && cfg.Alphabet != AlphabetASCII
	return septets && cfg.Long != LongSAR && cfg.Long != LongPayload
}

func encodeUCS2(text string, cfg TextConfig) coded {
	// A reader takes a byte order mark off, so a text that begins like one gets one more.
	if strings.HasPrefix(text, "\uFEFF") || strings.HasPrefix(text, "\uFFFE") {
		text = "\uFEFF" + text
	}
	return coded{text: text, name: "ucs2", coding: CodingUCS2, octets: encodeUTF16(text), unit: 2, cfg: cfg}
}

func encodeUTF16(text string) []byte {
	octets := make([]byte, 0, 2*len(text))
	for _, r := range text {
		if r <= 0xFFFF {
			octets = append(octets, byte(r>>8), byte(r))
			continue
		}
		high, low := utf16.EncodeRune(r)
		octets = append(octets, byte(high>>8), byte(high), byte(low>>8), byte(low))
	}
	return octets
}

// ErrCharacters tells that the text has characters that GSM 7-bit lacks, and UCS-2 is not allowed.
var ErrCharacters = errors.New("the text has characters that cannot be sent")

// missing says which characters stand in the way; the first few, as the text has them.
func missing(text string, cfg TextConfig) error {
	const most = 8
	var which []string
	state := -1
	for text != "" && len(which) < most {
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		quoted := fmt.Sprintf("%q", cluster)
		if !slices.Contains(which, quoted) && strings.ContainsFunc(cluster, func(r rune) bool { return !inAlphabet(r, cfg.Alphabet) }) {
			which = append(which, quoted)
		}
	}
	if len(which) == 0 { // a carriage return in packed septets
		which = []string{`"\r"`}
	}
	return fmt.Errorf("%w: %s; leave them out, or ask the operator of the bridge to allow UCS-2", ErrCharacters, strings.Join(which, " "))
}
