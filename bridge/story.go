package bridge

import (
	"time"

	"smsbridge/addressing"
)

// Story is the journal record of one MT message: who wrote it, what was tried and
// what came of it. There is one for each message, overwritten in place. It makes a
// repeat recognisable, says after a crash whether a submit was tried, and answers
// "what became of my message".
type Story struct {
	V         int               `json:"v"`
	ID        string            `json:"id"`
	Handle    addressing.Handle `json:"handle"`
	Phone     addressing.MSISDN `json:"phone"`
	Number    addressing.Number `json:"number"`
	NetworkID string            `json:"network_id,omitempty"`
	ReplyTo   string            `json:"reply_to,omitempty"`
	// Digest tells whether a repeated id came with the same text and recipient.
	Digest  string   `json:"digest"`
	State   State    `json:"state"`
	Reason  Reason   `json:"reason,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	History []Change `json:"history"`
	// Told says that the sender has been told the final State.
	Told bool `json:"told,omitempty"`
	// NoReceipts says that none will come: Sent is the last that is known, and told.
	NoReceipts bool `json:"no_receipts,omitempty"`
	// Erased says that the message is dealt with, and that who it was of was taken out.
	Erased bool `json:"erased,omitempty"`
	// ExpiresAt is the end of the message's validity.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Attempts counts submits that were answered with a temporary error.
	Attempts int `json:"attempts,omitempty"`
	// NextAt is when the next attempt is due; stored before it is waited for.
	NextAt time.Time `json:"next_at,omitzero"`
	// Link and Account are the last that it was submitted over.
	Link     string    `json:"link,omitempty"`
	Account  string    `json:"account,omitempty"`
	Segments []Segment `json:"segments,omitempty"`

	// The rest is for the call-detail record ([Call]).
	SubmittedAt time.Time `json:"submitted_at,omitzero"` // the first submit
	AnsweredAt  time.Time `json:"answered_at,omitzero"`  // the last answer to one
	ReceiptAt   time.Time `json:"receipt_at,omitzero"`   // the last that counted
	Submits     int       `json:"submits,omitempty"`     // that began
	Status      string    `json:"status,omitempty"`      // of the last answer; empty for ESME_ROK
	Total       int       `json:"total,omitempty"`       // short messages of the whole text
	Encoding    string    `json:"encoding,omitempty"`    // see [Result]
	Route       string    `json:"route,omitempty"`
	CostClass   string    `json:"cost_class,omitempty"`

	// Trace is that of the message: its receipts belong to it.
	Trace Trace `json:"trace,omitempty"`
}

// Change is one step of a message's history.
type Change struct {
	State  State     `json:"state"`
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason,omitempty"`
	Detail string    `json:"detail,omitempty"`
	// Link is the one that it was submitted over, of a step that came of a submit.
	Link string `json:"link,omitempty"`
}

// Segment is what became of one segment of a message.
type Segment struct {
	SMSCID string       `json:"smsc_id,omitempty"` // as the SMSC wrote it
	State  ReceiptState `json:"state,omitempty"`   // the last receipt; empty before one
	Code   string       `json:"code,omitempty"`
}

// SegmentRef is what an SMSC's message id belongs to.
type SegmentRef struct {
	V         int    `json:"v"`
	MessageID string `json:"message_id"`
	Segment   int    `json:"segment"` // from 0
}
