package smpp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"smsbridge/bridge"
)

// ValidityMode is how validity_period tells an SMSC until when a message is worth
// delivering (SMPP 3.4, 7.1.1). The zero value means [ValidityAbsolute].
type ValidityMode string

// The ways of validity_period.
const (
	ValidityAbsolute ValidityMode = "absolute" // a point in time, in UTC
	ValidityRelative ValidityMode = "relative" // a span: for SMSCs whose clock is wrong
	ValidityNone     ValidityMode = "none"     // left to the SMSC
)

// FieldsConfig are the fields of each submit_sm that an account may want otherwise. The
// zero value is what most want.
type FieldsConfig struct {
	// ServiceType is 0 to 5 octets; most operators want it empty (SMPP 3.4, 5.2.11).
	ServiceType string
	Validity    ValidityMode
	// Schedule has the SMSC deliver each message so long after its submit
	// (schedule_delivery_time; SMPP 3.4, 5.2.15), written as Validity says; 0: at once.
	// What has no more time than that left until its end goes at once.
	Schedule time.Duration
	// Priority is 0 to 3, of which 0 is the lowest (SMPP 3.4, 5.2.14).
	Priority byte
	// ProtocolID is for the phone's network (3GPP TS 23.040, 9.2.3.9).
	ProtocolID byte
	// Flash shows the text at once, and the phone does not keep it: message class 0 (3GPP
	// TS 23.038, 4) or, beside Latin-1 and ASCII, dest_addr_subunit (SMPP 3.4, 5.3.2.1).
	Flash bool
	// NoReceipts asks for no delivery receipts: what becomes of a message after the SMSC
	// has taken it stays unknown.
	NoReceipts bool
	// ConstantIDs says that the SMSC's message ids tell no message from another. Then the
	// receipts are matched by the phone, and by the user_message_reference that is sent
	// with each segment, where the SMSC returns it.
	ConstantIDs bool
	// TLVs are added as they are.
	TLVs []bridge.TLV
}

// registeredDelivery asks for a receipt of the final outcome (SMPP 3.4, 5.2.17).
const registeredDelivery byte = 1

// classZero in the general group of data_coding says class 0, in GSM 7-bit and, with
// CodingUCS2, in UCS-2 (3GPP TS 23.038, 4).
const classZero byte = 0x10

// subunitDisplay of dest_addr_subunit is the phone's display (SMPP 3.4, 5.3.2.1).
const subunitDisplay byte = 1

// submitSM makes the request for the segment that has this place, from 0.
func (l *Link) submitSM(sub bridge.Submission, segment Segment, place int) *PDU {
	fields, now := l.cfg.Fields, time.Now()
	s := &Short{
		ServiceType:        fields.ServiceType,
		Source:             sourceAddress(sub.Number),
		Destination:        destinationAddress(sub.Phone),
		ESMClass:           segment.ESMClass,
		ProtocolID:         fields.ProtocolID,
		Priority:           fields.Priority,
		Schedule:           fields.schedule(sub.ExpiresAt, now),
		Validity:           fields.Validity.period(sub.ExpiresAt, now),
		RegisteredDelivery: registeredDelivery,
		DataCoding:         segment.DataCoding,
		Body:               segment.Body,
		TLVs:               append(slices.Clip(segment.TLVs), fields.TLVs...),
	}
	if fields.NoReceipts {
		s.RegisteredDelivery = 0
	}
	if fields.Flash {
		flash(s, l.cfg.Text.Alphabet)
	}
	if fields.ConstantIDs {
		ref := binary.BigEndian.AppendUint16(nil, bridge.UserReference(sub.ID, place))
		s.TLVs = append(s.TLVs, bridge.TLV{Tag: TagUserMessageReference, Value: ref})
	}
	return &PDU{Command: SubmitSM, Short: s}
}

// flash says that the text is to be shown at once. A class in data_coding would say GSM
// 7-bit of a text in Latin-1 or ASCII: no coding group has these and a class.
func flash(s *Short, alphabet Alphabet) {
	if s.DataCoding != CodingDefault || alphabet != AlphabetLatin1 && alphabet != AlphabetASCII {
		s.DataCoding |= classZero
		return
	}
	if _, given := s.TLV(TagDestAddrSubunit); !given {
		s.TLVs = append(s.TLVs, bridge.TLV{Tag: TagDestAddrSubunit, Value: []byte{subunitDisplay}})
	}
}

// period writes validity_period; empty, for the zero time too, is the SMSC's default.
func (v ValidityMode) period(until, now time.Time) string {
	switch {
	case until.IsZero() || v == ValidityNone:
		return ""
	case v == ValidityRelative:
		return relativeTime(until.Sub(now))
	default:
		return absoluteTime(until)
	}
}

// schedule writes schedule_delivery_time of a message that is worth delivering until then, or
// without end where that is zero; empty is at once.
func (f FieldsConfig) schedule(until, now time.Time) string {
	at := now.Add(f.Schedule)
	switch {
	case f.Schedule <= 0 || !until.IsZero() && !at.Before(until):
		return ""
	case f.Validity == ValidityRelative:
		return relativeTime(f.Schedule)
	default:
		return absoluteTime(at)
	}
}

// absoluteTime writes a time as YYMMDDhhmmsstnnp in UTC (SMPP 3.4, 7.1.1.1).
func absoluteTime(t time.Time) string {
	const tenth = int(100 * time.Millisecond)
	t = t.UTC()
	return fmt.Sprintf("%s%d00+", t.Format("060102150405"), t.Nanosecond()/tenth)
}

// relativeTime writes a span as YYMMDDhhmmss000R (SMPP 3.4, 7.1.1.2), in days and less:
// what a month is differs. It is at least a second and at most 30 days.
func relativeTime(d time.Duration) string {
	const day = 24 * time.Hour
	d = min(max(d, time.Second), 30*day)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", d/day, d%day/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
}
