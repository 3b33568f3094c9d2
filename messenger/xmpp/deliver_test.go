package xmpp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/messenger/xmpp"
)

func text(id, body string) bridge.OUT {
	return bridge.OUT{
		ID: id, Kind: bridge.OUTText, Handle: addressing.MustParseHandle("xmpp:" + ann),
		Phone: addressing.MustParseMSISDN(phone), At: time.Now(), Text: body,
	}
}

func status(state bridge.State, networkID string) bridge.OUT {
	m := text("status-1", "")
	m.Kind, m.State, m.NetworkID, m.ReplyTo = bridge.OUTStatus, state, networkID, ann+"/desk"
	return m
}

// deliver calls Deliver and gives its result when it returns.
func deliver(t *testing.T, c *xmpp.Component, m bridge.OUT) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	go func() { result <- c.Deliver(ctx, m) }()
	return result
}

func ended(t *testing.T, result <-chan error) {
	t.Helper()
	if err := wait(t, result, "the end of Deliver"); err != nil {
		t.Fatalf("Deliver: %v", err)
	}
}

func TestDeliverText(t *testing.T) {
	c, _, st, _ := connect(t)
	tests := []struct{ name, body, want string }{
		{"accents and an emoji", "déjà vu 😀 <&>\"'", "déjà vu 😀 <&>\"'"},
		{"500 characters", strings.Repeat("é", 500), strings.Repeat("é", 500)},
		{"lines", "a\nb\r\nc\td", "a\nb\r\nc\td"},
		{"no XML characters", "a\x00b\x1b\x08\ufffec\xff", "a\ufffdb\ufffd\ufffd\ufffdc\ufffd"},
		{"closing tags", "</body></message></stream:stream>]]>", "</body></message></stream:stream>]]>"},
		{"empty", "", ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprint("id", i)
			result := deliver(t, c, text(id, tt.body))
			e := st.get()
			if e.Type != "chat" || e.From != phone+"@"+domain || e.To != ann || e.ID != id || e.Body != tt.want {
				t.Errorf("got %+v", e)
			}
			for _, part := range []string{"urn:xmpp:sid:0", "urn:xmpp:hints"} {
				if !strings.Contains(e.Inner, part) {
					t.Errorf("%s is not in %s", part, e.Inner)
				}
			}
			if strings.Contains(e.Inner, "urn:xmpp:delay") || strings.Contains(e.Inner, "urn:xmpp:receipts") {
				t.Errorf("more than needed: %s", e.Inner)
			}
			ended(t, result)
		})
	}
	if n := c.Stats().Texts; n != uint64(len(tests)) {
		t.Errorf("%d texts counted", n)
	}
}

func TestLateTextSaysWhenItWasSent(t *testing.T) {
	c, _, st, _ := connect(t)
	m := text("id", "a")
	m.At = time.Now().Add(-time.Hour)
	result := deliver(t, c, m)
	want := fmt.Sprintf(`stamp="%s"`, m.At.UTC().Format("2006-01-02T15:04:05Z"))
	if e := st.get(); !strings.Contains(e.Inner, want) {
		t.Errorf("%s is not in %s", want, e.Inner)
	}
	ended(t, result)
}

func TestReceipt(t *testing.T) {
	c, _, st, _ := connect(t)
	result := deliver(t, c, status(bridge.Delivered, "r::the:id"))
	e := st.get()
	if e.To != ann+"/desk" || e.From != phone+"@"+domain || !strings.Contains(e.Inner, `<received xmlns="urn:xmpp:receipts" id="the:id">`) {
		t.Errorf("got %+v", e)
	}
	ended(t, result)
}

// Nothing is sent for these: XMPP has no way to show them, or nobody asked.
func TestStatusesWithoutStanza(t *testing.T) {
	c, _, st, _ := connect(t)
	for _, m := range []bridge.OUT{
		status(bridge.Accepted, "r::1"), status(bridge.Sent, "r::1"), status(bridge.Delivered, "n::1"),
		status(bridge.Delivered, ""), status(bridge.Delivered, "r:x:"), status("", "r::1"),
	} {
		ended(t, deliver(t, c, m))
	}
	st.barrier("ann@corp.example", "+33612345678@sms.corp.example")
}

func TestFailedStatus(t *testing.T) {
	tests := []struct {
		name   string
		state  bridge.State
		reason bridge.Reason
		want   string
	}{
		{"rejected", bridge.Failed, bridge.ReasonRejected, "cancel/service-unavailable"},
		{"undeliverable", bridge.Failed, bridge.ReasonUndeliverable, "wait/recipient-unavailable"},
		{"expired", bridge.Expired, bridge.ReasonExpired, "wait/remote-server-timeout"},
		{"unknown", bridge.Unknown, bridge.ReasonUncertain, "cancel/undefined-condition"},
		{"unroutable", bridge.Failed, bridge.ReasonUnroutable, "cancel/remote-server-not-found"},
		{"internal", bridge.Failed, bridge.ReasonInternal, "wait/internal-server-error"},
		{"no reason", bridge.Failed, bridge.ReasonNone, "cancel/undefined-condition"},
	}
	c, _, st, _ := connect(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := status(tt.state, "n:o%3A1:the id")
			m.Reason, m.Detail = tt.reason, "The phone was off for two days."
			result := deliver(t, c, m)
			e := st.get()
			got, words := failure(t, e)
			if got != tt.want || words != m.Detail || e.ID != "the id" || e.To != ann+"/desk" || e.From != phone+"@"+domain {
				t.Errorf("got %s %q in %+v", got, words, e)
			}
			ended(t, result)
		})
	}
	st.barrier("ann@corp.example", "+33612345678@sms.corp.example") // the device was there: no text beside the error
}

// An error to a device that has gone is dropped by the server; then a text says it.
func TestFailureReachesOtherDevices(t *testing.T) {
	c, s, st, _ := connect(t)
	s.gone.Store(true)
	m := status(bridge.Failed, "n::1")
	m.Reason, m.Detail = bridge.ReasonRejected, "The network does not know the number."
	result := deliver(t, c, m)
	if e := st.get(); e.Type != "error" || e.To != ann+"/desk" {
		t.Errorf("got %+v", e)
	}
	if e := st.get(); e.Type != "chat" || e.To != ann || e.Body != m.Detail || e.ID != m.ID || e.Reply == nil || e.Reply.ID != "1" || e.Reply.To != ann+"/desk" {
		t.Errorf("got %+v", e)
	}
	ended(t, result)

	m.NetworkID = ""
	result = deliver(t, c, m)
	if e := st.get(); e.Type != "chat" || e.To != ann || e.Body != m.Detail || e.Reply != nil {
		t.Errorf("without an id: got %+v", e)
	}
	ended(t, result)
}

func TestBounceOfText(t *testing.T) {
	tests := []struct {
		name, typ, condition string
		forGood              bool
	}{
		{"nobody of that name", "cancel", "service-unavailable", true},
		{"blocked", "cancel", "not-acceptable", true},
		{"far server away", "wait", "remote-server-timeout", false},
	}
	c, s, st, _ := connect(t)
	s.mute.Store(true)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result := deliver(t, c, text("id", "a"))
			e := st.get()
			st.raw(fmt.Sprintf("<message type='error' id='%s' from='%s' to='%s'><error type='%s'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
				e.ID, e.To, e.From, tt.typ, tt.condition))
			st.pong(wait(t, s.pings, "a ping"))
			err := wait(t, result, "the end of Deliver")
			if err == nil || errors.Is(err, bridge.ErrUndeliverable) != tt.forGood || !strings.Contains(err.Error(), tt.condition) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := c.Stats().Bounced; n != uint64(len(tests)) {
		t.Errorf("%d bounces counted", n)
	}
}

func TestDeliverToAnotherNetwork(t *testing.T) {
	c, _, _, _ := connect(t)
	m := text("id", "a")
	m.Handle = addressing.MustParseHandle("web:ann")
	if err := wait(t, deliver(t, c, m), "the end of Deliver"); !errors.Is(err, bridge.ErrUndeliverable) {
		t.Errorf("got %v", err)
	}
}

// Deliver waits for the ping behind the text, and one ping serves all who wait.
func TestDeliverWaitsForThePing(t *testing.T) {
	c, s, st, _ := connect(t)
	s.mute.Store(true)
	first := deliver(t, c, text("first", "a"))
	st.get()
	ping := wait(t, s.pings, "a ping")
	if ping.To != "corp.example" {
		t.Errorf("the ping went to %s", ping.To)
	}
	const others = 20
	results := make([]<-chan error, others)
	for i := range results {
		results[i] = deliver(t, c, text(fmt.Sprint("other", i), "a"))
		st.get()
	}
	// An answer from somebody else is none.
	st.raw(fmt.Sprintf("<iq type='result' id='%s' from='eve@other.example' to='%s'/>", ping.ID, ping.From))
	st.barrier("ann@corp.example", "+33612345678@sms.corp.example")
	if len(first) != 0 {
		t.Fatal("Deliver returned before the ping was answered")
	}
	s.mute.Store(false)
	st.pong(ping)
	ended(t, first)
	for _, r := range results {
		ended(t, r)
	}
	if n := len(s.pings); n > others {
		t.Errorf("%d pings for %d texts", n, others)
	}
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	c, err := xmpp.New(config("127.0.0.1:1", newHub())) // never run, so never connected
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Deliver(ctx, text("id", "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("away: %v", err)
	}

	c, s, st, _ := connect(t)
	s.mute.Store(true)
	ctx, cancel = context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- c.Deliver(ctx, text("id", "a")) }()
	st.get()
	cancel()
	if err := wait(t, result, "the end of Deliver"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for the ping: %v", err)
	}
}
