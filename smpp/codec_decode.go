package smpp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"

	"smsbridge/bridge"
)

const headerLen = pdu.HeaderLen

// maxAddress is the longest address that is taken, in octets: data_sm allows 64, the
// others 20 (SMPP 3.4, 4.7.1), and some SMSCs put long ones everywhere.
const maxAddress = 64

// The mandatory fields of what is read through the library, in order. The list of the
// library itself for deliver_sm reads a user data header that is not a field and fails
// on one that is malformed, and makes a map of seventeen fields: see decodeShort.
var (
	bindFields = pdufield.List{
		pdufield.SystemID, pdufield.Password, pdufield.SystemType,
		pdufield.InterfaceVersion, pdufield.AddrTON, pdufield.AddrNPI, pdufield.AddressRange,
	}
	outbindFields = pdufield.List{pdufield.SystemID, pdufield.Password}
)

// Decode reads a PDU from a frame, which begins with command_length. The PDU keeps
// parts of frame: it must not change afterwards. Where the body is malformed the
// error is a [*DecodeError] and the PDU has the header. Where not even the header
// can be read the PDU is nil. A response is never malformed: what came is taken as
// far as it goes, for many SMSCs cut the body of an error short.
func Decode(frame []byte) (*PDU, error) {
	if len(frame) < headerLen {
		return nil, fmt.Errorf("smpp: a PDU of %d octets is shorter than a header", len(frame))
	}
	length := binary.BigEndian.Uint32(frame)
	if length < headerLen || uint64(length) > uint64(len(frame)) {
		return nil, fmt.Errorf("smpp: command_length is %d in a PDU of %d octets", length, len(frame))
	}
	p := &PDU{
		Command:  Command(binary.BigEndian.Uint32(frame[4:])),
		Status:   Status(binary.BigEndian.Uint32(frame[8:])),
		Sequence: binary.BigEndian.Uint32(frame[12:]),
	}
	return p, p.decodeBody(frame[headerLen:length:length])
}

func (p *PDU) decodeBody(body []byte) error {
	switch p.Command {
	case SubmitSM, DeliverSM:
		return p.decodeShort(body)
	case DataSM:
		return p.decodeData(body)
	case BindReceiver, BindTransmitter, BindTransceiver, Outbind:
		return p.decodeBind(body)
	case SubmitSMResp, DeliverSMResp, DataSMResp:
		p.MessageID, body = cutCString(body)
		p.TLVs = decodeTLVs(body)
	case BindReceiverResp, BindTransmitterResp, BindTransceiverResp:
		p.SystemID, body = cutCString(body)
		p.TLVs = decodeTLVs(body)
	default:
		p.Raw = body
	}
	return nil
}

// fieldReader gives the fields that the library decoded.
type fieldReader pdufield.Map

func (f fieldReader) octet(name pdufield.Name) byte {
	if v, ok := f[name].(*pdufield.Fixed); ok {
		return v.Data
	}
	return 0
}

func (f fieldReader) text(name pdufield.Name) string {
	if v, ok := f[name].(*pdufield.Variable); ok {
		return v.String()
	}
	return ""
}

// fields decodes the mandatory fields in list, all of which must be there.
func (p *PDU) fields(list pdufield.List, r *bytes.Buffer) (fieldReader, error) {
	m, err := list.Decode(r)
	if err != nil {
		return nil, p.malformed(StatusInvMsgLen, err.Error())
	}
	for _, name := range list {
		if _, ok := m[name]; !ok {
			return nil, p.malformed(StatusInvMsgLen, "it ends before "+string(name))
		}
	}
	return fieldReader(m), nil
}

func (p *PDU) malformed(status Status, reason string) error {
	return &DecodeError{Command: p.Command, Status: status, Reason: reason}
}

// decodeShort reads submit_sm and deliver_sm, by hand: they are what comes all the time.
// A short_message is cut with care because sm_length is not always true.
func (p *PDU) decodeShort(body []byte) error {
	r := bodyReader{rest: body}
	s := &Short{ServiceType: r.text(), Source: r.address(), Destination: r.address()}
	s.ESMClass, s.ProtocolID, s.Priority = r.octet(), r.octet(), r.octet()
	s.Schedule, s.Validity = r.text(), r.text()
	s.RegisteredDelivery, s.ReplaceIfPresent = r.octet(), r.octet()
	s.DataCoding, s.DefaultMessageID = r.octet(), r.octet()
	length := int(r.octet())
	if r.short {
		return p.malformed(StatusInvMsgLen, "it ends before sm_length")
	}
	if length > len(r.rest)+1 {
		return p.malformed(StatusInvMsgLen, fmt.Sprintf("sm_length is %d and %d octets follow", length, len(r.rest)))
	}
	// One octet less than promised is a NUL that was counted and not sent.
	length = min(length, len(r.rest))
	s.Body = r.rest[:length:length]
	s.TLVs = decodeTLVs(r.rest[length:])
	return p.setShort(s)
}

func (p *PDU) decodeData(body []byte) error {
	r := bodyReader{rest: body}
	s := &Short{ServiceType: r.text(), Source: r.address(), Destination: r.address()}
	s.ESMClass, s.RegisteredDelivery, s.DataCoding = r.octet(), r.octet(), r.octet()
	if r.short {
		return p.malformed(StatusInvMsgLen, "it ends before data_coding")
	}
	s.TLVs = decodeTLVs(r.rest)
	return p.setShort(s)
}

func (p *PDU) setShort(s *Short) error {
	if len(s.Source.Addr) > maxAddress {
		return p.malformed(StatusInvSrcAdr, fmt.Sprintf("source_addr has %d octets", len(s.Source.Addr)))
	}
	if len(s.Destination.Addr) > maxAddress {
		return p.malformed(StatusInvDstAdr, fmt.Sprintf("destination_addr has %d octets", len(s.Destination.Addr)))
	}
	p.Short = s
	return nil
}

// bodyReader reads mandatory fields. Once it has run out of octets it is short, and
// reads nothing more.
type bodyReader struct {
	rest  []byte
	short bool
}

func (r *bodyReader) octet() byte {
	if len(r.rest) == 0 {
		r.short = true
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// text reads a C-octet string, which must have its NUL.
func (r *bodyReader) text() string {
	n := bytes.IndexByte(r.rest, 0)
	if n < 0 {
		r.short, r.rest = true, nil
		return ""
	}
	v := string(r.rest[:n])
	r.rest = r.rest[n+1:]
	return v
}

func (r *bodyReader) address() bridge.Address {
	return bridge.Address{TON: r.octet(), NPI: r.octet(), Addr: r.text()}
}

func (p *PDU) decodeBind(body []byte) error {
	list := bindFields
	if p.Command == Outbind {
		list = outbindFields
	}
	r := bytes.NewBuffer(body)
	f, err := p.fields(list, r)
	if err != nil {
		return err
	}
	p.Bind = &Bind{
		SystemID: f.text(pdufield.SystemID), Password: f.text(pdufield.Password),
		SystemType: f.text(pdufield.SystemType), InterfaceVersion: f.octet(pdufield.InterfaceVersion),
		AddrTON: f.octet(pdufield.AddrTON), AddrNPI: f.octet(pdufield.AddrNPI),
		AddressRange: f.text(pdufield.AddressRange),
	}
	if p.Command != Outbind {
		p.Bind.TLVs = decodeTLVs(r.Bytes())
	}
	return nil
}

// cutCString takes a C-octet string off b; one without its NUL is all of b.
func cutCString(b []byte) (s string, rest []byte) {
	before, after, _ := bytes.Cut(b, []byte{0})
	return string(before), after
}
