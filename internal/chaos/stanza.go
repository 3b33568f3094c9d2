//go:build linux

package main

import "encoding/xml"

// stanza is what an XMPP user receives, as far as it counts here.
type stanza struct {
	XMLName  xml.Name
	From     string        `xml:"from,attr"`
	ID       string        `xml:"id,attr"`
	Type     string        `xml:"type,attr"`
	Body     string        `xml:"jabber:client body"`
	Received idOnly        `xml:"urn:xmpp:receipts received"`
	Reply    idOnly        `xml:"urn:xmpp:reply:0 reply"`
	Error    receivedError `xml:"jabber:client error"`
	Ping     *struct{}     `xml:"urn:xmpp:ping ping"`
	// ArchiveID is the server's (XEP-0359, 3.1).
	ArchiveID idOnly  `xml:"urn:xmpp:sid:0 stanza-id"`
	Result    *result `xml:"urn:xmpp:mam:2 result"`
	Fin       *struct {
		Complete string `xml:"complete,attr"`
	} `xml:"urn:xmpp:mam:2 fin"`
}

// result is one message of the archive (XEP-0313, 4.2).
type result struct {
	ID      string `xml:"id,attr"`
	Message stanza `xml:"forwarded>message"`
}

type receivedError struct {
	Type     string                       `xml:"type,attr"`
	Text     string                       `xml:"urn:ietf:params:xml:ns:xmpp-stanzas text"`
	Children []struct{ XMLName xml.Name } `xml:",any"`
}

type idOnly struct {
	ID string `xml:"id,attr"`
}

// outgoing is a text that asks for a receipt.
type outgoing struct {
	XMLName  xml.Name `xml:"jabber:client message"`
	Type     string   `xml:"type,attr"`
	ID       string   `xml:"id,attr"`
	To       string   `xml:"to,attr"`
	Body     string   `xml:"body"`
	OriginID idOnly   `xml:"urn:xmpp:sid:0 origin-id"`
	Request  struct{} `xml:"urn:xmpp:receipts request"`
}

type presence struct {
	XMLName xml.Name `xml:"jabber:client presence"`
}

type pong struct {
	XMLName xml.Name `xml:"jabber:client iq"`
	Type    string   `xml:"type,attr"`
	ID      string   `xml:"id,attr"`
	To      string   `xml:"to,attr"`
}

// query asks for what the archive has after something (XEP-0313, 4; XEP-0059, 2.2).
type query struct {
	XMLName xml.Name `xml:"jabber:client iq"`
	Type    string   `xml:"type,attr"`
	ID      string   `xml:"id,attr"`
	Query   struct {
		Set struct {
			Max   int    `xml:"max"`
			After string `xml:"after,omitempty"`
		} `xml:"http://jabber.org/protocol/rsm set"`
	} `xml:"urn:xmpp:mam:2 query"`
}

func newQuery(after string) query {
	q := query{Type: "set", ID: "archive"}
	q.Query.Set.Max, q.Query.Set.After = 50, after
	return q
}
