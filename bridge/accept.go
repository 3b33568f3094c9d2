package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"smsbridge/addressing"
)

// Accept takes a message from a messenger. It returns once the message is on disk, and
// only then may the adapter tell its network "accepted". A
// repeat of the same NetworkID is the same message: its story is returned as it
// stands, and nothing is sent twice. Any other end is a *[RefusalError], which says
// to the sender why; nothing was stored then, or, where the store failed in the
// middle, a repeat with the same NetworkID is safe.
//
// It may be called concurrently; the caller keeps the order within a conversation by
// waiting for one call before it makes the next.
func (h *Hub) Accept(ctx context.Context, r Request) (Story, error) {
	s, err := h.accept(ctx, r)
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		h.stats.refused(r.Handle, refusal.Reason)
		if refusal.Err != nil {
			h.refusals.Do(func() {
				h.log.Error().Err(refusal.Err).Str("reason", string(refusal.Reason)).Str("network", r.Handle.Network()).
					Msg("messages are refused; this is said once a minute, the metrics count them")
			})
		}
	}
	return s, err
}

func (h *Hub) accept(ctx context.Context, r Request) (Story, error) {
	phone, err := h.phone(r.To)
	if err != nil {
		return Story{}, &RefusalError{Reason: ReasonBadNumber, Text: addressing.Explain(err)}
	}
	if refusal := h.checkText(r.Text); refusal != nil {
		return Story{}, refusal
	}
	networkID := r.NetworkID
	if networkID == "" {
		networkID = ulid.Make().String()
	}
	m := MT{
		V: version, ID: MessageID(r.Handle, networkID), Handle: r.Handle, Phone: phone, Text: r.Text,
		NetworkID: r.NetworkID, ReplyTo: r.ReplyTo, AcceptedAt: h.now(), By: h.process,
	}
	m.ExpiresAt = m.AcceptedAt.Add(h.config().Validity)

	leave, err := h.accepting.alone(ctx, m.ID)
	if err != nil {
		return Story{}, refuseStore(err)
	}
	defer leave()
	if known, err := h.known(ctx, m); err != nil || known != nil {
		return deref(known), err
	}
	if err := h.permit(m.Handle, phone); err != nil {
		return Story{}, err
	}
	// What has no room is refused before it takes a Number or counts as begun.
	if err := h.Queue.RoomMT(ctx, m); err != nil {
		return Story{}, refuseStore(err)
	}
	if err := h.mayConverse(ctx, m.Handle, phone); err != nil {
		return Story{}, err
	}
	if s, done, err := h.own(ctx, &m); done || err != nil {
		return s, err
	}
	conversation, err := h.Book.Assign(ctx, m.Handle, phone)
	if err != nil {
		return Story{}, refuseAssign(phone, err)
	}
	m.Number = conversation.Number
	if m.Wire != "" {
		return h.store(ctx, m, r.Trace) // it says by itself who writes
	}
	if conversation.Introduced || !h.Book.Shared(m.Number) && m.Number.CanReply() {
		return h.store(ctx, m, r.Trace)
	}
	if h.Book.Shared(m.Number) {
		m.Prefix = strings.ReplaceAll(h.config().Prefix, "{name}", m.Handle.Name())
		if refusal := h.checkText(m.Prefix + m.Text); refusal != nil {
			return Story{}, refusal
		}
	}
	s, err := h.store(ctx, m, r.Trace)
	if err == nil {
		h.introduce(context.WithoutCancel(ctx), m, conversation)
	}
	return s, err
}

// longestRead is more than any usual spelling of a phone, in octets: others are not remembered.
const longestRead = 40

// phone reads a recipient as a person wrote it. People write to the same phones again and
// again, and to look one up in the numbering plans takes 13 µs.
func (h *Hub) phone(to string) (addressing.MSISDN, error) {
	if p, known := h.read.get(to); known {
		return p, nil
	}
	cfg := h.config()
	p, err := addressing.ParseMSISDN(to, cfg.Region)
	if err != nil {
		// A short number as it is dialled at home, if it is one of those that may be texted.
		if short, is := addressing.ParseShort(to, cfg.Region); is == nil && cfg.Policy.Numbers.Check(short) == nil {
			return short, nil
		}
	}
	if err == nil && len(to) <= longestRead {
		h.read.put(to, p)
	}
	return p, err
}

// introduce notes that the first message of a conversation says who writes, and tells
// its sender where nobody can answer. What a crash leaves undone comes with the next one.
func (h *Hub) introduce(ctx context.Context, m MT, c addressing.Conversation) {
	var err error
	if !m.Number.CanReply() {
		err = h.hand(ctx, MessageID(m.Handle, m.ID+" no answers"), m.AcceptedAt, c,
			fmt.Sprintf("[This phone sees %s as the sender, and cannot answer to it.]", m.Number))
	}
	if err = cmp.Or(err, h.Book.Introduced(ctx, c)); err != nil {
		h.log.Warn().Err(err).Str("message_id", m.ID).Msg("not noted that a conversation was introduced; the next message does it")
	}
}

// known finds what became of a message that came before under the same id. One that waits has
// no story yet, and is remembered for a while. A repeat that comes later still waits behind
// the first, and is found when its turn comes (DispatchMT).
func (h *Hub) known(ctx context.Context, m MT) (*Story, error) {
	s, _, err := h.Journal.Story(ctx, m.ID)
	if errors.Is(err, ErrNotFound) {
		first, waits := h.lately.get(m.ID)
		if !waits {
			return nil, nil
		}
		m.AcceptedAt = first.at
		s, err = newStory(m), nil
		s.Digest = first.digest
	}
	switch {
	case err != nil:
		return nil, refuseStore(err)
	case s.Digest != digest(m.Phone, m.Text):
		return nil, refuseReused()
	default:
		return &s, nil
	}
}

// store puts the message on disk, then its line in the log. The dispatch of the message waits
// for both; what a crash leaves undone, the dispatch does. A message has no story before it is
// tried: so a long queue costs no memory for its stories, and a short one no time.
func (h *Hub) store(ctx context.Context, m MT, came Trace) (Story, error) {
	if h.Tracer != nil {
		m.Trace = h.Tracer.Begin(came)
	}
	err := h.Queue.PublishMT(ctx, m)
	h.traceIntake(m, came, err != nil)
	if err != nil {
		if !errors.Is(err, ErrFull) {
			h.unlogged.put(m.ID, struct{}{}) // it may be stored all the same
		}
		return Story{}, refuseStore(err)
	}
	// From here on the message is accepted, whatever becomes of the caller.
	s := newStory(m)
	h.lately.put(m.ID, accepted{s.Digest, m.AcceptedAt})
	h.stats.accepted()
	if err := h.logMT(context.WithoutCancel(ctx), m); err != nil {
		h.log.Warn().Err(err).Str("message_id", m.ID).Msg("not in the log of its conversation yet; the dispatch will do it")
		h.unlogged.put(m.ID, struct{}{})
	} else {
		h.unlogged.forget(m.ID)
	}
	return s, nil
}

func (h *Hub) logMT(ctx context.Context, m MT) error {
	return h.Archive.AppendLog(ctx, Entry{
		V: version, ID: m.ID, Kind: EntryMT, Handle: m.Handle, Phone: m.Phone, Number: m.Number,
		At: m.AcceptedAt, Text: m.Text, NetworkID: m.NetworkID, State: Accepted, Trace: m.Trace,
	})
}

func newStory(m MT) Story {
	return Story{
		V: version, ID: m.ID, Handle: m.Handle, Phone: m.Phone, Number: m.Number, NetworkID: m.NetworkID, ReplyTo: m.ReplyTo,
		Digest: digest(m.Phone, m.Text), State: Accepted, History: []Change{{State: Accepted, At: m.AcceptedAt}},
		ExpiresAt: m.ExpiresAt, Trace: m.Trace,
	}
}

// maxTextBytes refuses absurd texts before any work is spent on them: 255 segments
// of 67 characters of four bytes.
const maxTextBytes = 255 * 67 * 4

func (h *Hub) checkText(text string) *RefusalError {
	switch {
	case strings.TrimSpace(text) == "":
		return &RefusalError{Reason: ReasonEmpty, Text: "The message is empty. Write a text to send."}
	case len(text) > maxTextBytes:
		return h.refuseLong(fmt.Sprintf("%d kB", len(text)/1000))
	case !utf8.ValidString(text):
		return &RefusalError{Reason: ReasonBadText, Text: "The text is not valid UTF-8, so its characters cannot be told. Send it as UTF-8."}
	}
	e, err := h.Carrier.Estimate(text)
	switch {
	case err != nil:
		return &RefusalError{Reason: ReasonBadText, Text: addressing.Explain(err)}
	case e.Segments > h.config().MaxSegments:
		return h.refuseLong(fmt.Sprintf("%d SMS", e.Segments))
	default:
		return nil
	}
}

func (h *Hub) refuseLong(size string) *RefusalError {
	return &RefusalError{
		Reason: ReasonTooLong,
		Text:   fmt.Sprintf("The text is too long: it makes %s and at most %d SMS are allowed. Shorten it or send it in parts.", size, h.config().MaxSegments),
	}
}

func refuseReused() *RefusalError {
	return &RefusalError{
		Reason: ReasonIDReused,
		Text:   "This message id was used before for another text or phone. Send the message with an id of its own.",
	}
}

func refuseAssign(phone addressing.MSISDN, err error) *RefusalError {
	if errors.Is(err, addressing.ErrNoNumber) {
		return &RefusalError{
			Reason: ReasonNoNumber,
			Text:   fmt.Sprintf("Every number of this bridge is in use with %s by other people. Ask the operator of the bridge for more numbers.", phone),
		}
	}
	if errors.Is(err, addressing.ErrStopped) {
		return &RefusalError{
			Reason: ReasonStopped,
			Text:   fmt.Sprintf("%s has asked for no more messages (STOP). Yours was not sent; the phone can undo that with START.", phone),
		}
	}
	return refuseStore(err)
}

func refuseStore(err error) *RefusalError {
	switch {
	case errors.Is(err, ErrHandleFull):
		return &RefusalError{Reason: ReasonQueueFull, Text: "As many of your messages as may wait are waiting to be sent, so this one was not taken. Try again once some have gone.", Err: err}
	case errors.Is(err, ErrRouteFull):
		return &RefusalError{Reason: ReasonQueueFull, Text: "Too many messages are waiting for this phone's operator, so yours was not taken. Try again in a few minutes.", Err: err}
	}
	if errors.Is(err, ErrFull) {
		return &RefusalError{Reason: ReasonQueueFull, Text: "The bridge has too many messages waiting and cannot take yours now. Try again in a few minutes.", Err: err}
	}
	return &RefusalError{Reason: ReasonUnavailable, Text: "The bridge cannot store messages at the moment, so yours was not taken. Try again in a minute.", Err: err}
}

func deref(s *Story) Story {
	if s == nil {
		return Story{}
	}
	return *s
}

// version is the form of everything that the hub has stored.
const version = 1
