package smpp

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/gsm7/charset"
)

// escape leads to the extension table (3GPP TS 23.038, 6.2.1).
const escape byte = 0x1B

// charset builds its tables on first use without a lock, so they are read here, once,
// before there is a second goroutine.
var (
	gsmEncode    = charset.DefaultEncoder()
	gsmExtEncode = charset.DefaultExtEncoder()
	gsmDecode    = charset.DefaultDecoder()
	gsmExtDecode = charset.DefaultExtDecoder()
)

// encodeSeptets gives the septets of text, one an octet, and false where the tables
// lack a character.
func encodeSeptets(text string, set, ext charset.Encoder) ([]byte, bool) {
	octets := make([]byte, 0, len(text))
	for _, r := range text {
		if g, ok := set[r]; ok && g != escape {
			octets = append(octets, g)
		} else if g, ok := ext[r]; ok {
			octets = append(octets, escape, g)
		} else {
			return nil, false // the escape itself too: as a character it means nothing
		}
	}
	return octets, true
}

// encodeGSM7 is encodeSeptets with the default alphabet and its extension.
func encodeGSM7(text string) ([]byte, bool) { return encodeSeptets(text, gsmEncode, gsmExtEncode) }

// inGSM7 tells whether the default alphabet or its extension has r.
func inGSM7(r rune) bool {
	if g, ok := gsmEncode[r]; ok {
		return g != escape
	}
	_, ok := gsmExtEncode[r]
	return ok
}

// nationalTables are the languages of a message's shift tables; 0 is the default
// (3GPP TS 23.040, 9.2.3.24.15 and 9.2.3.24.16).
type nationalTables struct {
	locking, single int
}

// national guards the tables of charset that are built on first use.
var national sync.Mutex

func (t nationalTables) decoders() (set, ext charset.Decoder) {
	if t == (nationalTables{}) {
		return gsmDecode, gsmExtDecode
	}
	national.Lock()
	defer national.Unlock()
	return charset.NewDecoder(t.locking), charset.NewExtDecoder(t.single)
}

// decodeGSM7 reads septets, one an octet. An octet that is no septet, and an escape
// at the end, become U+FFFD. A character that the extension lacks is read in the main
// table, and an escaped escape is a space (3GPP TS 23.038, 6.2.1.1).
func decodeGSM7(body []byte, t nationalTables) string {
	set, ext := t.decoders()
	var b strings.Builder
	b.Grow(len(body))
	for i := 0; i < len(body); i++ {
		g := body[i]
		if g != escape {
			b.WriteRune(septet(set, g))
			continue
		}
		i++
		switch {
		case i == len(body):
			b.WriteRune(utf8.RuneError)
		case body[i] == escape:
			b.WriteByte(' ')
		default:
			if r, ok := ext[body[i]]; ok {
				b.WriteRune(r)
			} else {
				b.WriteRune(septet(set, body[i]))
			}
		}
	}
	return b.String()
}

func septet(set charset.Decoder, g byte) rune {
	if r, ok := set[g]; ok {
		return r
	}
	return utf8.RuneError
}
