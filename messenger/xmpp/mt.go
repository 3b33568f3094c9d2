package xmpp

import (
	"context"
	"errors"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// maxID bounds the id of a message, in octets: it is stored with the message.
const maxID = 1024

// acceptTimeout is how long the hub may take to store a message.
const acceptTimeout = 30 * time.Second

// maxEcho bounds the text that a refusal gives back, in octets.
const maxEcho = 10_000

// message takes what a person wrote.
func (s *session) message(r *received, from, to jid.JID) {
	c := s.c
	if from.Domain().Equal(c.domain) {
		return // ourselves: an answer could go round for ever
	}
	if !c.allow.permits(from) {
		s.refuse(r, reasonFailure(bridge.ReasonNotPermitted,
			"You may not send SMS through "+c.domain.String()+". Ask the operator of the bridge to allow your address."))
		return
	}
	if to.Localpart() == "" {
		s.help(r)
		return
	}
	if refusal := c.unsuitable(r); refusal != nil {
		s.refuse(r, refusal)
		return
	}
	phone, refusal := c.phone(to)
	if refusal != nil {
		s.refuse(r, refusal)
		return
	}
	s.accept(r, from, phone)
}

// unsuitable refuses messages that no phone could read, whatever its number.
func (c *Component) unsuitable(r *received) *failure {
	switch {
	case r.Type == string(stanza.GroupChatMessage):
		return newFailure(stanza.Cancel, stanza.ServiceUnavailable, "A phone cannot take part in a group chat. Write to it in a chat of its own.")
	case r.encrypted():
		return newFailure(stanza.Modify, stanza.NotAcceptable, "An SMS cannot be encrypted, so the message was not sent. Turn encryption off for this chat and send it again.")
	case len(r.ID) > maxID || len(r.OriginID.ID) > maxID:
		return newFailure(stanza.Modify, stanza.BadRequest, "The id of the message is too long, so the message was not sent.")
	default:
		return nil
	}
}

// accept gives the message to the hub. Success has no answer in XMPP.
func (s *session) accept(r *received, from jid.JID, phone addressing.MSISDN) {
	c := s.c
	handle, err := person(from)
	if err != nil {
		s.refuse(r, reasonFailure(bridge.ReasonNotPermitted, "Only people can send SMS, and "+from.String()+" is not a person's address."))
		return
	}
	request := bridge.Request{Handle: handle, To: phone.String(), Text: r.text(), ReplyTo: from.String()}
	if r.ID != "" || r.OriginID.ID != "" {
		request.NetworkID = newRef(r.ID, r.OriginID.ID, r.Request != nil).String()
	}
	// The stanza has left the stream and the server will not send it again: the end of
	// the connection, or of the daemon, must not end this.
	ctx, cancel := context.WithTimeout(context.Background(), acceptTimeout)
	defer cancel()
	story, err := c.cfg.Hub.Accept(ctx, request)
	if err == nil {
		c.stats.accepted.Add(1)
		c.log.Debug().Str("message_id", story.ID).Str("handle", handle.String()).Str("msisdn", phone.Masked()).Msg("message accepted")
		return
	}
	var refusal *bridge.RefusalError
	if !errors.As(err, &refusal) {
		c.log.Error().Err(err).Str("handle", handle.String()).Str("msisdn", phone.Masked()).Msg("message not accepted")
		refusal = &bridge.RefusalError{Reason: bridge.ReasonUnavailable, Text: "The bridge cannot take messages at the moment. Try again in a minute."}
	}
	s.refuse(r, reasonFailure(refusal.Reason, refusal.Text))
}

// refuse answers a message with an error that has its id and, unless it is large, its
// text (RFC 6120, 8.3.1).
func (s *session) refuse(r *received, f *failure) {
	s.c.stats.refused.Add(1)
	answer := message{head: r.reply(string(stanza.ErrorMessage)), Error: f}
	if text := r.text(); text != "" && len(text) <= maxEcho {
		answer.Body = &text
	}
	s.answer(answer)
}

// help tells someone who writes to the bridge itself how it is used.
func (s *session) help(r *received) {
	text := "Write to a phone's number at this address, like +33612345678@" + s.c.domain.String() +
		", and it gets an SMS. Its answer comes back in the same chat."
	if r.Type == string(stanza.GroupChatMessage) {
		s.refuse(r, newFailure(stanza.Cancel, stanza.ServiceUnavailable, text))
		return
	}
	answer := message{head: r.reply(string(stanza.ChatMessage)), Body: &text}
	answer.ID = ""
	s.answer(answer)
}

// answer sends an answer. One that the connection's end loses is no loss to the
// bridge, and its sender sees the connection end too.
func (s *session) answer(v any) {
	if err := s.send(v); err != nil {
		s.c.log.Debug().Err(err).Msg("answer not sent")
	}
}

// text is what the person wrote. Of bodies in several languages it is the first.
func (r *received) text() string {
	if len(r.Bodies) == 0 {
		return ""
	}
	return r.Bodies[0]
}

// encrypted tells messages whose body only says that they are encrypted (XEP-0380,
// 3, and the OMEMO clients that do not send it).
func (r *received) encrypted() bool {
	for _, child := range r.Children {
		switch ns := child.XMLName.Space; {
		case ns == nsEncryption, ns == nsLegacyOMEMO, strings.HasPrefix(ns, nsOMEMO):
			return true
		}
	}
	return false
}

// size is what the stanza occupies, roughly.
func (r *received) size() int {
	n := len(r.ID) + len(r.OriginID.ID) + 64*len(r.Children)
	for _, body := range r.Bodies {
		n += len(body)
	}
	return n
}
