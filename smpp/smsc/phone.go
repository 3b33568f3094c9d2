package smsc

import (
	"container/list"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// Direction tells what a phone received from what it sent.
type Direction string

// The directions, seen from the phone.
const (
	Received Direction = "received"
	Sent     Direction = "sent"
)

// State tells how far a message that a phone sent has come.
type State string

// The states of a sent message.
const (
	Pending  State = "pending"  // no client has taken it yet
	Accepted State = "accepted" // a client answered every deliver_sm with ESME_ROK
	Refused  State = "refused"  // a client refused it for good
)

// Message is one text on a phone.
type Message struct {
	ID        string            `json:"id"`
	Phone     addressing.MSISDN `json:"phone"`
	Direction Direction         `json:"direction"`
	From      string            `json:"from"`
	To        string            `json:"to"`
	Text      string            `json:"text"`
	At        time.Time         `json:"at"`
	Segments  int               `json:"segments"`
	Encoding  string            `json:"encoding"`        // as people call it: GSM 7-bit, UCS-2
	State     State             `json:"state,omitempty"` // of a sent message
}

// Phone is a phone and the last that happened on it.
type Phone struct {
	MSISDN   addressing.MSISDN `json:"msisdn"`
	Messages int               `json:"messages"` // how many are kept
	Last     *Message          `json:"last,omitempty"`
}

// What bounds the memory of one phone, besides the number of its messages.
const (
	// maxParts is how many segments wait for the rest of their message, of which there
	// may be all. Beyond it the oldest message is shown with what has come.
	maxParts = smpp.MaxSegments + 45
	// maxPart is the longest text in octets that may be a segment: more than any
	// short_message has (SMPP 3.4, 5.2.21). A longer one is shown by itself.
	maxPart = 254
)

// phone is guarded by its phones.
type phone struct {
	number   addressing.MSISDN
	messages []Message // oldest first
	text     int       // octets in them
	parts    []*long
	waiting  int // segments in parts
	used     *list.Element
}

// long is a message of which not all segments have come.
type long struct {
	from  string
	place bridge.Concat // of its first segment to come; Part is not of interest
	parts map[int]bridge.MO
}

// phones holds all phones, the last used in front, and forgets the longest unused.
type phones struct {
	maxPhones, maxMessages, maxText int
	changed                         func(Message) // called with the lock, in order; must not block

	mu     sync.Mutex
	byName map[addressing.MSISDN]*phone
	order  *list.List
}

func newPhones(maxPhones, maxMessages, maxText int, changed func(Message)) *phones {
	return &phones{
		maxPhones: maxPhones, maxMessages: maxMessages, maxText: maxText, changed: changed,
		byName: make(map[addressing.MSISDN]*phone), order: list.New(),
	}
}

// use finds or makes a phone. The caller holds the lock.
func (ps *phones) use(number addressing.MSISDN) *phone {
	if p, ok := ps.byName[number]; ok {
		ps.order.MoveToFront(p.used)
		return p
	}
	if len(ps.byName) >= ps.maxPhones {
		oldest := ps.order.Remove(ps.order.Back()).(*phone)
		delete(ps.byName, oldest.number)
	}
	p := &phone{number: number}
	p.used = ps.order.PushFront(p)
	ps.byName[number] = p
	return p
}

// receive takes one segment, and shows the message once all of it has come.
func (ps *phones) receive(number addressing.MSISDN, from string, m bridge.MO, now time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.use(number)
	for _, parts := range p.collect(from, m) {
		ps.keep(p, Message{
			ID: ulid.Make().String(), Phone: number, Direction: Received, From: from, To: number.String(),
			Text: readAll(parts), At: now.UTC(), Segments: len(parts), Encoding: encodingName(parts[0].DataCoding),
		})
	}
}

// collect gives the segments of each message that can be shown now.
func (p *phone) collect(from string, m bridge.MO) [][]bridge.MO {
	place := smpp.ReadConcat(m)
	if place.IsZero() || size(m) > maxPart {
		return [][]bridge.MO{{m}}
	}
	i := slices.IndexFunc(p.parts, func(l *long) bool {
		return l.from == from && l.place.Ref == place.Ref && l.place.Wide == place.Wide && l.place.Total == place.Total
	})
	if i < 0 {
		i = len(p.parts)
		p.parts = append(p.parts, &long{from: from, place: place, parts: make(map[int]bridge.MO)})
	}
	l := p.parts[i]
	if _, repeated := l.parts[place.Part]; !repeated {
		p.waiting++
	}
	l.parts[place.Part] = m
	var ready [][]bridge.MO
	if len(l.parts) == place.Total {
		ready = append(ready, p.take(i))
	}
	for p.waiting > maxParts {
		ready = append(ready, p.take(0))
	}
	return ready
}

// take removes a long message and gives its segments.
func (p *phone) take(i int) []bridge.MO {
	parts := p.parts[i].sorted()
	p.parts = slices.Delete(p.parts, i, i+1)
	p.waiting -= len(parts)
	return parts
}

func size(m bridge.MO) int {
	octets := len(m.Body)
	for _, t := range m.TLVs {
		octets += len(t.Value)
	}
	return octets
}

func (l *long) sorted() []bridge.MO {
	all := make([]bridge.MO, 0, len(l.parts))
	for part := 1; part <= l.place.Total; part++ {
		if m, ok := l.parts[part]; ok {
			all = append(all, m)
		}
	}
	return all
}

func readAll(parts []bridge.MO) string {
	var r smpp.Reader
	text, err := r.JoinMO(parts)
	if err != nil {
		return err.Error()
	}
	return text
}

// note keeps a message that the phone writes.
func (ps *phones) note(m Message) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.keep(ps.use(m.Phone), m)
}

// setState notes what became of a sent message.
func (ps *phones) setState(number addressing.MSISDN, id string, state State) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p, ok := ps.byName[number]
	if !ok {
		return
	}
	for i := range p.messages {
		if m := &p.messages[i]; m.ID == id {
			m.State = state
			ps.changed(*m)
		}
	}
}

// keep adds a message and drops the oldest beyond the limit. The caller holds the lock.
func (ps *phones) keep(p *phone, m Message) {
	p.messages = append(p.messages, m)
	p.text += len(m.Text)
	ps.trim(p)
	ps.changed(m)
}

// trim drops the oldest messages beyond the limits, but never the last.
func (ps *phones) trim(p *phone) {
	drop := 0
	for left := len(p.messages); left > 1 && (left > ps.maxMessages || p.text > ps.maxText); left-- {
		p.text -= len(p.messages[drop].Text)
		drop++
	}
	p.messages = slices.Delete(p.messages, 0, drop)
}

// all lists the phones, the last used first.
func (ps *phones) all() []Phone {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	out := make([]Phone, 0, len(ps.byName))
	for e := ps.order.Front(); e != nil; e = e.Next() {
		p := e.Value.(*phone)
		shown := Phone{MSISDN: p.number, Messages: len(p.messages)}
		if n := len(p.messages); n > 0 {
			last := p.messages[n-1]
			shown.Last = &last
		}
		out = append(out, shown)
	}
	return out
}

// messages lists what a phone keeps, oldest first; nothing of one that was never used.
func (ps *phones) messages(number addressing.MSISDN) []Message {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p, ok := ps.byName[number]; ok {
		return slices.Clone(p.messages)
	}
	return nil
}

func encodingName(dataCoding byte) string {
	switch dataCoding {
	case smpp.CodingDefault:
		return "GSM 7-bit"
	case smpp.CodingUCS2:
		return "UCS-2"
	case 0x01:
		return "ASCII"
	case 0x03:
		return "Latin-1"
	default:
		return fmt.Sprintf("data_coding 0x%02X", dataCoding)
	}
}
