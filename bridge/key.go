package bridge

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"slices"
	"strings"

	"smsbridge/addressing"
)

// lowerBase32 spells ids: no padding, no mixed case, safe in a subject, an XML
// attribute and a URL.
var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// MessageID is the id of an MT message: a function of who wrote it and of the
// sender's own id, so that a repeat has the same id on any instance and after any
// crash. It has 26 characters of a-z and 2-7, 130 bits.
func MessageID(h addressing.Handle, networkID string) string {
	sum := sha256.Sum256([]byte(h.String() + "\x00" + networkID))
	return lowerBase32.EncodeToString(sum[:])[:26]
}

// digest tells one text to one phone from another under the same id.
func digest(phone addressing.MSISDN, text string) string {
	sum := sha256.Sum256([]byte(phone.String() + "\x00" + text))
	return lowerBase32.EncodeToString(sum[:])[:26]
}

// Once names m for a queue that drops repeats for a while: its id and what it says, so that
// another text under the same id is not lost.
func (m MT) Once() string { return m.ID + "-" + digest(m.Phone, m.Text)[:8] }

// Key names the conversation whose order the queue keeps.
func (m MT) Key() string { return m.Handle.String() + " " + m.Phone.String() }

// Key names the conversation whose order the queue keeps. A receipt has a key of
// its own: it may have to wait for the submit_sm_resp that tells its id, and nobody
// must wait for it.
func (m MO) Key() string {
	if m.IsReceipt() {
		return m.ID
	}
	return m.Source.Addr + " " + m.Destination.Addr
}

// esmTypeMask selects the message type of esm_class (SMPP 3.4, 5.2.12).
const esmTypeMask = 0x3C

// The optional parameters that only a receipt has together (SMPP 3.4, 5.3.2.12 and
// 5.3.2.35). receipted_message_id alone proves nothing: some SMSCs put it into every MO.
const (
	tagReceiptedMessageID = 0x001E
	tagMessageState       = 0x0427
)

// IsReceipt tells whether esm_class marks a delivery receipt, or an intermediate
// notification, which some SMSCs mark 0x08 or 0x20; or whether the parameters do.
func (m MO) IsReceipt() bool {
	switch m.ESMClass & esmTypeMask {
	case 0x04, 0x08, 0x20:
		return true
	}
	has := func(tag uint16) bool {
		return slices.ContainsFunc(m.TLVs, func(t TLV) bool { return t.Tag == tag })
	}
	return has(tagMessageState) && has(tagReceiptedMessageID)
}

// saying are the optional parameters that are part of what a message says (SMPP 3.4,
// 5.3.2): its text, its place in a long one, and what a receipt is about. Others, such as
// an SMSC's own time stamps or what a wrong command_length drags in, differ when it comes
// again.
var saying = map[uint16]bool{
	0x0424: true,                             // message_payload
	0x020C: true, 0x020E: true, 0x020F: true, // sar_msg_ref_num, sar_total_segments, sar_segment_seqnum
	0x0204: true,               // user_message_reference
	0x001E: true, 0x0427: true, // receipted_message_id, message_state
}

// Content names an MO message by its account and what it says: the same when the SMSC sends
// it again, but also when a person says the same thing twice.
func (m MO) Content() string {
	sum := sha256.New()
	part := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		sum.Write(n[:])
		sum.Write(b)
	}
	part([]byte(m.Account))
	part([]byte(m.Source.Addr))
	part([]byte(m.Destination.Addr))
	part([]byte{m.ESMClass, m.DataCoding, m.ProtocolID})
	part(m.Body)
	for _, t := range m.TLVs {
		if !saying[t.Tag] {
			continue
		}
		part(binary.BigEndian.AppendUint16(nil, t.Tag))
		part(t.Value)
	}
	return lowerBase32.EncodeToString(sum.Sum(nil))
}

// Lane is what the queue spreads messages over its lanes by: the phone.
func (m MO) Lane() string { return strings.TrimPrefix(m.Source.Addr, "+") }

// Key names the conversation whose order the queue keeps.
func (m OUT) Key() string { return m.Handle.String() + " " + m.Phone.String() }

// UserReference is the user_message_reference of a segment, from 0 (SMPP 3.4, 5.3.2.17):
// a function of the message's id, so that it is the same after a restart.
func UserReference(messageID string, segment int) uint16 {
	sum := sha256.Sum256([]byte("reference " + messageID))
	return binary.BigEndian.Uint16(sum[:]) + uint16(segment)
}
