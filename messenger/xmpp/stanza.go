package xmpp

import (
	"encoding/xml"
	"time"

	"mellium.im/xmpp/component"
	"mellium.im/xmpp/stanza"
)

// Namespaces of the extensions that are spoken.
const (
	nsStanzas     = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsChatStates  = "http://jabber.org/protocol/chatstates"
	nsEncryption  = "urn:xmpp:eme:0"
	nsOMEMO       = "urn:xmpp:omemo:" // with its version behind it
	nsLegacyOMEMO = "eu.siacs.conversations.axolotl"
	nsReceipts    = "urn:xmpp:receipts"
	nsPing        = "urn:xmpp:ping"
	nsVersion     = "jabber:iq:version"
	nsDiscoInfo   = "http://jabber.org/protocol/disco#info"
	nsDiscoItem   = "http://jabber.org/protocol/disco#items"
)

// head is what all stanzas have. Addresses are text: a bad one must not make the
// rest unreadable.
type head struct {
	From string `xml:"from,attr,omitempty"`
	To   string `xml:"to,attr,omitempty"`
	ID   string `xml:"id,attr,omitempty"`
	Type string `xml:"type,attr,omitempty"`
}

// reply is the head of an answer.
func (h head) reply(typ string) head {
	return head{From: h.To, To: h.From, ID: h.ID, Type: typ}
}

// received is a stanza as it came: message, presence or iq.
type received struct {
	XMLName xml.Name
	head
	Bodies   []string `xml:"jabber:component:accept body"`
	OriginID struct {
		ID string `xml:"id,attr"`
	} `xml:"urn:xmpp:sid:0 origin-id"`
	Request *struct{}      `xml:"urn:xmpp:receipts request"`
	Error   *receivedError `xml:"jabber:component:accept error"`
	// Children are all others: chat states, encryption, the payload of an iq.
	Children []struct {
		XMLName xml.Name
		Node    string `xml:"node,attr"`
	} `xml:",any"`
}

type receivedError struct {
	Type     string                       `xml:"type,attr"`
	Text     string                       `xml:"urn:ietf:params:xml:ns:xmpp-stanzas text"`
	Children []struct{ XMLName xml.Name } `xml:",any"`
}

// condition is the defined condition of the error (RFC 6120, 8.3.3).
func (e *receivedError) condition() string {
	for _, child := range e.Children {
		if child.XMLName.Space == nsStanzas {
			return child.XMLName.Local
		}
	}
	return string(stanza.UndefinedCondition)
}

// has tells whether the stanza has a child in the namespace.
func (r *received) has(namespace string) bool {
	for _, child := range r.Children {
		if child.XMLName.Space == namespace {
			return true
		}
	}
	return false
}

// message is one that is sent. Characters that XML 1.0 cannot carry become U+FFFD
// when it is written: the encoder of encoding/xml does that.
type message struct {
	XMLName xml.Name `xml:"message"`
	head
	Body     *string   `xml:"body,omitempty"`
	OriginID *originID `xml:"urn:xmpp:sid:0 origin-id,omitempty"`
	Received *idOnly   `xml:"urn:xmpp:receipts received,omitempty"`
	Reply    *reply    `xml:"urn:xmpp:reply:0 reply,omitempty"`
	Delay    *delay    `xml:"urn:xmpp:delay delay,omitempty"`
	Store    *struct{} `xml:"urn:xmpp:hints store,omitempty"`
	Error    *failure  `xml:"error,omitempty"`
}

type (
	originID = idOnly
	idOnly   struct {
		ID string `xml:"id,attr"`
	}
	reply struct {
		To string `xml:"to,attr"`
		ID string `xml:"id,attr"`
	}
	delay struct {
		From  string    `xml:"from,attr"`
		Stamp time.Time `xml:"stamp,attr"`
	}
	presence struct {
		XMLName xml.Name `xml:"presence"`
		head
		Error *failure `xml:"error,omitempty"`
	}
	iq struct {
		XMLName xml.Name `xml:"iq"`
		head
		Payload any
		Error   *failure `xml:"error,omitempty"`
	}
)

// failure is a stanza error: what happened, whether trying again helps, and plain
// words (RFC 6120, 8.3.2).
type failure struct {
	Type      stanza.ErrorType `xml:"type,attr"`
	Condition conditionElement
	Text      string `xml:"urn:ietf:params:xml:ns:xmpp-stanzas text,omitempty"`
}

type conditionElement struct{ XMLName xml.Name }

func newFailure(typ stanza.ErrorType, condition stanza.Condition, text string) *failure {
	return &failure{
		Type: typ, Text: text,
		Condition: conditionElement{xml.Name{Space: nsStanzas, Local: string(condition)}},
	}
}

// isStanza tells stanzas from whatever else may stand in a stream.
func isStanza(name xml.Name) bool {
	if name.Space != component.NSAccept {
		return false
	}
	return name.Local == "message" || name.Local == "presence" || name.Local == "iq"
}
