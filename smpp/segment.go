package smpp

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/rivo/uniseg"

	"smsbridge/bridge"
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

// octetsOfText is what fits into one short message, its header included (3GPP TS
// 23.040, 9.2.3.16): 160 septets or 70 UTF-16 units.
const octetsOfText = 140

// Errors of [Split], [Count] and so of a Carrier's Segments. People read them, so they
// do not begin with the name of this room.
var (
	// ErrText: the text is not valid UTF-8 and so cannot be sent as it is.
	ErrText = errors.New("the text is not valid Unicode (UTF-8); send it again as plain text")
	// ErrTooLong: the text needs more segments than are allowed.
	ErrTooLong = errors.New("the text is too long")
)

// Segment is one short message of a text: what goes into esm_class, data_coding,
// short_message and the optional parameters. Body begins with the user data header where
// ESMClass has [ESMUDH]; it has 1 to 160 octets, or none where TLVs has message_payload.
type Segment struct {
	ESMClass   byte
	DataCoding byte
	Body       []byte
	TLVs       []bridge.TLV
	// Count is how many short messages the SMSC makes of it: 1, or those of the whole text
	// where TLVs has message_payload.
	Count int
	// Encoding is the name of the encoding of the whole text, as in [bridge.Estimate].
	Encoding string
}

// SplitOptions are the choices of [Split].
type SplitOptions struct {
	// Ref joins the segments of one message; see [RefOf]. LongUDH8 has room for its lower
	// octet only.
	Ref uint16
	// Max is the most segments allowed, 1 to 255; 0 means 255 ([MaxSegments]).
	Max int
	// Text is how the account wants its texts.
	Text TextConfig
}

// Split makes the segments of text. A text that fits into 160 septets or 70 units of
// UTF-16 is one segment; the others are joined as opt.Text.Long says, with room for the
// header in each. With LongPayload there is one Segment, and the SMSC makes several of
// it. An escape sequence or a surrogate pair is never split, nor is what a person sees
// as one character, where that takes no more segments. An empty text has no segments.
// The error wraps [ErrText], [ErrCharacters] or [ErrTooLong].
func Split(text string, opt SplitOptions) ([]Segment, error) {
	c, err := encode(text, opt.Text)
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
		return []Segment{c.segment(c.octets, nil)}, nil
	}
	if opt.Text.Long == LongPayload {
		s := c.segment(c.octets, nil)
		s.TLVs, s.Body = []bridge.TLV{{Tag: TagMessagePayload, Value: s.Body}}, nil
		s.Count = len(ends)
		return []Segment{s}, nil
	}
	segments := make([]Segment, len(ends))
	start := 0
	for i, end := range ends {
		total, part := byte(len(ends)), byte(i+1)
		segments[i] = c.segment(c.octets[start:end], opt.Text.Long.element(opt.Ref, total, part))
		if opt.Text.Long == LongSAR {
			segments[i].TLVs = []bridge.TLV{
				{Tag: TagSARRefNum, Value: binary.BigEndian.AppendUint16(nil, opt.Ref)},
				{Tag: TagSARTotalSegments, Value: []byte{total}},
				{Tag: TagSARSegmentSeqnum, Value: []byte{part}},
			}
		}
		start = end
	}
	return segments, nil
}

// Count tells how many short messages text takes as cfg has it sent; 0 for an empty
// text. There is no limit. The error wraps [ErrText] or [ErrCharacters].
func Count(text string, cfg TextConfig) (int, error) {
	c, err := encode(text, cfg)
	if err != nil || c.length() == 0 {
		return 0, err
	}
	return len(c.ends()), nil
}

// RefOf gives the concatenation reference of a message: a function of its id, so that
// a part that is submitted again after a restart joins the parts sent before. A phone
// takes two messages for one only if their references agree, they come from the same
// Number, have equally many parts and arrive mixed: 1 chance in 256, or in 65536, for two
// long messages that are under way to one phone at the same time, which the order within
// a conversation rules out for a single conversation.
func RefOf(id string) uint16 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint16(sum[:])
}

// element is the information element that joins segments (3GPP TS 23.040, 9.2.3.24.1
// and 9.2.3.24.8).
func (m LongMode) element(ref uint16, total, part byte) []byte {
	switch m {
	case LongSAR, LongPayload:
		return nil
	case LongUDH16:
		return []byte{elementConcat16, lengthConcat16, byte(ref >> 8), byte(ref), total, part}
	default:
		return []byte{elementConcat8, lengthConcat8, byte(ref), total, part}
	}
}

// elementLength is what joining takes in the header. An SMSC makes a header of the
// sar_ parameters, with a reference of 16 bits like theirs, and one of 8 bits for
// message_payload.
func (m LongMode) elementLength() int {
	if m == LongUDH16 || m == LongSAR {
		return lengthElementHeading + lengthConcat16
	}
	return lengthElementHeading + lengthConcat8
}

// segment writes a part of the text as the account takes it, behind its header.
func (c coded) segment(octets, join []byte) Segment {
	s := Segment{DataCoding: c.coding, Count: 1, Encoding: c.name}
	var header []byte
	if n := len(join) + len(c.elements); n > 0 {
		s.ESMClass = ESMUDH
		header = append(append([]byte{byte(n)}, join...), c.elements...)
	}
	if c.coding == CodingDefault {
		switch c.cfg.Alphabet {
		case AlphabetGSM7Packed:
			octets = pack(octets, fillBits(len(header)))
		case AlphabetLatin1, AlphabetASCII:
			octets = latin1(octets)
		}
	}
	s.Body = append(header, octets...)
	return s
}

// latin1 writes septets of GSM 7-bit, all of whose characters Latin-1 has, in Latin-1.
func latin1(septets []byte) []byte {
	octets := make([]byte, 0, len(septets))
	for _, r := range decodeGSM7(septets, nationalTables{}) {
		octets = append(octets, byte(r))
	}
	return octets
}

// length is in septets or in units of UTF-16.
func (c coded) length() int { return len(c.octets) / c.unit }

// room is how many characters fit beside a header with elements of so many octets.
func (c coded) room(elements int) int {
	octets := octetsOfText
	if elements > 0 {
		octets -= 1 + elements
	}
	if c.unit == 1 {
		return octets * 8 / 7
	}
	return octets / c.unit
}

// rooms are the characters of a segment that is alone, and of each of several.
func (c coded) rooms() (alone, joined int) {
	return c.room(len(c.elements)), c.room(len(c.elements) + c.cfg.Long.elementLength())
}

// ends are the offsets in octets at which the segments end.
func (c coded) ends() []int {
	alone, joined := c.rooms()
	if c.length() <= alone {
		return []int{len(c.octets)}
	}
	ends := c.cut(joined, func(int) bool { return false })
	if c.coding != CodingUCS2 {
		return ends
	}
	inside := c.insideClusters()
	if kept := c.cut(joined, func(at int) bool { return inside[at/c.unit] }); len(kept) == len(ends) {
		return kept
	}
	return ends
}

// cut ends each segment after at most so many characters, before a place that avoid
// refuses if there is another.
func (c coded) cut(characters int, avoid func(at int) bool) []int {
	ends := make([]int, 0, c.length()/characters+1)
	for start := 0; start < len(c.octets); {
		last := min(start+characters*c.unit, len(c.octets))
		if last < len(c.octets) && c.openEnded(last) {
			last -= c.unit
		}
		end := last
		for end > start && end < len(c.octets) && avoid(end) {
			end -= c.unit
		}
		if end == start {
			end = last // one cluster fills the segment
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

// insideClusters tells of each unit of UTF-16 whether it goes on with what a person sees
// as one character (Unicode Standard Annex 29): a flag, a family, a letter with its marks.
func (c coded) insideClusters() []bool {
	inside := make([]bool, 0, c.length())
	rest, state := c.text, -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		first := len(inside)
		for _, r := range cluster {
			for range utf16.RuneLen(r) {
				inside = append(inside, true)
			}
		}
		inside[first] = false
	}
	return inside
}
