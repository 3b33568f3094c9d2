package bridge

import (
	"time"

	"smsbridge/addressing"
)

// MT is a message on its way from a PC user to a phone, as the queue stores it.
type MT struct {
	V int `json:"v"`
	// ID is ours. It is made from the sender and the sender's own id of the message
	// (see [MessageID]), so that a repeat is recognised after any crash.
	ID string `json:"id"`
	// Handle is who wrote it. The zero Handle is the bridge itself.
	Handle addressing.Handle `json:"handle"`
	Phone  addressing.MSISDN `json:"phone"`
	Number addressing.Number `json:"number"`
	Text   string            `json:"text"`
	// Prefix goes before the text on the wire: who writes, on a shared Number.
	Prefix string `json:"prefix,omitempty"`
	// Wire goes out in place of Prefix and Text: what the bridge writes in the sender's name.
	Wire string `json:"wire,omitempty"`
	// NetworkID is the sender's id of the message, which statuses refer to.
	NetworkID string `json:"network_id,omitempty"`
	// ReplyTo is the full address to which statuses go where that is narrower than
	// the Handle: an XMPP resource. Optional.
	ReplyTo    string    `json:"reply_to,omitempty"`
	AcceptedAt time.Time `json:"accepted_at"`
	// By names the process of the bridge that accepted it, and that wrote it into the log of
	// its conversation. Empty where nobody did.
	By string `json:"by,omitempty"`
	// ExpiresAt is when the text is of no use any more: the end of its validity.
	ExpiresAt time.Time `json:"expires_at"`
	// Trace is where its trace goes on; empty where it is not traced.
	Trace Trace `json:"trace,omitempty"`
}

// MO is one short message from an SMSC, raw, as it is stored before deliver_sm_resp:
// everything that reading it later may need (SMPP 3.4, 4.6.1 and 4.7.1).
type MO struct {
	V          int       `json:"v"`
	ID         string    `json:"id"` // a ULID given on arrival
	Account    string    `json:"account"`
	Link       string    `json:"link"`
	Session    string    `json:"session"`  // the connection it came over
	BoundAt    time.Time `json:"bound_at"` // when that connection was bound
	Sequence   uint32    `json:"sequence"` // its sequence_number there
	Command    string    `json:"command"`  // deliver_sm or data_sm
	ReceivedAt time.Time `json:"received_at"`
	// Bound and Received are the same moments by a clock that nobody sets; they may be unset.
	Bound    Uptime `json:"bound,omitzero"`
	Received Uptime `json:"received,omitzero"`

	Source      Address `json:"source"`
	Destination Address `json:"destination"`
	ServiceType string  `json:"service_type,omitempty"`
	ESMClass    byte    `json:"esm_class"`
	ProtocolID  byte    `json:"protocol_id,omitempty"`
	Priority    byte    `json:"priority,omitempty"`
	DataCoding  byte    `json:"data_coding"`
	Body        []byte  `json:"body,omitempty"` // short_message; base64 in JSON
	TLVs        []TLV   `json:"tlvs,omitempty"`
	// Requeued says that an operator put it back: it is no repeat of what it was.
	Requeued bool `json:"requeued,omitempty"`
	// Trace is where its trace goes on; empty where it is not traced.
	Trace Trace `json:"trace,omitempty"`
}

// Uptime is a moment by a machine's clock since it was switched on, which goes on while
// somebody sets the time of day. Uptimes are comparable within one Boot.
type Uptime struct {
	Boot  string        `json:"boot"`  // names the machine and its start; empty: not known
	Since time.Duration `json:"since"` // since then, in nanoseconds
}

// Address is an address field of a PDU as it came: type of number, numbering plan
// and up to 20 octets of text (SMPP 3.4, 5.2.5 to 5.2.9).
type Address struct {
	TON  byte   `json:"ton"`
	NPI  byte   `json:"npi"`
	Addr string `json:"addr"`
}

// TLV is an optional parameter as it came (SMPP 3.4, 3.2.4).
type TLV struct {
	Tag   uint16 `json:"tag"`
	Value []byte `json:"value,omitempty"` // base64 in JSON
}

// Short is what a raw MO says once its text and headers are read.
type Short struct {
	// Receipt is set where the message is a delivery receipt; the rest is then unset
	// but for the phone.
	Receipt *Receipt
	Phone   addressing.MSISDN // who sent it
	Number  addressing.Number // to which of our Numbers
	Text    string
	Concat  Concat // zero where the text is whole
}

// Concat places a segment in a long message (3GPP TS 23.040, 9.2.3.24.1).
type Concat struct {
	Ref   int  `json:"ref"`
	Wide  bool `json:"wide,omitempty"` // the reference has 16 bits
	Total int  `json:"total"`
	Part  int  `json:"part"` // from 1
}

// IsZero tells whether the text is whole.
func (c Concat) IsZero() bool { return c.Total == 0 }

// Receipt is a delivery receipt or an intermediate notification (SMPP 3.4, Appendix B).
type Receipt struct {
	// Candidates are the forms under which the SMSC's message id may have been
	// recorded, most likely first: as written, and in the other base.
	Candidates []string
	// ByPhone says that the account's ids tell no message from another: the receipt is of
	// the segment with this Reference, or else of the one that has waited longest among
	// those to its phone.
	ByPhone bool
	// Reference is the user_message_reference that was sent with the segment; nil where
	// the SMSC does not return it (SMPP 3.4, 5.3.2.17).
	Reference *uint16
	State     ReceiptState
	// Code is the network's own error code, as written; often three digits.
	Code string
	At   time.Time // when the SMSC says it was done; zero where it does not say
}

// ReceiptState is what a receipt says became of a segment.
type ReceiptState string

// The receipt states (SMPP 3.4, 5.2.28).
const (
	ReceiptEnroute   ReceiptState = "enroute" // also ACCEPTD: not final
	ReceiptDelivered ReceiptState = "delivered"
	ReceiptExpired   ReceiptState = "expired"
	ReceiptFailed    ReceiptState = "failed" // UNDELIV, DELETED, REJECTD
	ReceiptUnknown   ReceiptState = "unknown"
)

// final tells whether no other receipt follows.
func (s ReceiptState) final() bool { return s != "" && s != ReceiptEnroute }

// OUT is what is on its way to a messenger: a phone's text, or a status of a
// message that the messenger's user wrote.
type OUT struct {
	V      int               `json:"v"`
	ID     string            `json:"id"` // stable across repeats: the network may use it as its own message id
	Kind   OUTKind           `json:"kind"`
	Handle addressing.Handle `json:"handle"`
	Phone  addressing.MSISDN `json:"phone"`
	Number addressing.Number `json:"number"`
	At     time.Time         `json:"at"`
	// Addressed is when it was put into the queue, and so of when the Handle is; unset: At.
	Addressed time.Time `json:"addressed,omitzero"`
	Text      string    `json:"text,omitempty"` // of a text
	// Origin is of a phone's text where call-detail records are kept.
	Origin *Origin `json:"origin,omitempty"`
	// Trace is where its trace goes on; empty where it is not traced.
	Trace Trace `json:"trace,omitempty"`
	// The rest is of a status.
	NetworkID string `json:"network_id,omitempty"`
	ReplyTo   string `json:"reply_to,omitempty"`
	State     State  `json:"state,omitempty"`
	Reason    Reason `json:"reason,omitempty"`
	Detail    string `json:"detail,omitempty"` // plain words for the person
}

// OUTKind tells texts from statuses.
type OUTKind string

// The kinds of OUT.
const (
	OUTText   OUTKind = "text"
	OUTStatus OUTKind = "status"
)

// Entry is one line in the log of a conversation: a text in either direction, or a
// new status of a text. A reader folds entries by message id: the same entry may
// stand twice after a crash.
type Entry struct {
	V         int               `json:"v"`
	ID        string            `json:"id"`   // the message's id
	Kind      EntryKind         `json:"kind"` // mt, mo or status
	Handle    addressing.Handle `json:"handle"`
	Phone     addressing.MSISDN `json:"phone"`
	Number    addressing.Number `json:"number"`
	At        time.Time         `json:"at"`
	Text      string            `json:"text,omitempty"`       // of mt and mo
	NetworkID string            `json:"network_id,omitempty"` // of mt
	State     State             `json:"state,omitempty"`      // of mt (accepted) and status
	Reason    Reason            `json:"reason,omitempty"`
	Detail    string            `json:"detail,omitempty"`
	Account   string            `json:"account,omitempty"` // of mo: the SMSC account that it came from
	Trace     Trace             `json:"trace,omitempty"`   // of mt and mo
}

// EntryKind tells the kinds of Entry.
type EntryKind string

// The kinds of Entry.
const (
	EntryMT     EntryKind = "mt"
	EntryMO     EntryKind = "mo"
	EntryStatus EntryKind = "status"
)

// Dead is a dead letter: a message that the bridge gave up, with the reason, kept
// for the operator.
type Dead struct {
	V      int       `json:"v"`
	ID     string    `json:"id"`
	Stage  string    `json:"stage"` // MT, MO or OUT
	Reason Reason    `json:"reason"`
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
	MT     *MT       `json:"mt,omitempty"`
	MO     *MO       `json:"mo,omitempty"`
	OUT    *OUT      `json:"out,omitempty"`
	// Raw is a message that could not be decoded, as it was, and Subject where in the queue it
	// stood.
	Raw     []byte `json:"raw,omitempty"` // base64 in JSON
	Subject string `json:"subject,omitempty"`
}
