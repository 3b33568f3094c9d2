package xmpp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/messenger/xmpp"
)

func TestReconnectsAndDeliversAgain(t *testing.T) {
	c, s, st, _ := connect(t)
	s.mute.Store(true)
	result := deliver(t, c, text("id", "a"))
	before := st.get()
	_ = st.conn.Close()
	wait(t, st.closed, "the end of the connection")

	away := deliver(t, c, text("id2", "b"))
	s.mute.Store(false)
	st = s.next()
	got := map[string]string{}
	for range 2 {
		e := st.get()
		got[e.ID] = e.Body
	}
	if got[before.ID] != "a" || got["id2"] != "b" {
		t.Errorf("got %v", got)
	}
	ended(t, result)
	ended(t, away)
	if state := c.State(); !state.Connected || state.LastError != "" || state.Since.IsZero() {
		t.Errorf("state %+v", state)
	}
	if n := c.Stats().Connects; n != 2 {
		t.Errorf("%d connections", n)
	}
}

// A text is written over each new connection until one holds.
func TestDeliverOutlivesConnections(t *testing.T) {
	c, s, st, _ := connect(t)
	s.mute.Store(true)
	result := deliver(t, c, text("id", "a"))
	st.get()
	wait(t, s.pings, "the first ping")
	st.raw("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
	wait(t, st.closed, "the end of the connection")
	st = s.next()
	if e := st.get(); e.ID != "id" {
		t.Errorf("got %+v", e)
	}
	st.pong(wait(t, s.pings, "the second ping"))
	ended(t, result)
}

func TestSilentServerIsLeft(t *testing.T) {
	s := newServer(t)
	s.mute.Store(true)
	cfg := config(s.listener.Addr().String(), newHub())
	cfg.PingInterval = 50 * time.Millisecond
	start(t, cfg)
	wait(t, s.next().closed, "the end of the silent connection")
	s.mute.Store(false)
	s.next()
}

// A far domain that answers no ping must not have its texts written again and again:
// that our own server has them is enough.
func TestSilentDomain(t *testing.T) {
	s := newServer(t)
	s.muted = "corp.example"
	cfg := config(s.listener.Addr().String(), newHub())
	cfg.PingInterval = time.Second
	c := start(t, cfg)
	st := s.next()
	for range 2 {
		result := deliver(t, c, text("id", "a"))
		st.get()
		ended(t, result)
	}
	if n := c.Stats(); n.Texts != 2 || n.Connects != 1 {
		t.Errorf("stats %+v", n)
	}
}

func TestWrongSecretIsSaidLoudly(t *testing.T) {
	s := newServer(t)
	var l logs
	cfg := config(s.listener.Addr().String(), newHub())
	cfg.Secret = "wrong"
	cfg.Logger = zerolog.New(&l)
	c := start(t, cfg)
	eventually(t, "the refusal", func() bool { return c.State().LastError != "" })
	const want = "refuses the secret of the component sms.corp.example, or does not know it: set secret"
	if got := c.State(); got.Connected || !strings.Contains(got.LastError, want) {
		t.Errorf("state %+v", got)
	}
	eventually(t, "the log", func() bool { return strings.Contains(l.String(), want) })
	if strings.Contains(l.String(), "wrong") {
		t.Errorf("the secret is in the log: %s", &l)
	}
}

func TestUnreachableServer(t *testing.T) {
	address := peers.FreeAddress(t)
	c := start(t, config(address, newHub()))
	eventually(t, "the failure", func() bool { return c.State().LastError != "" })
	if got := c.State().LastError; !strings.Contains(got, address) || !strings.Contains(got, "component port") {
		t.Error(got)
	}
}

// At the end our stream is closed first, and what the server had on its way is taken.
func TestRunTakesWhatIsUnderWay(t *testing.T) {
	s, h := newServer(t), newHub()
	c, err := xmpp.New(config(s.listener.Addr().String(), h))
	if err != nil {
		t.Fatal(err)
	}
	s.farewell = "<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>late</body></message>"
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.next()
	eventually(t, "the connection", func() bool { return c.State().Connected })
	cancel()
	if err := wait(t, ended, "the end of Run"); err != nil {
		t.Error(err)
	}
	if len(h.requests) != 1 {
		t.Errorf("%d requests", len(h.requests))
	}
	if c.State().Connected {
		t.Error("still connected")
	}
}

func TestNewNamesTheSetting(t *testing.T) {
	tests := []struct {
		name   string
		change func(*xmpp.Config)
		want   string
	}{
		{"no domain", func(c *xmpp.Config) { c.Domain = "" }, "domain:"},
		{"a person as domain", func(c *xmpp.Config) { c.Domain = "ann@corp.example" }, "domain:"},
		{"no port", func(c *xmpp.Config) { c.Server = "127.0.0.1" }, "server:"},
		{"no secret", func(c *xmpp.Config) { c.Secret = "" }, "secret:"},
		{"no hub", func(c *xmpp.Config) { c.Hub = nil }, "hub"},
		{"allow: no default", func(c *xmpp.Config) { c.Domain = "sms" }, "allow:"},
		{"allow: a domain alone", func(c *xmpp.Config) { c.Allow = []string{"*", "corp.example"} }, "allow[1]:"},
		{"allow: a device", func(c *xmpp.Config) { c.Allow = []string{"ann@corp.example/desk"} }, "allow[0]:"},
		{"allow: nothing", func(c *xmpp.Config) { c.Allow = []string{""} }, "allow[0]:"},
		{"allow: no domain", func(c *xmpp.Config) { c.Allow = []string{"*@"} }, "allow[0]:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config("127.0.0.1:5347", newHub())
			tt.change(&cfg)
			if _, err := xmpp.New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	c, err := xmpp.New(config("127.0.0.1:5347", newHub()))
	if err != nil || c.Network() != addressing.NetworkXMPP {
		t.Errorf("%v", err)
	}
}

func TestAllow(t *testing.T) {
	tests := []struct {
		name  string
		allow []string
		from  string
		want  bool
	}{
		{"default: the domain above", nil, "ann@corp.example", true},
		{"default: no other", nil, "ann@example", false},
		{"a domain", []string{"*@Other.example"}, "eve@other.example", true},
		{"a domain is not those below", []string{"*@other.example"}, "eve@x.other.example", false},
		{"a domain replaces the default", []string{"*@other.example"}, "ann@corp.example", false},
		{"a person", []string{"*@x.example", "Eve@other.example"}, "eve@other.example", true},
		{"a person alone", []string{"eve@other.example"}, "ann@other.example", false},
		{"everybody", []string{"*"}, "eve@other.example", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, h := newServer(t), newHub()
			cfg := config(s.listener.Addr().String(), h)
			cfg.Allow = tt.allow
			start(t, cfg)
			st := s.next()
			st.raw(fmt.Sprintf("<presence type='subscribe' from='%s' to='%s'/>", tt.from, domain))
			if got := st.get().Type == "subscribed"; got != tt.want {
				t.Errorf("subscribed: %v", got)
			}
		})
	}
}

// eventually waits for a state that nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come", what)
		}
	}
}
