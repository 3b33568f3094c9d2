package main

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"smsbridge/internal/peers"
)

const (
	phoneJID = "+33612345678@" + peers.ComponentDomain
	phoneMO  = "33612345678"
)

// TestRealPeers: a person at a slixmpp client of a Prosody, with TLS, or of an ejabberd, and a
// phone behind a node-smpp SMSC, none of which was written here, text each other through the daemon.
func TestRealPeers(t *testing.T) {
	for name, server := range map[string]func(testing.TB) *peers.XMPPServer{"Prosody": peers.ProsodyTLS, "ejabberd": peers.Ejabberd} {
		t.Run(name, func(t *testing.T) { textEachOther(t, server(t)) })
	}
}

func textEachOther(t *testing.T, xmpp *peers.XMPPServer) {
	smsc := peers.NodeSMPP(t)
	_, hashes := people("ann")
	tls := ""
	if xmpp.CAFile != "" {
		tls = fmt.Sprintf(", tls: {ca_file: %q}", xmpp.CAFile)
	}
	p := startDaemon(t, testConfig(t.TempDir(), smsc.Address, hashes, fmt.Sprintf(
		"xmpp: {server: %q, domain: %s, secret: %s, allow: [\"*@%s\"]%s}\n",
		xmpp.Component, peers.ComponentDomain, peers.ComponentSecret, peers.XMPPDomain, tls)))
	peers.Eventually(t, "the daemon to be ready", func() bool {
		response, err := http.Get(p.ops + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	alice := peers.XMPPClient(t, xmpp, "alice/desk")

	long := strings.Repeat("Voilà 50 caractères, dont des accents é è ç ô … ✓ ", 10)
	for _, text := range []string{"Hello", "Ça coûte 5 € à Noël", "😀 and a family 👨‍👩‍👧", long} {
		already := len(smsc.Submits())
		id := alice.Send(phoneJID, text, true)
		alice.ExpectReceipt(phoneJID, id)
		if got := joined(t, smsc.Submits()[already:]); got != text {
			t.Errorf("the phone got %q; want %q", got, text)
		}
	}
	number := smsc.Submits()[0].From

	t.Run("answers", func(*testing.T) {
		for _, text := range []string{"Hello to you", "Ça va ? été 😀", long} {
			for _, mo := range segmentsOf(text) {
				mo["from"], mo["to"] = phoneMO, number
				smsc.Post("/mo", mo, nil)
			}
			alice.ExpectText(phoneJID, text)
		}
	})
	t.Run("refused by the operator", func(t *testing.T) {
		smsc.Post("/fault", map[string]any{"cmd": "submit_sm", "status": 0x0B, "count": 1}, nil)
		id := alice.Send(phoneJID, "nobody there", true)
		if e := alice.ExpectError(phoneJID, id); !strings.Contains(e.Text, "ESME_RINVDSTADR") {
			t.Errorf("the error says %q", e.Text)
		}
	})
	t.Run("not a number", func(t *testing.T) {
		to := "nobody@" + peers.ComponentDomain
		id := alice.Send(to, "hello", false)
		if e := alice.ExpectError(to, id); e.Text == "" {
			t.Errorf("the error %+v says nothing", e)
		}
	})
	t.Run("another spelling", func(t *testing.T) {
		to := "0612345678@" + peers.ComponentDomain
		id := alice.Send(to, "hello", false)
		if e := alice.ExpectError(to, id); !strings.Contains(e.Text, phoneJID) {
			t.Errorf("the error %q does not tell the right address", e.Text)
		}
	})
	t.Run("the XMPP server restarts", func(t *testing.T) {
		before := p.metric(t, "smsbridge_bridge_mo_delivered_total")
		xmpp.Kill()
		smsc.Post("/mo", map[string]any{"from": phoneMO, "to": number, "text": "while you were away"}, nil)
		xmpp.Start()
		// ejabberd keeps for the next login what comes between a login and its presence.
		peers.Eventually(t, "the server to have the text", func() bool { return p.metric(t, "smsbridge_bridge_mo_delivered_total") > before })
		back := peers.XMPPClient(t, xmpp, "alice/desk")
		back.ExpectText(phoneJID, "while you were away")
	})
}

// joined reads what a phone shows of segments, by another way than the daemon's own.
func joined(t *testing.T, segments []peers.Submit) string {
	t.Helper()
	var text strings.Builder
	var units []uint16
	for _, s := range segments {
		body, err := hex.DecodeString(s.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if s.ESM&0x40 != 0 {
			body = body[1+int(body[0]):]
		}
		if s.DC == 8 {
			for pair := range slices.Chunk(body, 2) {
				units = append(units, uint16(pair[0])<<8|uint16(pair[1]))
			}
			continue
		}
		text.WriteString(gsm7(body))
	}
	return text.String() + string(utf16.Decode(units))
}

// gsm7 reads the few characters of the GSM default alphabet that these texts have and
// that are not where ASCII has them (3GPP TS 23.038, 6.2.1).
func gsm7(body []byte) string {
	return strings.NewReplacer(
		"\x1b\x65", "€", "\x04", "è", "\x05", "é", "\x06", "ù", "\x09", "Ç", "\x7f", "à",
	).Replace(string(body))
}

// segmentsOf makes the deliver_sm of a text in UCS-2, the last segment first.
func segmentsOf(text string) []map[string]any {
	parts := slices.Collect(slices.Chunk(utf16.Encode([]rune(text)), 67))
	var all []map[string]any
	for i, units := range parts {
		var body []byte
		for _, u := range units {
			body = append(body, byte(u>>8), byte(u))
		}
		mo := map[string]any{"dc": 8, "hex": hex.EncodeToString(body)}
		if len(parts) > 1 {
			mo["udh"] = fmt.Sprintf("050003aa%02x%02x", len(parts), i+1)
		}
		all = append(all, mo)
	}
	slices.Reverse(all)
	return all
}
