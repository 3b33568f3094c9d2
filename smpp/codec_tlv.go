package smpp

import (
	"encoding/binary"

	"smsbridge/bridge"
)

// decodeTLVs reads optional parameters (SMPP 3.4, 3.2.4) in their order, as far as
// they go. Some SMSCs put a stray NUL after the mandatory fields: where the octets
// make whole parameters only without it, it is skipped. A length that runs past the
// end takes what is there: it may be the text.
//
// The library's own decoder keeps neither order nor repeats, and gives nothing at
// all where one length is wrong.
func decodeTLVs(b []byte) []bridge.TLV {
	if len(b) < 4 {
		return nil
	}
	all, whole := scanTLVs(b)
	if !whole && b[0] == 0 {
		if shifted, ok := scanTLVs(b[1:]); ok {
			return shifted
		}
	}
	return all
}

func scanTLVs(b []byte) (all []bridge.TLV, whole bool) {
	for len(b) >= 4 {
		tag, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		n := min(length, len(b))
		all = append(all, bridge.TLV{Tag: tag, Value: b[:n:n]})
		if n < length {
			return all, false
		}
		b = b[n:]
	}
	return all, len(b) == 0
}
