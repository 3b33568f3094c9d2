package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"smsbridge/addressing"
)

// This file tells an MO message that comes again from a person who repeats words.

// mark is what is remembered of the MO messages of one content that were dealt with.
type mark struct {
	V    int        `json:"v"`
	Seen []sighting `json:"seen"` // the oldest first
}

// sighting is one of them: which, and where it came last.
type sighting struct {
	ID string `json:"id"`
	// Again are the ids under which the SMSC sent it again: a crash brings these back too.
	Again      []string  `json:"again,omitempty"`
	Session    string    `json:"session"`
	Sequence   uint32    `json:"sequence"`
	ReceivedAt time.Time `json:"received_at"`
	Received   Uptime    `json:"received,omitzero"`
}

func (s sighting) received() moment { return moment{s.ReceivedAt, s.Received} }

// moment is a time of day, and where it is known the same by a clock that nobody sets.
type moment struct {
	at time.Time
	up Uptime
}

// after is how long a was after b. The time of day decides only where a restart of the
// machine, or another machine, lies between: somebody may have set it since.
func (a moment) after(b moment) time.Duration {
	if a.up.Boot != "" && a.up.Boot == b.up.Boot {
		return a.up.Since - b.up.Since
	}
	return a.at.Sub(b.at)
}

// maxSightings bounds a mark: who says the same more often is remembered by the last.
const maxSightings = 16

// repeatWithin bounds how long a link is away, and then how soon after the new bind an
// SMSC sends again what it holds to be unanswered. Longer would take the words of a
// person who says the same again for a repeat.
const repeatWithin = time.Minute

// repeats finds which of those seen m is again. It is the very same message, which a
// crash brings back, or it has the same sequence number on the same connection; or the
// SMSC sent it again, which is judged, for the wire has no message id: the same content
// came over an earlier connection shortly before this one was bound, and this one has
// only just been bound.
func (k *mark) repeats(m MO) (i int, again bool) {
	i = slices.IndexFunc(k.Seen, func(s sighting) bool {
		return s.is(m) || !m.Requeued && s.Session == m.Session && s.Sequence == m.Sequence
	})
	if i < 0 && !m.Requeued {
		i = slices.IndexFunc(k.Seen, func(s sighting) bool {
			bound, received := moment{m.BoundAt, m.Bound}, moment{m.ReceivedAt, m.Received}
			away, since := bound.after(s.received()), received.after(bound)
			return s.Session != m.Session && away > 0 && away < repeatWithin && since < repeatWithin
		})
	}
	return i, i >= 0
}

// repeats finds which of those seen m is again; see [mark.repeats]. With several binds
// the SMSC also sends what one of them left unanswered when it fell over another, which
// was bound long before; and what it was told to send again, or was told late that it was stored. What it sent
// again may be stored first.
func (h *Hub) repeats(ctx context.Context, k *mark, m MO) (i int, again bool, err error) {
	if i, again = k.repeats(m); again || m.Requeued || h.Sessions == nil {
		return i, again, nil
	}
	i = slices.IndexFunc(k.Seen, func(s sighting) bool {
		ago := moment{m.ReceivedAt, m.Received}.after(s.received())
		return s.Session != m.Session && (ago < repeatWithin && h.Sessions.Fell(ctx, s.Session) || h.doubted(ctx, s, m, ago))
	})
	return i, i >= 0, ctx.Err()
}

// doubted tells whether the SMSC may have sent one of s and m again as the other: m came so long after s.
func (h *Hub) doubted(ctx context.Context, s sighting, m MO, ago time.Duration) bool {
	switch last := append([]string{s.ID}, s.Again...)[len(s.Again)]; {
	case ago.Abs() > SentAgainWithin:
		return false
	case ago >= 0:
		return h.Sessions.Doubted(ctx, s.Session, Doubt{ID: last, Again: m.ID, CameAt: m.ReceivedAt, Came: m.Received})
	default:
		return h.Sessions.Doubted(ctx, m.Session, Doubt{ID: m.ID, Again: last, CameAt: s.ReceivedAt, Came: s.Received})
	}
}

// is tells whether m is the very same message.
func (s sighting) is(m MO) bool { return s.ID == m.ID || slices.Contains(s.Again, m.ID) }

// moved notes that the SMSC sent a message again over m's connection: it will not do so a
// second time there, and so the same words again are a person's.
func (k *mark) moved(i int, m MO) {
	s := &k.Seen[i]
	if s.is(m) {
		return
	}
	s.Again = append(s.Again, m.ID)
	s.Again = s.Again[max(0, len(s.Again)-maxSightings):]
	s.Session, s.Sequence, s.ReceivedAt, s.Received = m.Session, m.Sequence, m.ReceivedAt, m.Received
}

func (k *mark) add(m MO) {
	k.Seen = append(k.Seen, sighting{
		ID: m.ID, Session: m.Session, Sequence: m.Sequence, ReceivedAt: m.ReceivedAt, Received: m.Received,
	})
	k.Seen = k.Seen[max(0, len(k.Seen)-maxSightings):]
}

// once deals with m unless it was dealt with before, and remembers it.
func (h *Hub) once(ctx context.Context, m MO, phone addressing.MSISDN, deal func() error) error {
	key := m.Content()
	seen, err := h.loadMark(ctx, key)
	if err != nil {
		return err
	}
	i, again, err := h.repeats(ctx, &seen, m)
	if err != nil {
		return err
	}
	if again {
		h.stats.repeated()
		h.log.Info().Str("message_id", m.ID).Str("msisdn", phone.Masked()).Msg("the SMSC repeated a message; it counts once")
		seen.moved(i, m)
		return h.saveMark(ctx, key, seen)
	}
	if err := deal(); err != nil {
		return err
	}
	seen.add(m)
	return h.saveMark(ctx, key, seen)
}

func (h *Hub) loadMark(ctx context.Context, key string) (mark, error) {
	value, err := h.Marks.Mark(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return mark{V: version}, nil
	}
	if err != nil {
		return mark{}, err
	}
	var k mark
	return k, json.Unmarshal(value, &k)
}

func (h *Hub) saveMark(ctx context.Context, key string, k mark) error {
	value, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return h.Marks.SetMark(ctx, key, value)
}
