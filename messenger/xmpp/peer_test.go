package xmpp_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/messenger/xmpp"
)

// phoneJID is the test's phone on the peer's component.
const phoneJID = phone + "@" + peers.ComponentDomain

func peerConfig(server *peers.XMPPServer, h xmpp.Hub) xmpp.Config {
	cfg := config(server.Component, h)
	cfg.Domain, cfg.Secret = peers.ComponentDomain, peers.ComponentSecret
	if server.CAFile != "" {
		cfg.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: peers.XMPPDomain, MinVersion: tls.VersionTLS12}
		pem, err := os.ReadFile(server.CAFile)
		if err != nil || !cfg.TLS.RootCAs.AppendCertsFromPEM(pem) {
			panic(err)
		}
	}
	return cfg
}

// servers are those whose components differ: in what they say, when they close, what
// they pass on.
var servers = []struct {
	name  string
	start func(testing.TB) *peers.XMPPServer
}{
	{"Prosody", peers.Prosody},
	{"ejabberd", peers.Ejabberd},
	{"Prosody behind TLS", peers.ProsodyTLS},
}

// eachServer runs a test with every server, one that was started for it, and its name.
func eachServer(t *testing.T, test func(t *testing.T, server *peers.XMPPServer, name string)) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) { test(t, s.start(t), s.name) })
	}
}

// toAlice is a text to her, or a status where state is set.
func toAlice(id, body string) bridge.OUT {
	m := text(id, body)
	m.Handle = addressing.MustParseHandle("xmpp:alice@" + peers.XMPPDomain)
	return m
}

func statusOf(r bridge.Request, state bridge.State, reason bridge.Reason, detail string) bridge.OUT {
	return bridge.OUT{
		ID: "status-" + string(state), Kind: bridge.OUTStatus, Handle: r.Handle, Phone: addressing.MustParseMSISDN(r.To),
		NetworkID: r.NetworkID, ReplyTo: r.ReplyTo, State: state, Reason: reason, Detail: detail,
	}
}

func TestPeerBothWays(t *testing.T) { eachServer(t, bothWays) }

func bothWays(t *testing.T, server *peers.XMPPServer, _ string) {
	h := newHub()
	alice := peers.XMPPClient(t, server, "alice/desk")
	c := start(t, peerConfig(server, h))
	eventually(t, "the connection", func() bool { return c.State().Connected })

	texts := map[string]string{
		"accents":        "déjà vu, où ça ?",
		"an emoji":       "👩‍👩‍👧 😀",
		"500 characters": strings.Repeat("abcdefghi ", 49) + "the end é.",
		"markup":         "</body> <b>&amp;</b> ]]> \"'",
		"lines":          "one\ntwo\n\nthree",
	}
	for name, body := range texts {
		t.Run(name, func(t *testing.T) {
			alice.Send(phoneJID, body, false)
			r := wait(t, h.requests, "the request")
			if r.Text != body || r.To != phone || r.Handle.String() != "xmpp:alice@localhost" || r.ReplyTo != alice.JID {
				t.Errorf("got %+v", r)
			}
			ended(t, deliver(t, c, toAlice(strings.ReplaceAll(name, " ", "-"), body)))
			alice.ExpectText(phoneJID, body)
		})
	}
	t.Run("characters that XML lacks", func(t *testing.T) {
		ended(t, deliver(t, c, toAlice("control", "a\x00\x1b\ufffeb\x07")))
		alice.ExpectText(phoneJID, "a\ufffd\ufffd\ufffdb\ufffd")
	})
	t.Run("order", func(t *testing.T) {
		for i := range 50 {
			alice.Send(phoneJID, strings.Repeat("x", i+1), false)
		}
		for i := range 50 {
			if r := wait(t, h.requests, "the request"); len(r.Text) != i+1 {
				t.Fatalf("text %d is %q", i, r.Text)
			}
		}
	})
	if n := c.Stats().Connects; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestPeerStatuses(t *testing.T) { eachServer(t, statuses) }

func statuses(t *testing.T, server *peers.XMPPServer, _ string) {
	h := newHub()
	alice := peers.XMPPClient(t, server, "alice/desk")
	c := start(t, peerConfig(server, h))
	eventually(t, "the connection", func() bool { return c.State().Connected })

	t.Run("receipt", func(t *testing.T) {
		id := alice.Send(phoneJID, "a", true)
		ended(t, deliver(t, c, statusOf(wait(t, h.requests, "the request"), bridge.Delivered, "", "")))
		alice.ExpectReceipt(phoneJID, id)
	})
	t.Run("failure", func(t *testing.T) {
		id := alice.Send(phoneJID, "a", true)
		ended(t, deliver(t, c, statusOf(wait(t, h.requests, "the request"), bridge.Expired, bridge.ReasonExpired, "The phone was off for two days.")))
		if got := alice.ExpectError(phoneJID, id); got.Text != "The phone was off for two days." || got.Condition != "remote-server-timeout" || got.ErrorType != "wait" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("failure when the device has gone", func(t *testing.T) {
		r := bridge.Request{Handle: addressing.MustParseHandle("xmpp:alice@localhost"), To: phone, NetworkID: "n::1", ReplyTo: "alice@localhost/gone"}
		ended(t, deliver(t, c, statusOf(r, bridge.Failed, bridge.ReasonRejected, "The network does not know the number.")))
		alice.ExpectText(phoneJID, "The network does not know the number.")
	})
	t.Run("a person whom the server does not know", func(t *testing.T) {
		m := toAlice("nobody", "a")
		m.Handle = addressing.MustParseHandle("xmpp:nobody@localhost")
		if err := wait(t, deliver(t, c, m), "the end of Deliver"); !errors.Is(err, bridge.ErrUndeliverable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a person who is offline", func(t *testing.T) {
		m := toAlice("offline", "kept for bob")
		m.Handle = addressing.MustParseHandle("xmpp:bob@localhost")
		ended(t, deliver(t, c, m))
		peers.XMPPClient(t, server, "bob/late").ExpectText(phoneJID, "kept for bob")
	})
}

func TestPeerRefusals(t *testing.T) { eachServer(t, refusals) }

func refusals(t *testing.T, server *peers.XMPPServer, _ string) {
	h := newHub()
	alice := peers.XMPPClient(t, server, "alice/desk")
	h.answer = func(r bridge.Request) error {
		return &bridge.RefusalError{Reason: bridge.Reason(r.Text), Text: "Plain words."}
	}
	c := start(t, peerConfig(server, h))
	eventually(t, "the connection", func() bool { return c.State().Connected })
	tests := []struct{ name, to, body, want, text string }{
		{"bad number", phoneJID, string(bridge.ReasonBadNumber), "cancel/item-not-found", "Plain words."},
		{"empty", phoneJID, string(bridge.ReasonEmpty), "modify/not-acceptable", "Plain words."},
		{"too long", phoneJID, string(bridge.ReasonTooLong), "modify/not-acceptable", "Plain words."},
		{"bad text", phoneJID, string(bridge.ReasonBadText), "modify/not-acceptable", "Plain words."},
		{"not permitted", phoneJID, string(bridge.ReasonNotPermitted), "auth/forbidden", "Plain words."},
		{"no number", phoneJID, string(bridge.ReasonNoNumber), "cancel/not-allowed", "Plain words."},
		{"id reused", phoneJID, string(bridge.ReasonIDReused), "cancel/conflict", "Plain words."},
		{"queue full", phoneJID, string(bridge.ReasonQueueFull), "wait/resource-constraint", "Plain words."},
		{"unavailable", phoneJID, string(bridge.ReasonUnavailable), "wait/internal-server-error", "Plain words."},
		{"national spelling", "0612345678@" + peers.ComponentDomain, "a", "modify/jid-malformed", "write to " + phoneJID},
		{"no number at all", "bob@" + peers.ComponentDomain, "a", "modify/jid-malformed", "not a phone number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := alice.ExpectError(tt.to, alice.Send(tt.to, tt.body, false))
			if got.ErrorType+"/"+got.Condition != tt.want || !strings.Contains(got.Text, tt.text) || got.Body != tt.body {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("not of this server", func(t *testing.T) {
		// Another component on the same server, whom nobody has allowed anything.
		cfg := peerConfig(server, h)
		cfg.Allow = []string{"*@elsewhere.example"}
		other := peers.Prosody(t)
		cfg.Server, cfg.TLS = other.Component, nil
		c := start(t, cfg)
		eventually(t, "the connection", func() bool { return c.State().Connected })
		bob := peers.XMPPClient(t, other, "bob/desk")
		if got := bob.ExpectError(phoneJID, bob.Send(phoneJID, "a", false)); got.Condition != "forbidden" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestPeerRosterAndDiscovery(t *testing.T) { eachServer(t, rosterAndDiscovery) }

func rosterAndDiscovery(t *testing.T, server *peers.XMPPServer, _ string) {
	h := newHub()
	alice := peers.XMPPClient(t, server, "alice/desk")
	c := start(t, peerConfig(server, h))
	eventually(t, "the connection", func() bool { return c.State().Connected })

	alice.Raw("<presence type='subscribe' to='" + phoneJID + "'/>")
	alice.Expect("the subscription", func(s peers.Stanza) bool {
		return s.Kind == "presence" && s.From == phoneJID && s.Type == "subscribed"
	})
	alice.Expect("the phone's presence", func(s peers.Stanza) bool {
		return s.Kind == "presence" && s.From == phoneJID && s.Type == ""
	})
	// A session that begins later asks by a probe of its server.
	again := peers.XMPPClient(t, server, "alice/again")
	again.Expect("the phone's presence", func(s peers.Stanza) bool {
		return s.Kind == "presence" && s.From == phoneJID && s.Type == ""
	})
	for id, question := range map[string]struct{ query, want string }{
		"disco":   {"<query xmlns='http://jabber.org/protocol/disco#info'/>", "gateway"},
		"version": {"<query xmlns='jabber:iq:version'/>", "smsbridge"},
		"ping":    {"<ping xmlns='urn:xmpp:ping'/>", ""},
	} {
		alice.Raw("<iq type='get' id='" + id + "' to='" + peers.ComponentDomain + "'>" + question.query + "</iq>")
		got := alice.Expect("the answer to "+id, func(s peers.Stanza) bool { return s.Kind == "iq" && s.ID == id })
		if got.Type != "result" || !strings.Contains(got.XML, question.want) {
			t.Errorf("got %+v", got)
		}
	}
	alice.Raw("<message type='chat' to='" + peers.ComponentDomain + "'><body>help</body></message>")
	alice.Expect("the help", func(s peers.Stanza) bool {
		return s.From == peers.ComponentDomain && strings.Contains(s.Body, phoneJID)
	})
}

// While the server is gone texts wait; then each arrives.
func TestPeerServerRestarts(t *testing.T) { eachServer(t, serverRestarts) }

func serverRestarts(t *testing.T, server *peers.XMPPServer, _ string) {
	h := newHub()
	c := start(t, peerConfig(server, h))
	eventually(t, "the connection", func() bool { return c.State().Connected })
	server.Kill()
	eventually(t, "the end of the connection", func() bool { return !c.State().Connected })
	if why := c.State().LastError; why == "" {
		t.Error("the state does not say why")
	}
	first, second := deliver(t, c, toAlice("one", "while you were away")), deliver(t, c, toAlice("two", "and again"))
	server.Start()
	// She comes online once the server has both: ejabberd keeps for her next login what comes
	// in the moment between her login and her presence.
	ended(t, first)
	ended(t, second)
	alice := peers.XMPPClient(t, server, "alice/desk")
	// Offline messages are given out in any order here: the two were independent.
	seen := map[string]bool{}
	for len(seen) < 2 {
		seen[alice.Expect("the texts", func(s peers.Stanza) bool { return s.Kind == "message" && s.From == phoneJID && s.Body != "" }).Body] = true
	}
	alice.Send(phoneJID, "thanks", false)
	if r := wait(t, h.requests, "the request"); r.Text != "thanks" {
		t.Errorf("got %+v", r)
	}
}

func TestPeerSaysWhyItRefuses(t *testing.T) {
	type refusal struct {
		name   string
		change func(*xmpp.Config)
		want   string
	}
	wrongSecret := refusal{"wrong secret", func(c *xmpp.Config) { c.Secret = "wrong" }, "refuses the secret of the component sms.localhost"}
	unknown := func(want string) refusal {
		return refusal{"unknown domain", func(c *xmpp.Config) { c.Domain = "text.localhost" }, want}
	}
	tests := map[string][]refusal{
		"Prosody": {
			wrongSecret, unknown("does not know the component text.localhost"),
			{"second of its name", func(*xmpp.Config) {}, "has a connection of the component sms.localhost already"},
		},
		"ejabberd": {wrongSecret, unknown("refuses the secret of the component text.localhost, or does not know it")},
		"Prosody behind TLS": {
			wrongSecret,
			{"of an authority that nobody knows", func(c *xmpp.Config) { c.TLS.RootCAs = x509.NewCertPool() }, "is not trusted"},
			{"of another name", func(c *xmpp.Config) { c.TLS.ServerName = "elsewhere.example" }, "is not trusted"},
			{"plain text", func(c *xmpp.Config) { c.TLS = nil }, "no connection to the XMPP server"},
		},
	}
	eachServer(t, func(t *testing.T, server *peers.XMPPServer, name string) {
		first := start(t, peerConfig(server, newHub()))
		eventually(t, "the connection", func() bool { return first.State().Connected })
		for _, tt := range tests[name] {
			t.Run(tt.name, func(t *testing.T) {
				var l logs
				cfg := peerConfig(server, newHub())
				cfg.Logger = zerolog.New(&l)
				tt.change(&cfg)
				c := start(t, cfg)
				eventually(t, "the refusal", func() bool { return strings.Contains(l.String(), tt.want) })
				if state := c.State(); state.Connected || !strings.Contains(state.LastError, tt.want) {
					t.Errorf("state %+v", state)
				}
			})
		}
		if !first.State().Connected {
			t.Error("the first component lost its connection")
		}
	})
}

// A ping to ourselves goes through the server: it keeps a quiet connection alive and
// proves, where somebody's domain is silent, that our server has everything.
func TestPeerKeepsQuietConnection(t *testing.T) { eachServer(t, keepsQuietConnection) }

func keepsQuietConnection(t *testing.T, server *peers.XMPPServer, _ string) {
	cfg := peerConfig(server, newHub())
	cfg.PingInterval = time.Second // on a busy machine a server needs a while to answer
	c := start(t, cfg)
	eventually(t, "three pings on one connection", func() bool {
		s := c.State()
		return s.Connected && time.Since(s.Since) > 3*cfg.PingInterval
	})
	if n := c.Stats().Connects; n != 1 {
		t.Errorf("%d connections", n)
	}
}
