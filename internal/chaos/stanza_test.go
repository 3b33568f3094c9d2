//go:build linux

package main

import (
	"encoding/xml"
	"testing"
)

// What the archive has is read like what comes by itself.
func TestStanzaOfTheArchive(t *testing.T) {
	const answer = `<message xmlns='jabber:client' to='ann@localhost/pc'><result xmlns='urn:xmpp:mam:2' id='28482'><forwarded xmlns='urn:xmpp:forward:0'>` +
		`<delay xmlns='urn:xmpp:delay' stamp='2026-11-23T10:00:00Z'/><message xmlns='jabber:client' id='a' from='+33620000001@sms.localhost'>` +
		`<body>Hello</body><received xmlns='urn:xmpp:receipts' id='b'/></message></forwarded></result></message>`
	var s stanza
	if err := xml.Unmarshal([]byte(answer), &s); err != nil {
		t.Fatal(err)
	}
	if s.Result == nil || s.Result.ID != "28482" {
		t.Fatalf("got %+v", s)
	}
	if m := s.Result.Message; m.ID != "a" || m.From != "+33620000001@sms.localhost" || m.Body != "Hello" || m.Received.ID != "b" {
		t.Errorf("got %+v", m)
	}
}
