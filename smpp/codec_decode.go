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

// The mandatory fields, in order. The list of the library itself reads a user data
// header that is not a field and fails on one that is malformed; a short_message is
// cut by hand because sm_length is not always true.
var (
	shortFields = pdufield.List{
		pdufield.ServiceType,
		pdufield.SourceAddrTON, pdufield.SourceAddrNPI, pdufield.SourceAddr,
		pdufield.DestAddrTON, pdufield.DestAddrNPI, pdufield.DestinationAddr,
		pdufield.ESMClass, pdufield.ProtocolID, pdufield.PriorityFlag,
		pdufield.ScheduleDeliveryTime, pdufield.ValidityPeriod,
		pdufield.RegisteredDelivery, pdufield.ReplaceIfPresentFlag,
		pdufield.DataCoding, pdufield.SMDefaultMsgID, pdufield.SMLength,
	}
	dataFields = pdufield.List{
		pdufield.ServiceType,
		pdufield.SourceAddrTON, pdufield.SourceAddrNPI, pdufield.SourceAddr,
		pdufield.DestAddrTON, pdufield.DestAddrNPI, pdufield.DestinationAddr,
		pdufield.ESMClass, pdufield.RegisteredDelivery, pdufield.DataCoding,
	}
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

func (p *PDU) decodeShort(body []byte) error {
	r := bytes.NewBuffer(body)
	f, err := p.fields(shortFields, r)
	if err != nil {
		return err
	}
	s := &Short{
		ESMClass: f.octet(pdufield.ESMClass), ProtocolID: f.octet(pdufield.ProtocolID),
		Priority: f.octet(pdufield.PriorityFlag),
		Schedule: f.text(pdufield.ScheduleDeliveryTime), Validity: f.text(pdufield.ValidityPeriod),
		RegisteredDelivery: f.octet(pdufield.RegisteredDelivery),
		ReplaceIfPresent:   f.octet(pdufield.ReplaceIfPresentFlag),
		DataCoding:         f.octet(pdufield.DataCoding), DefaultMessageID: f.octet(pdufield.SMDefaultMsgID),
	}
	rest := r.Bytes()
	length := int(f.octet(pdufield.SMLength))
	if length > len(rest)+1 {
		return p.malformed(StatusInvMsgLen, fmt.Sprintf("sm_length is %d and %d octets follow", length, len(rest)))
	}
	// One octet less than promised is a NUL that was counted and not sent.
	length = min(length, len(rest))
	s.Body = rest[:length:length]
	s.TLVs = decodeTLVs(rest[length:])
	return p.setShort(s, f)
}

func (p *PDU) decodeData(body []byte) error {
	r := bytes.NewBuffer(body)
	f, err := p.fields(dataFields, r)
	if err != nil {
		return err
	}
	return p.setShort(&Short{
		ESMClass: f.octet(pdufield.ESMClass), RegisteredDelivery: f.octet(pdufield.RegisteredDelivery),
		DataCoding: f.octet(pdufield.DataCoding), TLVs: decodeTLVs(r.Bytes()),
	}, f)
}

func (p *PDU) setShort(s *Short, f fieldReader) error {
	s.ServiceType = f.text(pdufield.ServiceType)
	s.Source = bridge.Address{
		TON: f.octet(pdufield.SourceAddrTON), NPI: f.octet(pdufield.SourceAddrNPI), Addr: f.text(pdufield.SourceAddr),
	}
	s.Destination = bridge.Address{
		TON: f.octet(pdufield.DestAddrTON), NPI: f.octet(pdufield.DestAddrNPI), Addr: f.text(pdufield.DestinationAddr),
	}
	if len(s.Source.Addr) > maxAddress {
		return p.malformed(StatusInvSrcAdr, fmt.Sprintf("source_addr has %d octets", len(s.Source.Addr)))
	}
	if len(s.Destination.Addr) > maxAddress {
		return p.malformed(StatusInvDstAdr, fmt.Sprintf("destination_addr has %d octets", len(s.Destination.Addr)))
	}
	p.Short = s
	return nil
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
