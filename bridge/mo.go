package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"smsbridge/addressing"
)

// StoreMO puts a raw short message on disk. Only when it returns nil may the SMSC be
// told ESME_ROK (SMPP 3.4, 4.6.2); otherwise the SMSC keeps the message and tries
// again. It may be called concurrently.
func (h *Hub) StoreMO(ctx context.Context, m MO) error {
	m.V = version
	if err := h.Queue.PublishMO(ctx, m); err != nil {
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
	short, err := h.Reader.ReadMO(m)
	if err != nil {
		return h.bury(ctx, Dead{ID: m.ID, Stage: "MO", MO: &m, Reason: ReasonUnreadable, Detail: err.Error()})
	}
	if short.Receipt != nil {
		return h.receipt(ctx, m, short)
	}
	mark := markOf(m)
	repeat, err := h.seen(ctx, mark, m)
	if err != nil {
		return err
	}
	if repeat {
		h.stats.repeated()
		h.log.Info().Str("message_id", m.ID).Str("msisdn", short.Phone.Masked()).Msg("the SMSC repeated a message; it is delivered once")
		return nil
	}
	if short.Concat.IsZero() {
		err = h.deliver(ctx, m, short, short.Text)
	} else {
		err = h.collect(ctx, m, short)
	}
	if err != nil {
		return err
	}
	return h.markSeen(ctx, mark, m)
}

// deliver hands a whole text to its owner.
func (h *Hub) deliver(ctx context.Context, m MO, short Short, text string) error {
	c, err := h.Book.Lookup(ctx, short.Phone, short.Number)
	if errors.Is(err, addressing.ErrNobody) {
		return h.nobody(ctx, m, short)
	}
	if err != nil {
		return err
	}
	if h.pushes(c.Handle.Network()) {
		err := h.Queue.PublishOUT(ctx, OUT{
			V: version, ID: m.ID, Kind: OUTText, Handle: c.Handle, Phone: c.Phone, Number: c.Number, At: m.ReceivedAt, Text: text,
		})
		if err != nil {
			return err
		}
	} else {
		h.stats.deliveredMO()
	}
	return h.Archive.AppendLog(ctx, Entry{
		V: version, ID: m.ID, Kind: EntryMO, Handle: c.Handle, Phone: c.Phone, Number: c.Number, At: m.ReceivedAt, Text: text,
	})
}

// nobody keeps a text that belongs to nobody as a dead letter and tells the phone,
// once a day: a bridge that answered it each time could be made to answer another.
func (h *Hub) nobody(ctx context.Context, m MO, short Short) error {
	err := h.bury(ctx, Dead{
		ID: m.ID, Stage: "MO", MO: &m, Reason: ReasonUnroutable, Detail: "nobody has written to this phone from " + short.Number.String(),
	})
	if err != nil || !h.Book.InPool(short.Number) {
		return err
	}
	key := "nobody " + short.Phone.String() + " " + short.Number.String()
	err = h.Parts.SavePart(ctx, key, []byte("{}"), 0)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	answer := MT{
		V: version, ID: MessageID(addressing.Handle{}, m.ID), Phone: short.Phone, Number: short.Number,
		Text: h.cfg.NobodyReply, AcceptedAt: h.now(), ExpiresAt: h.now().Add(h.cfg.Validity),
	}
	return h.Queue.PublishMT(ctx, answer)
}

// mark is what is remembered of an MO message that was dealt with.
type mark struct {
	V          int       `json:"v"`
	ID         string    `json:"id"`
	Session    string    `json:"session"`
	Sequence   uint32    `json:"sequence"`
	ReceivedAt time.Time `json:"received_at"`
}

// saying are the optional parameters that are part of what a message says (SMPP 3.4,
// 5.3.2): its text, its place in a long one, and what a receipt is about. Others, such as
// an SMSC's own time stamps or what a wrong command_length drags in, differ when it comes
// again.
var saying = map[uint16]bool{
	0x0424: true,                             // message_payload
	0x020C: true, 0x020E: true, 0x020F: true, // sar_msg_ref_num, sar_total_segments, sar_segment_seqnum
	0x0204: true,               // user_message_reference
	0x001E: true, 0x0427: true, // receipted_message_id, message_state
}

// markOf names an MO message by what it says. Two of the same content have the same
// mark; seen tells a repeat from a person who says the same thing twice.
func markOf(m MO) string {
	sum := sha256.New()
	part := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		sum.Write(n[:])
		sum.Write(b)
	}
	part([]byte(m.Account))
	part([]byte(m.Source.Addr))
	part([]byte(m.Destination.Addr))
	part([]byte{m.ESMClass, m.DataCoding, m.ProtocolID})
	part(m.Body)
	for _, t := range m.TLVs {
		if !saying[t.Tag] {
			continue
		}
		part(binary.BigEndian.AppendUint16(nil, t.Tag))
		part(t.Value)
	}
	return lowerBase32.EncodeToString(sum.Sum(nil))
}

// repeatWithin is how soon after a new bind an SMSC sends again what it holds to be
// unanswered.
const repeatWithin = 2 * time.Minute

// seen tells whether m was dealt with before: it is the very same message again,
// which a crash brings back, or the SMSC sent it again. The wire has no message id,
// so the second is judged: the same content came over an earlier connection, and
// this connection is younger than it and has only just been bound, or the earlier one
// has just fallen; or it has the same sequence number on the same connection.
func (h *Hub) seen(ctx context.Context, key string, m MO) (bool, error) {
	value, err := h.Marks.Mark(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var before mark
	if err := json.Unmarshal(value, &before); err != nil {
		return false, err
	}
	if before.ID == m.ID {
		return true, nil
	}
	if before.Session == m.Session {
		return before.Sequence == m.Sequence, nil
	}
	if m.BoundAt.After(before.ReceivedAt) && m.ReceivedAt.Sub(m.BoundAt) < repeatWithin {
		return true, nil
	}
	recent := m.ReceivedAt.Sub(before.ReceivedAt) < repeatWithin
	return recent && h.Sessions != nil && h.Sessions.Fell(ctx, before.Session), ctx.Err()
}

func (h *Hub) markSeen(ctx context.Context, key string, m MO) error {
	value, err := json.Marshal(mark{V: version, ID: m.ID, Session: m.Session, Sequence: m.Sequence, ReceivedAt: m.ReceivedAt})
	if err != nil {
		return err
	}
	return h.Marks.SetMark(ctx, key, value)
}
