package xmpp

import (
	"encoding/xml"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

type (
	discoInfo struct {
		XMLName  xml.Name  `xml:"http://jabber.org/protocol/disco#info query"`
		Identity identity  `xml:"identity"`
		Features []feature `xml:"feature"`
	}
	identity struct {
		Category string `xml:"category,attr"`
		Type     string `xml:"type,attr"`
		Name     string `xml:"name,attr"`
	}
	feature struct {
		Var string `xml:"var,attr"`
	}
	discoItems struct {
		XMLName xml.Name `xml:"http://jabber.org/protocol/disco#items query"`
	}
	softwareVersion struct {
		XMLName xml.Name `xml:"jabber:iq:version query"`
		Name    string   `xml:"name"`
		Version string   `xml:"version"`
	}
)

// request answers an iq of type get or set (RFC 6120, 8.2.3: each has an answer).
func (s *session) request(r *received, to jid.JID) {
	if r.Type != string(stanza.GetIQ) && r.Type != string(stanza.SetIQ) {
		return // no iq that RFC 6120 knows
	}
	answer := iq{head: r.reply(string(stanza.ResultIQ))}
	failed := func(f *failure) {
		answer.Type, answer.Payload, answer.Error = string(stanza.ErrorIQ), nil, f
	}
	if to.Localpart() != "" {
		if _, f := s.c.phone(to); f != nil {
			failed(newFailure(stanza.Cancel, stanza.ItemNotFound, f.Text))
			s.answer(answer)
			return
		}
	}
	payload, known := s.c.payload(r, to)
	if !known {
		failed(newFailure(stanza.Cancel, stanza.ServiceUnavailable, ""))
	} else {
		answer.Payload = payload
	}
	s.answer(answer)
}

// payload is the answer to a request that is understood.
func (c *Component) payload(r *received, to jid.JID) (payload any, known bool) {
	if r.Type != string(stanza.GetIQ) || len(r.Children) != 1 || r.Children[0].Node != "" {
		return nil, false
	}
	switch r.Children[0].XMLName {
	case xml.Name{Space: nsPing, Local: "ping"}:
		return nil, true
	case xml.Name{Space: nsVersion, Local: "query"}:
		return softwareVersion{Name: "smsbridge", Version: c.cfg.Version}, true
	case xml.Name{Space: nsDiscoItem, Local: "query"}:
		return discoItems{}, true
	case xml.Name{Space: nsDiscoInfo, Local: "query"}:
		return c.info(to), true
	default:
		return nil, false
	}
}

// info says what an address is (XEP-0030, 3.1): the bridge, or a phone, whose receipts
// clients should ask for (XEP-0184, 4).
func (c *Component) info(to jid.JID) discoInfo {
	info := discoInfo{
		Identity: identity{Category: "gateway", Type: "sms", Name: "SMS"},
		Features: []feature{{nsDiscoInfo}, {nsDiscoItem}, {nsPing}, {nsVersion}},
	}
	if to.Localpart() != "" {
		info.Identity = identity{Category: "client", Type: "sms", Name: to.Localpart()}
		info.Features = append(info.Features, feature{nsReceipts})
	}
	return info
}
