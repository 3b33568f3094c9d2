package xmpp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// lateAfter is the age from which a text says when it was sent (XEP-0203).
const lateAfter = time.Minute

// Deliver writes a text or a status to its person. It returns nil once their server,
// or where that is silent our own, has answered a ping that was sent behind it. It
// blocks while the server is away, until ctx ends, and writes again what a lost
// connection may have lost, with the same id. An error that wraps
// [bridge.ErrUndeliverable] says that the server sent the text back for good; any other,
// that it should be delivered again. [Component.Run] must be running.
func (c *Component) Deliver(ctx context.Context, m bridge.OUT) error {
	to, err := jid.Parse(m.Handle.ID())
	if err != nil || m.Handle.Network() != addressing.NetworkXMPP {
		return fmt.Errorf("xmpp: %s is not an XMPP address: %w", m.Handle, bridge.ErrUndeliverable)
	}
	deliver := c.deliverText
	if m.Kind == bridge.OUTStatus {
		if !tells(m) {
			return nil
		}
		deliver = c.deliverStatus
	}
	for {
		s, err := c.connected(ctx)
		if err != nil {
			return err
		}
		if err = deliver(ctx, s, to, m); !errors.Is(err, errLost) {
			return err
		}
		// What is written next goes over another connection.
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tells whether XMPP has a way to show the status: it has none for accepted, but in
// words, nor for sent, and shows delivered only to those who asked for receipts.
func tells(m bridge.OUT) bool {
	switch m.State {
	case bridge.Delivered:
		r := parseRef(m.NetworkID)
		return r.receipt && r.id != ""
	case bridge.Failed, bridge.Expired, bridge.Unknown:
		return true
	case bridge.Accepted:
		return m.Detail != "" // it is said only where there is something to say
	default:
		return false
	}
}

// deliverText writes a phone's text to all of the person's devices.
func (c *Component) deliverText(ctx context.Context, s *session, to jid.JID, m bridge.OUT) error {
	text := c.chat(to.String(), m, m.Text)
	if age := time.Since(m.At); !m.At.IsZero() && age > lateAfter {
		text.Delay = &delay{From: c.domain.String(), Stamp: m.At.UTC().Truncate(time.Second)}
	}
	bounced, err := s.write(ctx, to, text)
	if err != nil {
		return err
	}
	if bounced != nil {
		return bounced
	}
	c.stats.texts.Add(1)
	return nil
}

// chat is a text of m's phone, with m's id. Where it is about one that the person wrote it says
// about which (XEP-0461, 3): of several they could not tell.
func (c *Component) chat(to string, m bridge.OUT, text string) message {
	var about *reply
	if id := parseRef(m.NetworkID).id; id != "" {
		about = &reply{To: cmp.Or(m.ReplyTo, to), ID: id}
	}
	return message{
		Reply:    about,
		head:     head{From: c.address(m.Phone), To: to, ID: m.ID, Type: string(stanza.ChatMessage)},
		Body:     &text,
		OriginID: &idOnly{m.ID},
		Store:    &struct{}{},
	}
}

// deliverStatus tells the person what became of a text that they wrote.
func (c *Component) deliverStatus(ctx context.Context, s *session, to jid.JID, m bridge.OUT) error {
	device := to
	if full, err := jid.Parse(m.ReplyTo); err == nil && full.Bare().Equal(to) {
		device = full
	}
	switch m.State {
	case bridge.Delivered:
		return c.deliverReceipt(ctx, s, device, m)
	case bridge.Accepted:
		return c.deliverNote(ctx, s, to, m)
	}
	return c.deliverFailure(ctx, s, device, m)
}

// deliverReceipt says that the phone has the text. Where the device has gone, its
// server gives a chat message to the others (RFC 6121, 8.5.3.2.1).
func (c *Component) deliverReceipt(ctx context.Context, s *session, device jid.JID, m bridge.OUT) error {
	bounced, err := s.write(ctx, device, message{
		head:     head{From: c.address(m.Phone), To: device.String(), ID: m.ID, Type: string(stanza.ChatMessage)},
		Received: &idOnly{parseRef(m.NetworkID).id},
		Store:    &struct{}{},
	})
	if err != nil {
		return err
	}
	if bounced == nil {
		c.stats.receipts.Add(1)
	}
	return nil // a receipt that nobody takes needs no second try
}

// deliverFailure says that the phone will not get the text. The error that names the
// message goes to the device that sent it; it is dropped without a word where that
// has gone (RFC 6121, 8.5.3.2.3), and so, unless the device answers a ping, everybody
// gets it as a text too.
func (c *Component) deliverFailure(ctx context.Context, s *session, device jid.JID, m bridge.OUT) error {
	id := parseRef(m.NetworkID).id
	text := m.Detail
	if text == "" {
		text = "The message was not delivered."
	}
	seen := false
	if id != "" && device.Resourcepart() != "" {
		err := s.send(message{
			head:  head{From: c.address(m.Phone), To: device.String(), ID: id, Type: string(stanza.ErrorMessage)},
			Error: reasonFailure(m.Reason, text),
		})
		if err != nil {
			return err
		}
		typ, err := s.ping(ctx, device.String())
		if err != nil && !isSilent(err) {
			return err
		}
		seen = typ == "result"
	}
	if !seen {
		bounced, err := s.write(ctx, device.Bare(), c.chat(device.Bare().String(), m, text))
		if err != nil {
			return err
		}
		if bounced != nil {
			return bounced
		}
	}
	c.stats.failures.Add(1)
	return nil
}

// deliverNote says in words what is no end yet.
func (c *Component) deliverNote(ctx context.Context, s *session, to jid.JID, m bridge.OUT) error {
	bounced, err := s.write(ctx, to, c.chat(to.Bare().String(), m, m.Detail))
	if err != nil {
		return err
	}
	return bounced
}

// bounceError is what came back for a text: the stanza error that its server sent.
type bounceError struct {
	typ, condition, text string
}

func (e *bounceError) Error() string {
	return fmt.Sprintf("xmpp: the server sent the message back: %s (%s) %s", e.condition, e.typ, e.text)
}

// Unwrap is bridge.ErrUndeliverable unless the server says that a later try may
// succeed (RFC 6120, 8.3.2).
func (e *bounceError) Unwrap() error {
	if e.typ == string(stanza.Wait) {
		return nil
	}
	return bridge.ErrUndeliverable
}

// write sends m and waits until the server of to has it. A bounce that comes back in
// that time is returned.
func (s *session) write(ctx context.Context, to jid.JID, m message) (bounced error, err error) {
	came := make(chan *bounceError, 1)
	s.mu.Lock()
	s.bounces[m.ID] = came
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.bounces, m.ID)
		s.mu.Unlock()
	}()
	if err := s.send(m); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, to.Domainpart()); err != nil {
		return nil, err
	}
	select {
	case b := <-came:
		return b, nil
	default:
		return nil, nil
	}
}

// returned takes a message of type error: what we wrote comes back. It is never
// answered (RFC 6120, 8.3.1).
func (s *session) returned(r *received) {
	s.c.stats.bounced.Add(1)
	b := &bounceError{condition: string(stanza.UndefinedCondition)}
	if r.Error != nil {
		b = &bounceError{typ: r.Error.Type, condition: r.Error.condition(), text: r.Error.Text}
	}
	s.mu.Lock()
	came := s.bounces[r.ID]
	s.mu.Unlock()
	s.c.log.Warn().Str("message_id", r.ID).Str("type", b.typ).Str("condition", b.condition).Bool("waited_for", came != nil).
		Msg("the XMPP server sent a message back")
	select {
	case came <- b: // nil, and so never ready, where nobody waits
	default:
	}
}
