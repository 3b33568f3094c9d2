//go:build linux

package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"smsbridge/internal/chaos/history"
	"smsbridge/internal/peers"
)

// xmppUser writes and reads with an XMPP client that asks for receipts, has one id for a
// text however often it sends it, and reads its archive (XEP-0313) after each connection.
//
// XMPP tells nobody that a text was accepted: how it ended is the first word of the bridge.
type xmppUser struct {
	*run
	name string
	jid  jid.JID

	mu      sync.Mutex
	texts   map[string]*sentText // by the stanza's id
	online  *mellium.Session     // nil while away
	changed chan struct{}        // closed when online changes

	// Of the goroutine that reads:
	last     string   // the newest of the archive that was seen
	catching bool     // the archive is being read
	held     []stanza // what came meanwhile
}

// sentText is a text that waits for its end.
type sentText struct {
	text history.Text
	told bool
	end  chan struct{} // closed when the bridge has told how it ended
	// again says that it was refused for now.
	again chan struct{}
}

func newXMPPUser(r *run, name string) *xmppUser {
	return &xmppUser{
		run: r, name: name, jid: jid.MustParse(name + "@" + peers.XMPPDomain),
		texts: make(map[string]*sentText), changed: make(chan struct{}),
	}
}

// resendAfter is how long a person waits for a word of the bridge before the text is sent again.
const resendAfter = 5 * time.Second

// write sends a text until the bridge has told how it ended: the next one could overtake it
// before. Where it tells nothing although nothing breaks any more, that is written down as
// accepted, for the judge to find.
func (u *xmppUser) write(ctx context.Context, t history.Text, text string, _ bool) {
	u.record.Add(history.Event{Kind: history.Asked, Text: t})
	id := fmt.Sprintf("chaos-%s-%s-%d", t.User, t.Phone, t.Seq)
	sent := &sentText{text: t, end: make(chan struct{}), again: make(chan struct{}, 1)}
	u.mu.Lock()
	u.texts[id] = sent
	u.mu.Unlock()
	stanza := outgoing{Type: "chat", ID: id, To: "+" + t.Phone + "@" + peers.ComponentDomain, Body: text, OriginID: idOnly{id}}
	resting := false
	rest := time.NewTimer(time.Hour)
	defer rest.Stop()
	for {
		changed := u.send(stanza)
		if ctx.Err() != nil && !resting {
			resting = true
			rest.Reset(u.cfg.rest)
		}
		patience := time.NewTimer(resendAfter)
		select {
		case <-sent.end:
			return
		case <-changed: // it is lost, or was never sent
		case <-patience.C:
		case <-sent.again:
			if sleep(u.ctx, 200*time.Millisecond) != nil {
				return
			}
		case <-rest.C:
			if resting {
				u.record.Add(history.Event{Kind: history.Accepted, Text: t, ID: id})
				return
			}
		case <-u.ctx.Done():
			return
		}
		patience.Stop()
		u.xmpp.repeats.Add(1)
	}
}

// send sends a stanza, if there is a connection. changed is closed when there is another, or none.
func (u *xmppUser) send(stanza outgoing) (changed <-chan struct{}) {
	u.mu.Lock()
	online, changed := u.online, u.changed
	u.mu.Unlock()
	if online != nil {
		_ = online.Encode(u.ctx, stanza) // where the connection ends, changed says so
	}
	return changed
}

func (u *xmppUser) setOnline(x *mellium.Session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.online = x
	close(u.changed)
	u.changed = make(chan struct{})
}

// stays is online until ctx ends.
func (u *xmppUser) stays(ctx context.Context) {
	for ctx.Err() == nil {
		_ = u.connection(ctx) // it broke, which is what this is about
		_ = sleep(ctx, 50*time.Millisecond)
	}
}

// connection is online for as long as one connection lasts.
func (u *xmppUser) connection(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.xmpp.toClient.addr())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// Secure: the library shows no password to a connection in plain text, which this one is.
	x, err := mellium.NewSession(ctx, u.jid.Domain(), u.jid, conn, mellium.Secure, mellium.NewNegotiator(
		func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
			return mellium.StreamConfig{Features: []mellium.StreamFeature{
				mellium.SASL("", u.name, sasl.ScramSha256, sasl.ScramSha1), mellium.BindResource(),
			}}
		}))
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	u.xmpp.connects.Add(1)
	u.catching, u.held = true, nil
	served := make(chan error, 1)
	go func() { served <- x.Serve(mellium.HandlerFunc(u.handle)) }()
	err = errors.Join(x.Encode(ctx, presence{}), x.Encode(ctx, newQuery(u.last)))
	if err != nil {
		_ = conn.Close()
		return errors.Join(err, <-served)
	}
	u.setOnline(x)
	err = <-served
	u.setOnline(nil)
	return err
}

// handle takes one stanza.
func (u *xmppUser) handle(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	var s stanza
	if err := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), t)).Decode(&s); err != nil {
		return err
	}
	switch {
	case s.Ping != nil:
		return t.Encode(pong{Type: "result", ID: s.ID, To: s.From})
	case s.Fin != nil:
		if s.Fin.Complete != "true" {
			return t.Encode(newQuery(u.last))
		}
		for _, held := range u.held {
			u.see(held)
		}
		u.catching, u.held = false, nil
	case s.Result != nil:
		u.last = s.Result.ID
		u.see(s.Result.Message)
	case s.XMLName.Local != "message":
	case u.catching: // what the archive has comes before
		u.held = append(u.held, s)
	default:
		u.see(s)
	}
	return nil
}

// see writes down what a message says.
func (u *xmppUser) see(s stanza) {
	if s.ArchiveID.ID != "" {
		u.last = s.ArchiveID.ID
	}
	from, err := jid.Parse(s.From)
	if err != nil || from.Domainpart() != peers.ComponentDomain {
		return // what the archive has of this person's own, and an error of the server
	}
	t, named := history.ParseText(s.Body)
	switch {
	case s.Type == "error":
		u.failed(s)
	case s.Received.ID != "":
		u.ended(s.Received.ID, "delivered", "")
	case s.Reply.ID != "": // told in words, because the error may have met nobody
		_, state, _ := strings.Cut(s.ID, "-") // the id of the bridge's word
		u.ended(s.Reply.ID, state, "")
	case named && t.MO:
		u.record.Add(history.Event{Kind: history.Seen, Text: t, By: u.name, ID: s.ID})
	default:
		u.fail(fmt.Errorf("%s saw a text from a phone that no phone wrote: %q", u.name, s.Body))
	}
}

// failed reads an error: the end of a text, or a refusal for now.
func (u *xmppUser) failed(s stanza) {
	condition := ""
	for _, child := range s.Error.Children {
		if child.XMLName.Local != "text" {
			condition = child.XMLName.Local
			break
		}
	}
	switch {
	case condition == "resource-constraint", condition == "internal-server-error",
		condition == "remote-server-timeout" && s.Error.Text == "Component unavailable": // Prosody's own words
		u.counts.refused.Add(1)
		u.mu.Lock()
		sent := u.texts[s.ID]
		u.mu.Unlock()
		if sent != nil {
			select {
			case sent.again <- struct{}{}:
			default:
			}
		}
	case condition == "remote-server-timeout":
		u.ended(s.ID, "expired", "")
	case condition == "recipient-unavailable":
		u.ended(s.ID, "failed", "undeliverable")
	case condition == "service-unavailable":
		u.ended(s.ID, "failed", "rejected")
	case condition == "undefined-condition":
		u.ended(s.ID, "unknown", "")
	default:
		u.fail(fmt.Errorf("%s was refused for good: %s %s %s", s.ID, s.Error.Type, condition, s.Error.Text))
	}
}

// ended writes down what the bridge said of a text, and so that it has it.
func (u *xmppUser) ended(id, state, reason string) {
	u.mu.Lock()
	sent := u.texts[id]
	u.mu.Unlock()
	if sent == nil {
		u.fail(fmt.Errorf("%s was told of a message that nobody wrote: %s", u.name, id))
		return
	}
	if !sent.told {
		u.record.Add(history.Event{Kind: history.Accepted, Text: sent.text, ID: id})
	}
	u.record.Add(history.Event{Kind: history.Told, Text: sent.text, By: u.name, ID: id, State: state, Reason: reason})
	if history.Final(state) && !sent.told {
		sent.told = true
		close(sent.end)
	}
}
