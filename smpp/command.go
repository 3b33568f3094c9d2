package smpp

import "fmt"

// Command is a command_id (SMPP 3.4, 5.1.2.1).
type Command uint32

// The commands. A response is its request with the highest bit set.
const (
	GenericNack         Command = 0x80000000
	BindReceiver        Command = 0x00000001
	BindReceiverResp    Command = 0x80000001
	BindTransmitter     Command = 0x00000002
	BindTransmitterResp Command = 0x80000002
	QuerySM             Command = 0x00000003
	QuerySMResp         Command = 0x80000003
	SubmitSM            Command = 0x00000004
	SubmitSMResp        Command = 0x80000004
	DeliverSM           Command = 0x00000005
	DeliverSMResp       Command = 0x80000005
	Unbind              Command = 0x00000006
	UnbindResp          Command = 0x80000006
	ReplaceSM           Command = 0x00000007
	ReplaceSMResp       Command = 0x80000007
	CancelSM            Command = 0x00000008
	CancelSMResp        Command = 0x80000008
	BindTransceiver     Command = 0x00000009
	BindTransceiverResp Command = 0x80000009
	Outbind             Command = 0x0000000B
	EnquireLink         Command = 0x00000015
	EnquireLinkResp     Command = 0x80000015
	SubmitMulti         Command = 0x00000021
	SubmitMultiResp     Command = 0x80000021
	AlertNotification   Command = 0x00000102
	DataSM              Command = 0x00000103
	DataSMResp          Command = 0x80000103
)

const responseBit Command = 0x80000000

var commandNames = map[Command]string{
	GenericNack: "generic_nack", BindReceiver: "bind_receiver", BindTransmitter: "bind_transmitter",
	QuerySM: "query_sm", SubmitSM: "submit_sm", DeliverSM: "deliver_sm", Unbind: "unbind",
	ReplaceSM: "replace_sm", CancelSM: "cancel_sm", BindTransceiver: "bind_transceiver", Outbind: "outbind",
	EnquireLink: "enquire_link", SubmitMulti: "submit_multi", AlertNotification: "alert_notification", DataSM: "data_sm",
}

// String is the name in the specification, such as submit_sm_resp, or the number.
func (c Command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	if name, ok := commandNames[c.Request()]; ok && c.HasResponse() {
		return name + "_resp"
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

// IsResponse tells whether c answers a request; generic_nack does.
func (c Command) IsResponse() bool { return c&responseBit != 0 }

// Response is the command that answers the request c.
func (c Command) Response() Command { return c | responseBit }

// Request is the command that the response c answers.
func (c Command) Request() Command { return c &^ responseBit }

// Known tells whether SMPP 3.4 defines c.
func (c Command) Known() bool {
	if _, ok := commandNames[c]; ok {
		return true
	}
	_, ok := commandNames[c.Request()]
	return ok && c.HasResponse()
}

// HasResponse tells whether the request c, or the request that c answers, has a
// response: outbind and alert_notification have none (SMPP 3.4, 4.1.7 and 4.12.1).
func (c Command) HasResponse() bool {
	switch c.Request() {
	case Outbind, AlertNotification, GenericNack.Request():
		return false
	default:
		return true
	}
}

// isBind tells whether c is one of the three bind requests.
func (c Command) isBind() bool {
	return c == BindReceiver || c == BindTransmitter || c == BindTransceiver
}
