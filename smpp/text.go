package smpp

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
)

// Alphabet is what an SMSC account means by its default alphabet, data_coding 0. The
// zero value means [AlphabetGSM7].
type Alphabet string

// The alphabets of data_coding 0 that are met.
const (
	AlphabetGSM7       Alphabet = "gsm7"        // GSM 7-bit, unpacked: one septet an octet
	AlphabetGSM7Packed Alphabet = "gsm7-packed" // GSM 7-bit, eight septets in seven octets
	AlphabetLatin1     Alphabet = "latin1"      // ISO-8859-1
	AlphabetASCII      Alphabet = "ascii"
)

// ParseAlphabet reads gsm7, gsm7-packed, latin1 or ascii; empty means gsm7.
func ParseAlphabet(s string) (Alphabet, error) {
	switch a := Alphabet(strings.ToLower(s)); a {
	case "":
		return AlphabetGSM7, nil
	case AlphabetGSM7, AlphabetGSM7Packed, AlphabetLatin1, AlphabetASCII:
		return a, nil
	default:
		return "", fmt.Errorf("smpp: %q is not an alphabet for data_coding 0: use gsm7, gsm7-packed, latin1 or ascii", s)
	}
}

// charCoding is how the octets of a text are to be read.
type charCoding uint8

const (
	codingDefault charCoding = iota // the account's Alphabet
	codingASCII
	codingLatin1
	codingOctets
	codingUTF16
	codingCyrillic
	codingHebrew
	codingShiftJIS
	codingISO2022JP
	codingEUCJP
	codingKorean
)

// smppCodings are the values that SMPP gives a meaning of its own (SMPP 3.4, 5.2.19);
// those left out are reserved there.
var smppCodings = map[byte]charCoding{
	0x00: codingDefault,
	0x01: codingASCII,
	0x02: codingOctets,
	0x03: codingLatin1,
	0x04: codingOctets,
	0x05: codingShiftJIS, // JIS X 0208, in the encoding that SMSCs use for it
	0x06: codingCyrillic,
	0x07: codingHebrew,
	0x08: codingUTF16,
	0x0A: codingISO2022JP,
	0x0D: codingEUCJP, // JIS X 0212
	0x0E: codingKorean,
}

// codingOf reads the whole data_coding octet: SMPP's own values below 0x10, and the
// coding groups of 3GPP TS 23.038, section 4, above. A reserved value is the default
// alphabet, as section 4 asks.
func codingOf(dataCoding byte) charCoding {
	switch {
	case dataCoding < 0x10:
		return smppCodings[dataCoding]
	case dataCoding < 0x80: // general data coding, and the same with automatic deletion
		switch dataCoding >> 2 & 0x03 {
		case 1:
			return codingOctets
		case 2:
			return codingUTF16
		}
	case dataCoding >= 0xF0: // message class
		if dataCoding&0x04 != 0 {
			return codingOctets
		}
	case dataCoding >= 0xE0: // message waiting, store, UCS-2
		return codingUTF16
	}
	return codingDefault
}

// DecodeText reads the text of a short message without its user data header. What
// the coding cannot mean becomes U+FFFD, and the rest of the text is kept. Wherever
// the coding says default alphabet, def is meant, since an SMSC that translates it
// does so in every coding group.
func DecodeText(dataCoding byte, body []byte, def Alphabet) string {
	return decodeText(dataCoding, septetsOf(dataCoding, body, 0, def), def, nationalTables{})
}

// septetsOf takes packed septets apart, where that is what body has; other octets it
// returns as they are.
func septetsOf(dataCoding byte, body []byte, header int, def Alphabet) []byte {
	if def == AlphabetGSM7Packed && codingOf(dataCoding) == codingDefault {
		return unpack(body, fillBits(header))
	}
	return body
}

// decodeText reads octets that septetsOf has been over.
func decodeText(dataCoding byte, body []byte, def Alphabet, t nationalTables) string {
	switch codingOf(dataCoding) {
	case codingASCII:
		return decodeASCII(body)
	case codingLatin1:
		return decodeLatin1(body)
	case codingOctets:
		return decodeOctets(body)
	case codingUTF16:
		return decodeUTF16(body)
	case codingCyrillic:
		return decodeWith(charmap.ISO8859_5, body)
	case codingHebrew:
		return decodeWith(charmap.ISO8859_8, body)
	case codingShiftJIS:
		return decodeWith(japanese.ShiftJIS, body)
	case codingISO2022JP:
		return decodeWith(japanese.ISO2022JP, body)
	case codingEUCJP:
		return decodeWith(japanese.EUCJP, body)
	case codingKorean:
		return decodeWith(korean.EUCKR, body)
	}
	switch def {
	case AlphabetLatin1:
		return decodeLatin1(body)
	case AlphabetASCII:
		return decodeASCII(body)
	default:
		return decodeGSM7(body, t)
	}
}

func decodeASCII(body []byte) string {
	var b strings.Builder
	b.Grow(len(body))
	for _, c := range body {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

func decodeLatin1(body []byte) string {
	var b strings.Builder
	b.Grow(len(body))
	for _, c := range body {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// decodeOctets reads what says it is binary. Some SMSCs say so of UTF-8; of anything
// else Latin-1 keeps every octet visible.
func decodeOctets(body []byte) string {
	if utf8.Valid(body) {
		return string(body)
	}
	return decodeLatin1(body)
}

// decodeUTF16 reads big-endian UTF-16. A lone surrogate and an odd last octet become
// U+FFFD. A byte order mark stays a character.
func decodeUTF16(body []byte) string {
	units := make([]uint16, 0, len(body)/2)
	for i := 0; i+1 < len(body); i += 2 {
		units = append(units, uint16(body[i])<<8|uint16(body[i+1]))
	}
	text := string(utf16.Decode(units))
	if len(body)%2 != 0 {
		text += string(utf8.RuneError)
	}
	return text
}

// decodeWith never fails: these decoders write U+FFFD for what they cannot read.
func decodeWith(e encoding.Encoding, body []byte) string {
	out, err := e.NewDecoder().Bytes(body)
	if err != nil {
		return decodeOctets(body)
	}
	return string(out)
}
