package bridge

import (
	"context"
	"errors"
	"time"

	"smsbridge/addressing"
)

// StoreMO puts a raw short message on disk. Only when it returns nil may the SMSC be
// told ESME_ROK (SMPP 3.4, 4.6.2); otherwise the SMSC keeps the message and tries
// again. It may be called concurrently.
func (h *Hub) StoreMO(ctx context.Context, m MO) error {
	m.V = version
	if h.Tracer != nil && !m.IsReceipt() { // a receipt belongs to the trace of its message
		m.Trace = h.Tracer.Begin("")
	}
	err := h.Queue.PublishMO(ctx, m)
	h.traceStore(m, err != nil)
	if err != nil {
		return err
	}
	h.stats.storedMO()
	return nil
}

// DispatchMO reads one raw short message from the queue: a receipt changes the
// status of what it belongs to; a text, joined if it came in segments, goes to its
// owner. It returns nil when the message may leave the queue, and an error when it
// must be dispatched again. What cannot be read or belongs to nobody becomes a dead
// letter. It may run for many messages at once, but only for one of each [MO.Key].
func (h *Hub) DispatchMO(ctx context.Context, m MO) error {
	if !h.traced(m.Trace) {
		return h.dispatchMO(ctx, m)
	}
	from := h.now()
	err := h.dispatchMO(ctx, m)
	h.span(m.Trace, Span{Name: SpanDispatch, From: from, MessageID: m.ID, Link: m.Link, Account: m.Account, Failed: err != nil})
	return err
}

func (h *Hub) dispatchMO(ctx context.Context, m MO) error {
	short, err := h.Reader.ReadMO(m)
	if err != nil {
		return h.buryMO(ctx, []MO{m}, ReasonUnreadable, err.Error())
	}
	if short.Receipt != nil {
		return h.receipt(ctx, m, short)
	}
	if short.Concat.IsZero() {
		return h.once(ctx, m, short.Phone, func() error { return h.deliver(ctx, []MO{m}, short, short.Text) })
	}
	if err := h.once(ctx, m, short.Phone, func() error { return h.collect(ctx, m, short) }); err != nil {
		return err
	}
	return h.clear(ctx, m, short)
}

// deliver hands a whole text, which came in parts, to its owner.
func (h *Hub) deliver(ctx context.Context, parts []MO, short Short, text string) error {
	m := parts[0]
	done, err := h.keyword(ctx, m, short, text)
	if !done && err == nil {
		done, err = h.answered(ctx, m, short, text)
	}
	if done && err == nil {
		return h.callMO(ctx, parts, Handled, ReasonNone)
	}
	if done || err != nil {
		return err
	}
	a, err := h.Book.Answer(ctx, short.Phone, short.Number, text)
	switch {
	case errors.Is(err, addressing.ErrNobody):
		return h.nobody(ctx, parts, short)
	case err != nil:
		return err
	case len(a.Choices) > 0:
		return h.ask(ctx, parts, short, text, a.Choices)
	default:
		return h.handOf(ctx, m.Account, m.ID, m.ReceivedAt, a.Conversation, a.Text, parts...)
	}
}

// hand gives a text of the bridge itself to the messenger of a conversation, and to its log.
func (h *Hub) hand(ctx context.Context, id string, at time.Time, c addressing.Conversation, text string) error {
	return h.handOf(ctx, "", id, at, c, text)
}

// handOf is hand for a text that came from an SMSC account, in parts; none where the text only
// tells of one.
func (h *Hub) handOf(ctx context.Context, account, id string, at time.Time, c addressing.Conversation, text string, parts ...MO) error {
	m := OUT{
		V: version, ID: id, Kind: OUTText, Handle: c.Handle, Phone: c.Phone, Number: c.Number, At: at, Text: text,
		Addressed: h.now(), Origin: h.origin(parts), Trace: traceOf(parts),
	}
	pushed := h.pushes(c.Handle.Network())
	if pushed {
		if err := h.Queue.PublishOUT(ctx, m); err != nil {
			return err
		}
	}
	err := h.Archive.AppendLog(ctx, Entry{
		V: version, ID: id, Kind: EntryMO, Handle: c.Handle, Phone: c.Phone, Number: c.Number, At: at, Text: text, Account: account, Trace: m.Trace,
	})
	if err != nil || pushed {
		return err
	}
	h.stats.deliveredMO(at, h.now(), m.Trace) // the log is what they read
	h.traceOUT(m, m.Addressed, false)
	return h.callOUT(ctx, m, Delivered, ReasonNone)
}

// nobody tells the phone that its text belongs to nobody, and keeps it as a dead letter.
func (h *Hub) nobody(ctx context.Context, parts []MO, short Short) error {
	_, _, service := short.Phone.ShortNumber() // a machine, which might answer the answer
	if !service && (h.Book.InPool(short.Number) || h.Book.Shared(short.Number)) {
		if err := h.answerNobody(ctx, parts[0], short); err != nil {
			return err
		}
	}
	return h.buryMO(ctx, parts, ReasonUnroutable, "nobody has written to this phone from "+short.Number.String())
}

// answerNobody answers once a day: a bridge that answered each time could be made to
// answer another.
func (h *Hub) answerNobody(ctx context.Context, m MO, short Short) error {
	key := "nobody " + short.Phone.String() + " " + short.Number.String()
	if err := h.count(ctx, key, m.ID, 1); err != nil {
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	}
	text := h.config().NobodyReply
	if len(h.Book.Directory().Registered()) > 0 {
		text += " To write to somebody first, begin with @ and their name."
	}
	return h.Queue.PublishMT(ctx, MT{
		V: version, ID: MessageID(addressing.Handle{}, m.ID), Phone: short.Phone, Number: short.Number,
		Text: text, AcceptedAt: h.now(), ExpiresAt: h.now().Add(h.config().Validity),
	})
}
