package xmpp

import (
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// presence answers those who put a phone, or the bridge itself, on their roster, so
// that it shows there as somebody who can be written to. Nothing is remembered: a
// phone is always there, and servers ask again by a probe (RFC 6121, 4.3).
func (s *session) presence(r *received, from, to jid.JID) {
	if from.Domain().Equal(s.c.domain) {
		return
	}
	switch stanza.PresenceType(r.Type) {
	case stanza.SubscribePresence:
		if !s.shows(from, to) {
			s.present(from, to, stanza.UnsubscribedPresence)
			return
		}
		s.present(from, to, stanza.SubscribedPresence)
		s.present(from, to, stanza.AvailablePresence)
	case stanza.ProbePresence:
		if !s.shows(from, to) {
			s.present(from, to, stanza.UnsubscribedPresence)
			return
		}
		s.present(from, to, stanza.AvailablePresence)
	case stanza.UnsubscribePresence:
		s.present(from, to, stanza.UnsubscribedPresence)
	}
}

// shows tells whether from may see to, and to is a phone or the bridge.
func (s *session) shows(from, to jid.JID) bool {
	if !s.c.allow.permits(from) {
		return false
	}
	if to.Localpart() == "" {
		return true
	}
	_, failure := s.c.phone(to)
	return failure == nil
}

// present answers with to's presence. Phones have no resource (XEP-0100, 4.1, shows
// gateways' contacts so).
func (s *session) present(from, to jid.JID, typ stanza.PresenceType) {
	s.answer(presence{head: head{From: to.Bare().String(), To: from.Bare().String(), Type: string(typ)}})
}
