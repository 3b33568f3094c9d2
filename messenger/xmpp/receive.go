package xmpp

import (
	"runtime/debug"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// receive decides what a stanza is. It runs on the reader of the stream: what may
// take time goes to a lane.
func (s *session) receive(r *received) {
	switch {
	case r.XMLName.Local == "message" && r.Type == string(stanza.ErrorMessage):
		s.returned(r)
	case r.XMLName.Local == "iq" && (r.Type == string(stanza.ResultIQ) || r.Type == string(stanza.ErrorIQ)):
		s.answered(r)
	case r.XMLName.Local == "message" && !asksForSomething(r):
		// Chat states, receipts, markers, headlines: not for phones.
	default:
		s.queue(r)
	}
}

// asksForSomething tells messages that a person wrote from those that a client sends
// by itself.
func asksForSomething(r *received) bool {
	if r.Type == string(stanza.HeadlineMessage) {
		return false
	}
	return r.encrypted() || len(r.Bodies) > 0 && (r.text() != "" || !r.has(nsChatStates))
}

// queue puts the stanza into its conversation's lane. Where too much waits already it
// is refused at once: the reader must go on, and memory is bounded.
func (s *session) queue(r *received) {
	from, errFrom := jid.Parse(r.From)
	to, errTo := jid.Parse(r.To)
	if errFrom == nil && errTo != nil && r.XMLName.Local == "message" {
		s.misaddressed(r, from)
		return
	}
	if errFrom != nil || errTo != nil {
		// Servers stamp and check addresses, so this is no person's doing. Without
		// them nobody could be answered.
		s.c.stats.dropped.Add(1)
		return
	}
	turn := func() {
		// A defect in the handling of one stanza costs this stanza only.
		defer func() {
			if p := recover(); p != nil {
				s.c.stats.panics.Add(1)
				s.c.log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Str("stanza", r.XMLName.Local).Msg("stanza not handled")
				if r.XMLName.Local == "message" {
					s.refuse(r, reasonFailure(bridge.ReasonInternal,
						"The bridge failed at this message because of a defect of its own. Tell its operator, who finds it in the log."))
				}
			}
		}()
		switch r.XMLName.Local {
		case "message":
			s.message(r, from, to)
		case "presence":
			s.presence(r, from, to)
		default:
			s.request(r, to)
		}
	}
	key := from.Bare().String() + " " + to.Bare().String()
	if r.XMLName.Local == "iq" {
		key = "iq " + key // an answer to a ping waits for no text
	}
	if s.c.lanes.do(key, r.size(), turn) {
		return
	}
	s.c.stats.dropped.Add(1)
	if r.XMLName.Local == "message" {
		s.refuse(r, newFailure(stanza.Wait, stanza.ResourceConstraint,
			"The bridge has too many messages waiting and cannot take yours now. Try again in a minute."))
	}
}

// person is the handle of a sender. The error is one for people.
func person(from jid.JID) (addressing.Handle, error) {
	return addressing.NewHandle(addressing.NetworkXMPP, from.Bare().String())
}

// misaddressed answers a message to an address that is no JID, such as a number in Arabic
// digits: not all servers refuse these. The answer comes from the bridge itself, since a
// server may end the stream over an address that is none.
func (s *session) misaddressed(r *received, from jid.JID) {
	if from.Domain().Equal(s.c.domain) || !s.c.allow.permits(from) {
		s.c.stats.dropped.Add(1)
		return
	}
	local, _, _ := strings.Cut(r.To, "@")
	_, wrong := s.c.phoneNamed(local)
	if wrong == nil {
		wrong = newFailure(stanza.Modify, stanza.JIDMalformed, "The message was not sent: what it was written to is no address.")
	}
	r.To = s.c.domain.String()
	s.refuse(r, wrong)
}

// phone reads the phone that an address on this component names. Where the address
// is not the one spelling that it has, failure says which is.
func (c *Component) phone(to jid.JID) (addressing.MSISDN, *failure) {
	return c.phoneNamed(to.Localpart())
}

func (c *Component) phoneNamed(local string) (addressing.MSISDN, *failure) {
	m, err := addressing.ParseMSISDN(local, c.cfg.Region)
	switch {
	case err != nil:
		return m, newFailure(stanza.Modify, stanza.JIDMalformed,
			addressing.Explain(err)+" A phone's address here is like +33612345678@"+c.domain.String()+".")
	case m.String() != local:
		return m, newFailure(stanza.Modify, stanza.JIDMalformed,
			"The message was not sent. Phone numbers are written in full here: write to "+c.address(m)+".")
	default:
		return m, nil
	}
}
