package peers_test

import (
	"testing"

	"go.uber.org/goleak"

	"smsbridge/internal/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whoever uses the harness finds the SMSC's state, and nobody bound.
func TestNodeSMPP(t *testing.T) {
	s := peers.NodeSMPP(t)
	if n := s.Bound(); n != 0 {
		t.Errorf("%d are bound", n)
	}
	if all := s.Submits(); len(all) != 0 {
		t.Errorf("submits: %v", all)
	}
	var answer map[string]string
	s.Post("/mo", map[string]any{"from": "33612345678", "to": "33700000001", "text": "a"}, &answer)
	if answer["error"] != "no receiver bound" {
		t.Errorf("answer %v", answer)
	}
}

// Two people write to each other over the server, and it can be started again.
func TestProsodyAndClients(t *testing.T) {
	server := peers.Prosody(t)
	alice := peers.XMPPClient(t, server, "alice/desk")
	bob := peers.XMPPClient(t, server, "bob/phone")
	alice.Send("bob@"+peers.XMPPDomain, "é 😀 <&>", false)
	if got := bob.ExpectText(alice.JID, "é 😀 <&>"); got.To != "bob@"+peers.XMPPDomain {
		t.Errorf("got %+v", got)
	}
	// Nobody has connected as the component.
	id := alice.Send("+33612345678@"+peers.ComponentDomain, "a", false)
	if got := alice.ExpectError("+33612345678@"+peers.ComponentDomain, id); got.Condition != "remote-server-timeout" {
		t.Errorf("got %+v", got)
	}
	server.Kill()
	server.Start()
	peers.XMPPClient(t, server, "alice/again")
}
