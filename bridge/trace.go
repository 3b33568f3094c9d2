package bridge

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// This file is what the hub tells of a message to those who follow it through several programs.
// All spans are told once they have ended, and hang below the name that is stored with the message:
// so another process goes on with the trace of one that was killed.

// Trace names one span of a trace, as the header traceparent does (W3C Trace Context, 3.2):
// 00-, 32 hexadecimal digits of the trace, 16 of the span, and -01 or, not sampled, -00. Empty
// where nothing is traced.
type Trace string

// The places in a traceparent of version 00.
const (
	traceLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	traceIDFrom = 3
	traceIDTo   = traceIDFrom + 32
	spanIDFrom  = traceIDTo + 1
	spanIDTo    = spanIDFrom + 16
	flagsFrom   = spanIDTo + 1
	flagSampled = 0x01
)

// ParseTrace reads a traceparent; of a later version than 00 it takes what 00 has, as the
// specification asks. What is none gives the empty Trace: the sender's mistake is no reason to
// refuse a message.
func ParseTrace(header string) Trace {
	if len(header) < traceLength || len(header) > traceLength && (header[:2] == "00" || header[traceLength] != '-') {
		return ""
	}
	version, trace, span, flags := header[:2], header[traceIDFrom:traceIDTo], header[spanIDFrom:spanIDTo], header[flagsFrom:traceLength]
	if header[2] != '-' || header[traceIDTo] != '-' || header[spanIDTo] != '-' || version == "ff" ||
		!lowerHex(version+trace+span+flags) || strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return ""
	}
	set, err := hex.DecodeString(flags)
	if err != nil {
		return ""
	}
	return NewTrace(trace, span, set[0]&flagSampled != 0)
}

// NewTrace puts a Trace together: 32 and 16 lower-case hexadecimal digits.
func NewTrace(traceID, spanID string, sampled bool) Trace {
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	return Trace("00-" + traceID + "-" + spanID + flags)
}

func lowerHex(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}

// ID is that of the whole trace, 32 hexadecimal digits; empty where nothing is traced.
func (t Trace) ID() string { return t.part(traceIDFrom, traceIDTo) }

// SpanID is that of the span, 16 hexadecimal digits; empty where nothing is traced.
func (t Trace) SpanID() string { return t.part(spanIDFrom, spanIDTo) }

// Sampled tells whether who began the trace wants it recorded.
func (t Trace) Sampled() bool { return strings.HasSuffix(string(t), "-01") }

func (t Trace) part(from, to int) string {
	if len(t) != traceLength {
		return ""
	}
	return string(t[from:to])
}

// Child names a new span of the same trace; empty for the empty Trace.
func (t Trace) Child() Trace {
	if t == "" {
		return ""
	}
	var span [8]byte
	id := rand.Uint64() | 1 // zero names no span
	for i := range span {
		span[i] = byte(id >> (8 * i))
	}
	return NewTrace(t.ID(), hex.EncodeToString(span[:]), t.Sampled())
}

// Tracer records spans. Its methods may be called concurrently and never block: what it has no
// room for is lost.
type Tracer interface {
	// Begin names the first span of a message: of the trace of parent, or, where that is empty,
	// of a new one. It is empty where this message is not to be traced.
	Begin(parent Trace) Trace
	Record(s Span)
}

// Span is one step of a message's way that has ended. What is empty is not known, or does not
// apply. It has neither texts nor phones but masked ones.
type Span struct {
	Name SpanName
	// Self is its own name, and Parent that of what it belongs to.
	Self, Parent Trace
	From, To     time.Time
	Links        []Trace // of what was traced by itself and became part of it

	MessageID string
	Phone     string // masked
	Number    string
	Network   string // of the messenger
	Route     string
	Link      string
	Account   string
	SMSCID    string
	Attempt   int // from 1
	Segment   int // from 1
	Segments  int
	Outcome   string // of a submit: an [Outcome]
	Status    string // the name of a command_status
	State     string // a [State] or [ReceiptState]
	Reason    string
	// Failed says that it did not come to what it was for.
	Failed bool
}

// SpanName tells what a span is of.
type SpanName string

// The names of spans.
const (
	SpanIntake   SpanName = "intake"      // of mt: a messenger's message is accepted
	SpanQueue    SpanName = "queue"       // of mt: from then until it is first submitted, or ends
	SpanSubmit   SpanName = "submit"      // of mt: one attempt, all segments
	SpanSubmitSM SpanName = "submit_sm"   // of mt: one segment, from the PDU to its answer
	SpanReceipt  SpanName = "receipt"     // of mt: a receipt that counted
	SpanTell     SpanName = "tell"        // of mt: its final state goes to its sender
	SpanStore    SpanName = "deliver_sm"  // of mo: an SMSC's message is stored, so that it can be answered
	SpanDispatch SpanName = "dispatch"    // of mo: it is read and matched
	SpanJoin     SpanName = "join"        // of mo: from the first segment of a long text until they are joined
	SpanDeliver  SpanName = "deliver"     // a text or a status goes to a messenger
	SpanDead     SpanName = "dead_letter" // it was given up
)

// traced tells whether spans of t are recorded.
func (h *Hub) traced(t Trace) bool { return h.Tracer != nil && t != "" }

// span records a span that ends now and belongs to parent, which is traced.
func (h *Hub) span(parent Trace, s Span) {
	s.Parent = parent
	if s.Self == "" {
		s.Self = parent.Child()
	}
	if s.To.IsZero() {
		s.To = h.now()
	}
	h.Tracer.Record(s)
}

// traceIntake records that m was accepted, or could not be stored. came is the trace that its
// sender gave.
func (h *Hub) traceIntake(m MT, came Trace, failed bool) {
	if h.traced(m.Trace) {
		h.Tracer.Record(Span{
			Name: SpanIntake, Self: m.Trace, Parent: came, From: m.AcceptedAt, To: h.now(), MessageID: m.ID, Phone: m.Phone.Masked(),
			Number: m.Number.String(), Network: m.Handle.Network(), Failed: failed,
		})
	}
}

// traceWait records how long the message waited before its first attempt, or its end without one.
func (t *turn) traceWait() {
	if t.traced(t.m.Trace) {
		t.span(t.m.Trace, Span{Name: SpanQueue, From: t.m.AcceptedAt, MessageID: t.m.ID, Route: t.story.Route})
	}
}

// traceAttempt notes that an attempt begins.
func (t *turn) traceAttempt() {
	if !t.traced(t.m.Trace) {
		return
	}
	t.began = t.now()
	if t.story.Submits == 1 {
		t.traceWait()
	}
}

// answered gets what came of each segment; nil where nobody wants to know.
func (t *turn) answered() func(Answer) {
	if !t.traced(t.m.Trace) {
		return nil
	}
	t.attempting = t.m.Trace.Child()
	return func(a Answer) {
		t.span(t.attempting, Span{
			Name: SpanSubmitSM, From: a.From, To: a.To, MessageID: t.m.ID, Phone: t.m.Phone.Masked(), Number: t.m.Number.String(), Link: a.Link, Account: a.Account,
			Segment: a.Segment, Segments: a.Segments, SMSCID: a.SMSCID, Status: a.Status, Failed: !a.Taken,
		})
	}
}

// traceSubmit records an attempt that was begun in this turn.
func (t *turn) traceSubmit(res Result) {
	if t.began.IsZero() || !t.traced(t.m.Trace) {
		return
	}
	t.span(t.m.Trace, Span{
		Name: SpanSubmit, Self: t.attempting, From: t.began, MessageID: t.m.ID, Phone: t.m.Phone.Masked(), Number: t.m.Number.String(),
		Route: res.Route, Link: res.Link, Account: res.Account, Attempt: t.story.Submits, Segments: res.Total, Outcome: string(res.Outcome), Status: res.StatusName,
		Failed: res.Outcome != OutcomeSent,
	})
	t.began = time.Time{}
}

// traceReceipt records a receipt, which came as m, for a segment of s.
func (h *Hub) traceReceipt(s Story, m MO, ref SegmentRef, r Receipt) {
	if h.traced(s.Trace) {
		h.span(s.Trace, Span{
			Name: SpanReceipt, From: m.ReceivedAt, MessageID: s.ID, Phone: s.Phone.Masked(), Link: m.Link, Account: m.Account, SMSCID: s.Segments[ref.Segment].SMSCID,
			Segment: ref.Segment + 1, Segments: len(s.Segments), State: string(r.State), Status: r.Code, Failed: r.State.final() && r.State != ReceiptDelivered,
		})
	}
}

// traceStore records that m was stored, or could not be.
func (h *Hub) traceStore(m MO, failed bool) {
	if h.traced(m.Trace) {
		h.Tracer.Record(Span{Name: SpanStore, Self: m.Trace, From: m.ReceivedAt, To: h.now(), MessageID: m.ID, Link: m.Link, Account: m.Account, Failed: failed})
	}
}

// traceDead records that a message was given up.
func (h *Hub) traceDead(d Dead) {
	var parent Trace
	switch {
	case d.MT != nil:
		parent = d.MT.Trace
	case d.MO != nil:
		parent = d.MO.Trace
	case d.OUT != nil:
		parent = d.OUT.Trace
	}
	if h.traced(parent) {
		h.span(parent, Span{Name: SpanDead, From: h.now(), MessageID: d.ID, Reason: string(d.Reason), Failed: true})
	}
}

// traceOUT records that m went to its messenger at from, or did not.
func (h *Hub) traceOUT(m OUT, from time.Time, failed bool) {
	if !h.traced(m.Trace) {
		return
	}
	h.span(m.Trace, Span{
		Name: SpanDeliver, From: from, MessageID: m.ID, Phone: m.Phone.Masked(), Number: m.Number.String(), Network: m.Handle.Network(),
		State: string(m.State), Reason: string(m.Reason), Failed: failed,
	})
}

// traceJoined records that the parts of a long text, each of which was traced when it came, are one
// from here on: the trace of the first goes on, and has links to the others.
func (h *Hub) traceJoined(parts []MO) {
	first := traceOf(parts)
	if len(parts) < 2 || !h.traced(first) {
		return
	}
	s := Span{Name: SpanJoin, From: parts[0].ReceivedAt, MessageID: parts[0].ID, Segments: len(parts)}
	for _, p := range parts[1:] {
		if p.Trace != "" {
			s.Links = append(s.Links, p.Trace)
		}
		if p.ReceivedAt.Before(s.From) {
			s.From = p.ReceivedAt
		}
	}
	h.span(first, s)
}

// traceOf is that of a text, which came in parts.
func traceOf(parts []MO) Trace {
	if len(parts) == 0 {
		return ""
	}
	return parts[0].Trace
}
