package main

import (
	"net/http"
	"testing"
	"time"

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
