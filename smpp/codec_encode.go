package smpp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"

	"smsbridge/bridge"
)

// The longest values of fields in octets, without the NUL (SMPP 3.4, 4.1.1, 4.4.1).
const (
	maxSystemID     = 15
	maxPassword     = 64 // the specification has 8; SMSCs give out longer ones
	maxSystemType   = 12
	maxRange        = 40
	maxServiceType  = 5
	maxShortAddress = 20
	maxTime         = 16
	maxShortMessage = 254
	maxMessageID    = 64
)

// encoder writes fields, and keeps the first error. What goes over a link all the time
// (submit_sm, deliver_sm and their responses) is written by hand, which takes a fraction
// of the time of the library's types; the rest is written through these. A test holds
// both to the same octets.
type encoder struct {
	command Command
	b       []byte
	err     error
}

// frameSize is room for a submit_sm with a full text and some parameters.
const frameSize = 256

// Encode writes p as one frame. A value that does not fit its field, or that has a
// NUL and so would run into the next field, is an [*EncodeError]; nothing is ever
// cut to fit.
func Encode(p *PDU) ([]byte, error) {
	size := frameSize
	if p.Command.IsResponse() {
		size = frameSize / 4
	}
	e := encoder{command: p.Command, b: make([]byte, headerLen, size)}
	e.body(p)
	if e.err != nil {
		return nil, e.err
	}
	if len(e.b) > DefaultMaxPDU {
		return nil, &EncodeError{Command: p.Command, Field: "the PDU", Reason: fmt.Sprintf("has %d octets; at most %d are allowed", len(e.b), DefaultMaxPDU)}
	}
	// The header is the same for all (SMPP 3.4, 3.2).
	binary.BigEndian.PutUint32(e.b, uint32(len(e.b)))
	binary.BigEndian.PutUint32(e.b[4:], uint32(p.Command))
	binary.BigEndian.PutUint32(e.b[8:], uint32(p.Status))
	binary.BigEndian.PutUint32(e.b[12:], p.Sequence)
	return e.b, nil
}

func (e *encoder) body(p *PDU) {
	switch p.Command {
	case SubmitSM, DeliverSM, DataSM:
		if p.Short == nil {
			e.fail("the body", "is missing")
			return
		}
		e.short(p.Short)
	case BindReceiver, BindTransmitter, BindTransceiver, Outbind:
		if p.Bind == nil {
			e.fail("the body", "is missing")
			return
		}
		e.bind(p.Bind)
	case SubmitSMResp, DeliverSMResp, DataSMResp:
		// The body of an error is left out (SMPP 3.4, 4.4.2).
		if p.Status == StatusOK || p.MessageID != "" || len(p.TLVs) > 0 {
			e.cstring("message_id", p.MessageID, maxMessageID)
			e.tlvs(p.TLVs)
		}
	case BindReceiverResp, BindTransmitterResp, BindTransceiverResp:
		if p.Status == StatusOK || p.SystemID != "" || len(p.TLVs) > 0 {
			e.variable("system_id", p.SystemID, maxSystemID)
			e.tlvs(p.TLVs)
		}
	default:
		e.b = append(e.b, p.Raw...)
	}
}

func (e *encoder) short(s *Short) {
	maxAddr := maxShortAddress
	if e.command == DataSM {
		maxAddr = maxAddress
	}
	e.cstring("service_type", s.ServiceType, maxServiceType)
	e.octets(s.Source.TON, s.Source.NPI)
	e.cstring("source_addr", s.Source.Addr, maxAddr)
	e.octets(s.Destination.TON, s.Destination.NPI)
	e.cstring("destination_addr", s.Destination.Addr, maxAddr)
	if e.command == DataSM {
		if len(s.Body) > 0 {
			e.fail("short_message", "is not a field of it; use message_payload")
		}
		e.octets(s.ESMClass, s.RegisteredDelivery, s.DataCoding)
		e.tlvs(s.TLVs)
		return
	}
	e.octets(s.ESMClass, s.ProtocolID, s.Priority)
	e.time("schedule_delivery_time", s.Schedule)
	e.time("validity_period", s.Validity)
	if len(s.Body) > maxShortMessage {
		e.fail("short_message", fmt.Sprintf("has %d octets; at most %d are allowed", len(s.Body), maxShortMessage))
		return
	}
	e.octets(s.RegisteredDelivery, s.ReplaceIfPresent, s.DataCoding, s.DefaultMessageID, byte(len(s.Body)))
	e.b = append(e.b, s.Body...)
	e.tlvs(s.TLVs)
}

func (e *encoder) bind(b *Bind) {
	e.variable("system_id", b.SystemID, maxSystemID)
	e.variable("password", b.Password, maxPassword)
	if e.command == Outbind {
		return
	}
	e.variable("system_type", b.SystemType, maxSystemType)
	for _, v := range []byte{b.InterfaceVersion, b.AddrTON, b.AddrNPI} {
		e.b = append(e.b, (&pdufield.Fixed{Data: v}).Bytes()...)
	}
	e.variable("address_range", b.AddressRange, maxRange)
	e.tlvs(b.TLVs)
}

// variable is cstring through the library.
func (e *encoder) variable(field, value string, limit int) {
	if e.fits(field, value, limit) {
		e.b = append(e.b, (&pdufield.Variable{Data: []byte(value)}).Bytes()...)
	}
}

func (e *encoder) octets(values ...byte) { e.b = append(e.b, values...) }

// cstring writes value and its NUL.
func (e *encoder) cstring(field, value string, limit int) {
	if e.fits(field, value, limit) {
		e.b = append(append(e.b, value...), 0)
	}
}

// fits tells whether value may stand in field. Values of fields may be secret or a
// person's number, so an error does not repeat them.
func (e *encoder) fits(field, value string, limit int) bool {
	switch {
	case strings.IndexByte(value, 0) >= 0:
		e.fail(field, "has a NUL in it")
	case len(value) > limit:
		e.fail(field, fmt.Sprintf("has %d octets; at most %d are allowed", len(value), limit))
	default:
		return true
	}
	return false
}

func (e *encoder) time(field, value string) {
	if value != "" && len(value) != maxTime {
		e.fail(field, fmt.Sprintf("has %d octets; it must be empty or have %d", len(value), maxTime))
		return
	}
	e.cstring(field, value, maxTime)
}

func (e *encoder) tlvs(all []bridge.TLV) {
	for _, t := range all {
		if len(t.Value) > 0xFFFF {
			e.fail(fmt.Sprintf("the optional parameter 0x%04X", t.Tag), "has more than 65535 octets")
			return
		}
		e.b = binary.BigEndian.AppendUint16(e.b, t.Tag)
		e.b = binary.BigEndian.AppendUint16(e.b, uint16(len(t.Value)))
		e.b = append(e.b, t.Value...)
	}
}

func (e *encoder) fail(field, reason string) {
	if e.err == nil {
		e.err = &EncodeError{Command: e.command, Field: field, Reason: reason}
	}
}

// setSequence changes the sequence_number of an encoded frame.
func setSequence(frame []byte, sequence uint32) {
	binary.BigEndian.PutUint32(frame[12:], sequence)
}
