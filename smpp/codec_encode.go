package smpp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"

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

// encoder writes fields through the library's types, and keeps the first error.
type encoder struct {
	command Command
	b       bytes.Buffer
	err     error
}

// Encode writes p as one frame. A value that does not fit its field, or that has a
// NUL and so would run into the next field, is an [*EncodeError]; nothing is ever
// cut to fit.
func Encode(p *PDU) ([]byte, error) {
	e := encoder{command: p.Command}
	e.b.Grow(256)
	e.b.Write(make([]byte, headerLen))
	e.body(p)
	if e.err != nil {
		return nil, e.err
	}
	frame := e.b.Bytes()
	if len(frame) > DefaultMaxPDU {
		return nil, &EncodeError{Command: p.Command, Field: "the PDU", Reason: fmt.Sprintf("has %d octets; at most %d are allowed", len(frame), DefaultMaxPDU)}
	}
	h := pdu.Header{Len: uint32(len(frame)), ID: pdu.ID(p.Command), Status: pdu.Status(p.Status), Seq: p.Sequence}
	var head bytes.Buffer
	if err := h.SerializeTo(&head); err != nil {
		return nil, fmt.Errorf("smpp: cannot write %s: %w", p.Command, err)
	}
	copy(frame, head.Bytes())
	return frame, nil
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
			e.cstring("system_id", p.SystemID, maxSystemID)
			e.tlvs(p.TLVs)
		}
	default:
		e.b.Write(p.Raw)
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
	e.keep((&pdufield.SM{Data: s.Body}).SerializeTo(&e.b))
	e.tlvs(s.TLVs)
}

func (e *encoder) bind(b *Bind) {
	e.cstring("system_id", b.SystemID, maxSystemID)
	e.cstring("password", b.Password, maxPassword)
	if e.command == Outbind {
		return
	}
	e.cstring("system_type", b.SystemType, maxSystemType)
	e.octets(b.InterfaceVersion, b.AddrTON, b.AddrNPI)
	e.cstring("address_range", b.AddressRange, maxRange)
	e.tlvs(b.TLVs)
}

func (e *encoder) octets(values ...byte) {
	for _, v := range values {
		e.keep((&pdufield.Fixed{Data: v}).SerializeTo(&e.b))
	}
}

// cstring writes value and its NUL. Values of fields may be secret or a person's
// number, so an error does not repeat them.
func (e *encoder) cstring(field, value string, limit int) {
	if strings.IndexByte(value, 0) >= 0 {
		e.fail(field, "has a NUL in it")
		return
	}
	if len(value) > limit {
		e.fail(field, fmt.Sprintf("has %d octets; at most %d are allowed", len(value), limit))
		return
	}
	e.keep((&pdufield.Variable{Data: []byte(value)}).SerializeTo(&e.b))
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
		e.keep((&pdutlv.Field{Tag: pdutlv.Tag(t.Tag), Data: t.Value}).SerializeTo(&e.b))
	}
}

func (e *encoder) fail(field, reason string) {
	e.keep(&EncodeError{Command: e.command, Field: field, Reason: reason})
}

func (e *encoder) keep(err error) {
	if e.err == nil {
		e.err = err
	}
}

// setSequence changes the sequence_number of an encoded frame.
func setSequence(frame []byte, sequence uint32) {
	binary.BigEndian.PutUint32(frame[12:], sequence)
}
