package smpp

import (
	"fmt"

	"smsbridge/bridge"
)

// PDU is one message of the protocol. Only the part that its Command has is set.
type PDU struct {
	Command  Command
	Status   Status // zero in a request
	Sequence uint32 // given by the Session to a request; an answer echoes it

	// Bind is the body of bind_* and, but for the last fields, of outbind.
	Bind *Bind
	// Short is the body of submit_sm, deliver_sm and data_sm.
	Short *Short
	// MessageID is the body of submit_sm_resp, deliver_sm_resp and data_sm_resp.
	MessageID string
	// SystemID is the body of bind_*_resp.
	SystemID string
	// TLVs are the optional parameters of a response. Those of a Short stand there.
	TLVs []bridge.TLV
	// Raw is the body, as it came, of every other command.
	Raw []byte
}

// Bind are the fields of bind_* (SMPP 3.4, 4.1.1 to 4.1.5).
type Bind struct {
	SystemID         string // up to 15 octets
	Password         string // up to 64: the specification has 8, and SMSCs take more
	SystemType       string // up to 12
	InterfaceVersion byte   // 0x34 for SMPP 3.4
	AddrTON, AddrNPI byte
	AddressRange     string // up to 40
	TLVs             []bridge.TLV
}

// Version34 is the interface_version of SMPP 3.4.
const Version34 byte = 0x34

// Short are the fields of submit_sm, deliver_sm and data_sm (SMPP 3.4, 4.4.1, 4.6.1
// and 4.7.1). data_sm has no ProtocolID, Priority, Schedule, Validity,
// ReplaceIfPresent, DefaultMessageID and Body: its text is in message_payload.
type Short struct {
	ServiceType        string // up to 5 octets
	Source             bridge.Address
	Destination        bridge.Address
	ESMClass           byte
	ProtocolID         byte
	Priority           byte
	Schedule           string // empty or 16 octets (SMPP 3.4, 7.1.1)
	Validity           string // empty or 16 octets
	RegisteredDelivery byte
	ReplaceIfPresent   byte
	DataCoding         byte
	DefaultMessageID   byte
	Body               []byte // short_message, up to 254 octets, with its header if it has one
	TLVs               []bridge.TLV
}

// TLV finds the value of the first optional parameter with tag.
func (s *Short) TLV(tag uint16) ([]byte, bool) {
	for _, t := range s.TLVs {
		if t.Tag == tag {
			return t.Value, true
		}
	}
	return nil, false
}

// Answer makes the response to p with status, and nothing else in it.
func (p *PDU) Answer(status Status) *PDU {
	return &PDU{Command: p.Command.Response(), Status: status, Sequence: p.Sequence}
}

// The tags of optional parameters that this room reads or writes (SMPP 3.4, 5.3.2).
const (
	TagDestAddrSubunit      uint16 = 0x0005
	TagReceiptedMessageID   uint16 = 0x001E
	TagUserMessageReference uint16 = 0x0204
	TagSARRefNum            uint16 = 0x020C
	TagSARTotalSegments     uint16 = 0x020E
	TagSARSegmentSeqnum     uint16 = 0x020F
	TagSCInterfaceVersion   uint16 = 0x0210
	TagNetworkErrorCode     uint16 = 0x0423
	TagMessagePayload       uint16 = 0x0424
	TagMessageState         uint16 = 0x0427
)

// DecodeError says why a PDU could not be read. [Decode] returns it together with
// a PDU that has the header, so that the sender can be answered with Status.
type DecodeError struct {
	Command Command
	Status  Status // what to answer
	Reason  string
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("smpp: malformed %s: %s", e.Command, e.Reason)
}

// EncodeError says which field of a PDU cannot be written as it is.
type EncodeError struct {
	Command Command
	Field   string
	Reason  string
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("smpp: cannot write %s: %s %s", e.Command, e.Field, e.Reason)
}
