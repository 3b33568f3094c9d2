package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/smpp/smsc"
)

// TestPolicy: the daemon keeps the rules of its file, tells why, and keeps its count of
// conversations over a restart.
func TestPolicy(t *testing.T) {
	all, hashes := people("ann", "bob")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := testConfig(t.TempDir(), s.Addr(), hashes, `
policy:
  max_conversations: 2
  rules:
    - {action: allow, handles: ["web:a*"]}
    - {action: deny, prefixes: ["+262", "+1"]}
`)
	tests := []struct {
		name   string
		who    int
		to     string
		code   int
		reason string
	}{
		{"allowed by a rule", 0, "0692 12 34 56", http.StatusAccepted, ""},
		{"denied by a rule", 1, "0692 12 34 56", http.StatusForbidden, "not_permitted"},
		{"no rule fits", 1, "06 12 34 56 78", http.StatusAccepted, ""},
		{"premium rate", 0, "08 99 12 34 56", http.StatusForbidden, "not_permitted"},
		{"emergency", 0, "112", http.StatusUnprocessableEntity, "bad_number"},
		{"a second conversation", 0, "+33612345671", http.StatusAccepted, ""},
		{"a third", 0, "+33612345672", http.StatusForbidden, "too_many_open"},
		{"on with the first", 0, "+262692123456", http.StatusAccepted, ""},
	}
	p := startDaemon(t, config)
	for _, tt := range tests {
		all[tt.who].base = p.web
		m, err := all[tt.who].send(t.Context(), tt.to, tt.name, "")
		if err != nil || m.Code != tt.code || m.Reason != tt.reason || (m.Detail == "") != (tt.reason == "") {
			t.Errorf("%s: %+v, %v; want %d %s", tt.name, m, err, tt.code, tt.reason)
		}
	}
	p.kill()
	all[0].base = startDaemon(t, config).web
	if m, err := all[0].send(t.Context(), "+33612345673", "after a restart", ""); err != nil || m.Reason != "too_many_open" {
		t.Errorf("after a restart: %+v, %v", m, err)
	}
}

// TestShortNumber: a person writes to a service and to an emergency number that takes texts, where
// the operator lets them, and gets the service's answer; its receipt is known as well.
func TestShortNumber(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := strings.Replace(testConfig(t.TempDir(), s.Addr(), hashes, ""), "region: FR\n", "region: FR\n  short_numbers: [\"114\", \"36180;phone-context=+33\"]\n", 1)
	ann.base = startDaemon(t, config).web
	for to, code := range map[string]int{"114": http.StatusAccepted, "3 61 80": http.StatusAccepted, "3620;phone-context=+33": http.StatusForbidden} {
		if m, err := ann.send(t.Context(), to, "Bonjour "+to, ""); err != nil || m.Code != code {
			t.Errorf("%s: %+v, %v; want %d", to, m, err, code)
		}
	}
	for id, state := range ann.awaitFinal(t, 2) {
		if state != "delivered" {
			t.Errorf("%s ended as %s", id, state)
		}
	}
	// The simulator has no countries: to it they are phones with few digits.
	service := messages(t, s, "+36180")
	if len(service) != 1 || service[0].Text != "Bonjour 3 61 80" || len(messages(t, s, "+114")) != 1 {
		t.Fatalf("the service has %+v", service)
	}
	var phone addressing.MSISDN
	if err := phone.UnmarshalText([]byte("+36180")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(phone, service[0].From, "Votre code est 42"); err != nil {
		t.Fatal(err)
	}
	if !ann.wrote(t, "Votre code est 42") {
		t.Error("the answer did not come")
	}
	if said := ann.said(t, "36180;phone-context=+33"); len(said) != 2 {
		t.Errorf("the conversation is %q", said)
	}
}
