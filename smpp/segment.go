package smpp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Data codings that this room writes (SMPP 3.4, 5.2.19).
const (
	CodingDefault byte = 0x00 // the SMSC's default alphabet; GSM 7-bit, one septet an octet
	CodingUCS2    byte = 0x08 // big-endian UTF-16
)

// ESMUDH is the bit of esm_class that says that the text begins with a user data
// header (SMPP 3.4, 5.2.12).
const ESMUDH byte = 0x40

// MaxSegments is the most segments that one message can have: the header counts
// them in one octet (3GPP TS 23.040, 9.2.3.24.1).
const MaxSegments = 255

// What fits into one short message of 140 octets (3GPP TS 23.040, 9.2.3.24): 160
// septets or 70 UTF-16 units, less what the header of 6 octets takes.
const (
	septetsAlone, septetsJoined = 160, 153
	unitsAlone, unitsJoined     = 70, 67
)

// Errors of [Split], [Count] and so of a Carrier's Segments. People read them, so they
// do not begin with the name of this room.
var (
	// ErrText: the text is not valid UTF-8 and so cannot be sent as it is.
	ErrText = errors.New("the text is not valid Unicode (UTF-8); send it again as plain text")
	// ErrTooLong: the text needs more segments than are allowed.
	ErrTooLong = errors.New("the text is too long")
)

// Segment is one short message of a text: what goes into esm_class, data_coding and
// short_message. Body has 1 to 160 octets and begins with the user data header where
// ESMClass has [ESMUDH].
type Segment struct {
	ESMClass   byte
	DataCoding byte
	Body       []byte
}

// SplitOptions are the choices of [Split].
type SplitOptions struct {
	// Ref joins the segments of one message; see [RefOf].
	Ref byte
	// Max is the most segments allowed, 1 to 255; 0 means 255 ([MaxSegments]).
	Max int
}

// Split makes the segments of text: GSM 7-bit with its extension table where it has
// every character, and otherwise UCS-2. One segment carries 160 septets or 70 units
// of UTF-16; each of several carries 153 or 67 and a concatenation header with an
// 8-bit reference. An escape sequence or a surrogate pair is never split. An empty
// text has no segments. The error wraps [ErrText] or [ErrTooLong].
func Split(text string, opt SplitOptions) ([]Segment, error) {
	c, err := encode(text)
	if err != nil || c.length() == 0 {
		return nil, err
	}
	ends := c.ends()
	limit := opt.Max
	if limit <= 0 || limit > MaxSegments {
		limit = MaxSegments
	}
	if len(ends) > limit {
		return nil, fmt.Errorf("%w: it needs %d SMS and at most %d are allowed; shorten it or send it in parts", ErrTooLong, len(ends), limit)
	}
	if len(ends) == 1 {
		return []Segment{{DataCoding: c.coding, Body: c.octets}}, nil
	}
	segments := make([]Segment, len(ends))
	start := 0
	for i, end := range ends {
		// Length of the header; information element 0x00, its length, reference, total, part.
		body := append(make([]byte, 0, 6+end-start), 5, 0x00, 3, opt.Ref, byte(len(ends)), byte(i+1))
		segments[i] = Segment{ESMClass: ESMUDH, DataCoding: c.coding, Body: append(body, c.octets[start:end]...)}
		start = end
	}
	return segments, nil
}

// Count tells how many segments Split would make of text if it had no limit; 0 for an
// empty text. The error wraps [ErrText].
func Count(text string) (int, error) {
	c, err := encode(text)
	if err != nil || c.length() == 0 {
		return 0, err
	}
	return len(c.ends()), nil
}

// RefOf gives the concatenation reference of a message: a function of its id, so that
// a part that is submitted again after a restart joins the parts sent before. A phone
// takes two messages for one only if their references agree, they come from the same
// Number, have equally many parts and arrive mixed: 1 chance in 256 for two long
// messages that are under way to one phone at the same time, which the order within a
// conversation rules out for a single conversation.
func RefOf(id string) byte {
	return sha256.Sum256([]byte(id))[0]
}

// coded is a text in the alphabet that it goes out in.
type coded struct {
	coding byte
	octets []byte
	unit   int // octets of a character: 1, or 2 for UTF-16
}

func encode(text string) (coded, error) {
	if !utf8.ValidString(text) {
		return coded{}, ErrText
	}
	if octets, ok := encodeGSM7(text); ok {
		return coded{CodingDefault, octets, 1}, nil
	}
	return coded{CodingUCS2, encodeUTF16(text), 2}, nil
}

// length is in septets or in units of UTF-16.
func (c coded) length() int { return len(c.octets) / c.unit }

// ends are the offsets in octets at which the segments end.
func (c coded) ends() []int {
	alone, joined := septetsAlone, septetsJoined
	if c.coding == CodingUCS2 {
		alone, joined = unitsAlone, unitsJoined
	}
	if c.length() <= alone {
		return []int{len(c.octets)}
	}
	ends := make([]int, 0, c.length()/joined+1)
	for start := 0; start < len(c.octets); {
		end := min(start+joined*c.unit, len(c.octets))
		if end < len(c.octets) && c.openEnded(end) {
			end -= c.unit
		}
		ends = append(ends, end)
		start = end
	}
	return ends
}

// openEnded tells whether the character before end goes on after it. 0x1B is only ever
// an escape here, and its second septet is never 0x1B.
func (c coded) openEnded(end int) bool {
	if c.coding == CodingUCS2 {
		return c.octets[end-2]&0xFC == 0xD8 // high surrogate: 0xD800 to 0xDBFF
	}
	return c.octets[end-1] == escape
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
