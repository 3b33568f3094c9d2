//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/ops"
)

// holder tells which of the daemons holds a lease; -1 where none does.
func holder(t *testing.T, lease string, daemons ...*process) int {
	t.Helper()
	for n, p := range daemons {
		answer, err := http.Get(p.ops + "/admin/v1/queue")
		if err != nil {
			t.Fatal(err)
		}
		var queue ops.Queue
		err = json.NewDecoder(answer.Body).Decode(&queue)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range queue.Instances {
			for _, name := range i.Holds {
				if i.Here && name == lease {
					return n
				}
			}
		}
	}
	return -1
}

func ready(t *testing.T, p *process) bool {
	t.Helper()
	answer, err := http.Get(p.ops + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// TestOneHoldsXMPP: of two daemons one has the component's connection, and both are ready.
// When it is killed the other connects and goes on both ways.
func TestOneHoldsXMPP(t *testing.T) {
	prosody := peers.Prosody(t)
	_, hashes := people("ann")
	f := newFleet(t, 1, leaseTime, hashes, fmt.Sprintf(
		"xmpp: {server: %q, domain: %s, secret: %s, allow: [\"*@%s\"]}\n",
		prosody.Component, peers.ComponentDomain, peers.ComponentSecret, peers.XMPPDomain))
	daemons := []*process{f.start(0), f.start(1)}
	for _, p := range daemons {
		patiently(t, "both to be ready", func() bool { return ready(t, p) })
	}
	alice := peers.XMPPClient(t, prosody, "alice/desk")
	id := alice.Send(phoneJID, "Hello", true)
	alice.ExpectReceipt(phoneJID, id)

	n := holder(t, "out-xmpp", daemons...)
	if n < 0 {
		t.Fatal("nobody holds the connection")
	}
	other := daemons[1-n]
	if text := other.stderr.String(); strings.Contains(text, "connected to the XMPP server") {
		t.Error("both have connected")
	}
	daemons[n].kill()
	patiently(t, "the other to take over", func() bool { return holder(t, "out-xmpp", other) == 0 })
	patiently(t, "the other to be ready", func() bool {
		return ready(t, other) && strings.Contains(other.stderr.String(), "connected to the XMPP server")
	})
	began := time.Now()
	id = alice.Send(phoneJID, "Hello again", true)
	alice.ExpectReceipt(phoneJID, id)
	t.Logf("a receipt %s after the new connection", time.Since(began))
}
