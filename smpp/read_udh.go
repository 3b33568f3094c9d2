package smpp

import (
	"encoding/binary"

	"smsbridge/bridge"
)

// Information elements of a user data header (3GPP TS 23.040, 9.2.3.24).
const (
	elementConcat8       = 0x00
	elementConcat16      = 0x08
	elementSingleShift   = 0x24
	elementLockingShift  = 0x25
	lengthConcat8        = 3
	lengthConcat16       = 4
	lengthShift          = 1
	lengthElementHeading = 2
	elementPorts8        = 0x04
	elementPorts16       = 0x05
	lengthPorts8         = 2
	lengthPorts16        = 4
)

// header is what a user data header says about the text behind it.
type header struct {
	length int // in octets, its own length octet included; 0 where there is none
	concat bridge.Concat
	tables nationalTables
	ported bool // it is for the program at a port
	port   int
}

// parseHeader reads the information elements, without the length octet before them. An
// element that is not known or not of its length is skipped; a later one wins over an
// earlier of the same kind. It is false where not even one element is whole.
func parseHeader(b []byte) (header, bool) {
	var h header
	whole := false
	for len(b) >= lengthElementHeading {
		id, end := b[0], lengthElementHeading+int(b[1])
		if end > len(b) {
			break
		}
		h.read(id, b[lengthElementHeading:end])
		whole = true
		b = b[end:]
	}
	return h, whole
}

func (h *header) read(id byte, v []byte) {
	switch {
	case id == elementConcat8 && len(v) == lengthConcat8:
		h.concat = concat(int(v[0]), false, v[1], v[2])
	case id == elementConcat16 && len(v) == lengthConcat16:
		h.concat = concat(int(binary.BigEndian.Uint16(v)), true, v[2], v[3])
	case id == elementSingleShift && len(v) == lengthShift:
		h.tables.single = int(v[0])
	case id == elementLockingShift && len(v) == lengthShift:
		h.tables.locking = int(v[0])
	case id == elementPorts8 && len(v) == lengthPorts8:
		h.ported, h.port = true, int(v[0])
	case id == elementPorts16 && len(v) == lengthPorts16:
		h.ported, h.port = true, int(binary.BigEndian.Uint16(v))
	}
}

// place is where the segment stands: the header says so, or else the parameters.
func (h header) place(tlvs []bridge.TLV) bridge.Concat {
	if h.concat.IsZero() {
		return sarConcat(tlvs)
	}
	return h.concat
}

// sarConcat places a segment by the sar_ parameters (SMPP 3.4, 5.3.2.22 to 5.3.2.24).
func sarConcat(tlvs []bridge.TLV) bridge.Concat {
	ref, _ := findTLV(tlvs, TagSARRefNum)
	total, _ := findTLV(tlvs, TagSARTotalSegments)
	part, _ := findTLV(tlvs, TagSARSegmentSeqnum)
	if len(ref) != 2 || len(total) != 1 || len(part) != 1 {
		return bridge.Concat{}
	}
	return concat(int(binary.BigEndian.Uint16(ref)), true, total[0], part[0])
}

// concat is zero where the segment is a whole message, and where the numbers make no
// sense: then the header counts as absent (3GPP TS 23.040, 9.2.3.24.1).
func concat(ref int, wide bool, total, part byte) bridge.Concat {
	if total < 2 || part == 0 || part > total {
		return bridge.Concat{}
	}
	return bridge.Concat{Ref: ref, Wide: wide, Total: int(total), Part: int(part)}
}
