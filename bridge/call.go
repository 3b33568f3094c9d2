package bridge

import (
	"context"
	"errors"
	"time"

	"smsbridge/addressing"
)

// Call is the call-detail record of one message: what it cost and what became of it, and
// nothing of its text. There is one for each message that ended, by its ID.
type Call struct {
	V    int      `json:"v"`
	ID   string   `json:"id"` // of the message; two records of one id are the same message
	Kind CallKind `json:"kind"`
	// Handle is who wrote it or whose it was; empty for the bridge itself, and for nobody.
	Handle string `json:"handle"`
	Number string `json:"number"`
	Phone  string `json:"phone"` // as [Config.CallPhone] writes it
	// NetworkID is the sender's own id of the message.
	NetworkID string `json:"network_id,omitempty"`

	AcceptedAt  time.Time `json:"accepted_at"`           // when it was on disk
	SubmittedAt time.Time `json:"submitted_at,omitzero"` // of mt: the first submit began
	AnsweredAt  time.Time `json:"answered_at,omitzero"`  // of mt: the last answer of the SMSC to a submit
	ReceiptAt   time.Time `json:"receipt_at,omitzero"`   // of mt: the last receipt that counted
	EndedAt     time.Time `json:"ended_at"`

	State  State  `json:"state"` // a final one; sent where no receipts are asked for; for mo delivered, failed or [Handled]
	Reason Reason `json:"reason,omitempty"`
	// Status is the name of the command_status of the last answer to a submit, unless ESME_ROK.
	Status   string `json:"status,omitempty"`
	Attempts int    `json:"attempts,omitempty"` // of mt: submits that began
	Segments int    `json:"segments"`
	// Encoding is that of mt: gsm7, ucs2 and the like. An mo has the data_coding of its first segment.
	Encoding   string   `json:"encoding,omitempty"`
	DataCoding *byte    `json:"data_coding,omitempty"`
	Route      string   `json:"route,omitempty"`
	Link       string   `json:"link,omitempty"`
	Account    string   `json:"account,omitempty"`
	CostClass  string   `json:"cost_class,omitempty"` // of the route
	SMSCIDs    []string `json:"smsc_ids,omitempty"`   // by segment
	Codes      []string `json:"codes,omitempty"`      // of the receipts, by segment
	TraceID    string   `json:"trace_id,omitempty"`   // of its [Trace]
}

// CallKind tells the ways of a Call.
type CallKind string

// The kinds of Call.
const (
	CallMT CallKind = "mt"
	CallMO CallKind = "mo"
)

// Handled is the final state of a phone's text that was for the bridge itself: STOP, START,
// HELP, or the answer to a question.
const Handled State = "handled"

// Calls keeps call-detail records. PublishCall need not wait for the disk, but what is stored
// after it is not on disk before. An error that wraps [ErrFull] says that this record is lost.
type Calls interface {
	PublishCall(ctx context.Context, c Call) error
}

// Origin is what is on record of a text from a phone while it is on its way to a messenger.
type Origin struct {
	Account    string `json:"account"`
	Link       string `json:"link"`
	Segments   int    `json:"segments"`
	DataCoding byte   `json:"data_coding"`
}

// call keeps a record; it is for those that the bridge makes only where there are any.
func (h *Hub) call(ctx context.Context, c Call) error {
	c.V = version
	err := h.Calls.PublishCall(ctx, c)
	if errors.Is(err, ErrFull) {
		h.stats.callLost()
		h.callsFull.Do(func() {
			h.log.Error().Err(err).Str("message_id", c.ID).Msg("call-detail records are lost: there is no room for them; the messages themselves go on")
		})
		return nil
	}
	return err
}

func (h *Hub) callPhone(phone addressing.MSISDN) string {
	if phone.IsZero() {
		return ""
	}
	if write := h.config().CallPhone; write != nil {
		return write(phone)
	}
	return phone.Masked()
}

// callMT keeps the record of a message to a phone that ended, before it counts as told: so a
// crash leaves none out. It may leave the same one twice.
func (h *Hub) callMT(ctx context.Context, s Story) error {
	if h.Calls == nil || len(s.History) == 0 {
		return nil
	}
	c := Call{
		ID: s.ID, Kind: CallMT, Number: s.Number.String(), Phone: h.callPhone(s.Phone), NetworkID: s.NetworkID,
		AcceptedAt: s.History[0].At, SubmittedAt: s.SubmittedAt, AnsweredAt: s.AnsweredAt, ReceiptAt: s.ReceiptAt,
		EndedAt: s.History[len(s.History)-1].At, State: s.State, Reason: s.Reason, Status: s.Status, Attempts: s.Submits,
		Segments: max(s.Total, len(s.Segments)), Encoding: s.Encoding, Route: s.Route, Link: s.Link, Account: s.Account, CostClass: s.CostClass, TraceID: s.Trace.ID(),
	}
	if !s.Handle.IsZero() {
		c.Handle = s.Handle.String()
	}
	for _, segment := range s.Segments {
		c.SMSCIDs, c.Codes = append(c.SMSCIDs, segment.SMSCID), append(c.Codes, segment.Code)
	}
	return h.call(ctx, c)
}

// submitted notes what the answer to a submit says for the record.
func (s *Story) submitted(res Result, at time.Time) {
	if res.Outcome != OutcomeNotWritten && res.Outcome != OutcomeUnknown {
		s.AnsweredAt, s.Status = at, res.StatusName
	}
	s.goes(res)
}

// goes notes how the text goes, as far as res knows that.
func (s *Story) goes(res Result) {
	if res.Count > 0 {
		s.Total, s.Encoding = res.Count, res.Encoding
	}
	if res.Route != "" {
		s.Route, s.CostClass = res.Route, res.CostClass
	}
}

// origin is what goes along with a text that came in parts; nil where no records are kept, or
// where the text is the bridge's own.
func (h *Hub) origin(parts []MO) *Origin {
	if h.Calls == nil || len(parts) == 0 {
		return nil
	}
	return &Origin{Account: parts[0].Account, Link: parts[0].Link, Segments: len(parts), DataCoding: parts[0].DataCoding}
}

// callOUT keeps the record of a phone's text that ended on its way to a messenger.
func (h *Hub) callOUT(ctx context.Context, m OUT, state State, reason Reason) error {
	if h.Calls == nil || m.Origin == nil {
		return nil
	}
	c := Call{
		ID: m.ID, Kind: CallMO, Handle: m.Handle.String(), Number: m.Number.String(), Phone: h.callPhone(m.Phone),
		AcceptedAt: m.At, EndedAt: h.now(), State: state, Reason: reason, Segments: m.Origin.Segments, DataCoding: &m.Origin.DataCoding,
		Link: m.Origin.Link, Account: m.Origin.Account, TraceID: m.Trace.ID(),
	}
	return h.call(ctx, c)
}

// callMO keeps the record of a phone's text, which came in parts, that ended before it was anybody's.
func (h *Hub) callMO(ctx context.Context, parts []MO, state State, reason Reason) error {
	if h.Calls == nil {
		return nil
	}
	m := OUT{ID: parts[0].ID, At: parts[0].ReceivedAt, Origin: h.origin(parts), Trace: traceOf(parts)}
	c := Call{
		ID: m.ID, Kind: CallMO, AcceptedAt: m.At, EndedAt: h.now(), State: state, Reason: reason,
		Segments: m.Origin.Segments, DataCoding: &m.Origin.DataCoding, Link: m.Origin.Link, Account: m.Origin.Account, TraceID: m.Trace.ID(),
	}
	if short, err := h.readAgain(parts[0]); err == nil {
		c.Number, c.Phone = short.Number.String(), h.callPhone(short.Phone)
	}
	return h.call(ctx, c)
}

// buryMO keeps a phone's text, which came in parts, as dead letters.
func (h *Hub) buryMO(ctx context.Context, parts []MO, reason Reason, detail string) error {
	for _, m := range parts {
		if err := h.bury(ctx, Dead{ID: m.ID, Stage: "MO", MO: &m, Reason: reason, Detail: detail}); err != nil {
			return err
		}
	}
	return h.callMO(ctx, parts, Failed, reason)
}
