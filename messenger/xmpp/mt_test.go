package xmpp_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

func TestMessageBecomesRequest(t *testing.T) {
	_, _, st, h := connect(t)
	handle := addressing.MustParseHandle("xmpp:" + ann)
	const id = "0123456789abcdef"
	tests := []struct {
		name, stanza string
		want         bridge.Request
	}{
		{
			"chat", `<message type='chat' id='` + id + `' from='ann@corp.example/desk' to='+33612345678@sms.corp.example'><body>é 😀</body></message>`,
			bridge.Request{Handle: handle, To: phone, Text: "é 😀", NetworkID: "n::" + id, ReplyTo: ann + "/desk"},
		},
		{
			"normal, receipt asked for", `<message id='` + id + `' from='Ann@corp.example/desk' to='+33612345678@sms.corp.example/x'><body>a</body><request xmlns='urn:xmpp:receipts'/></message>`,
			bridge.Request{Handle: handle, To: phone, Text: "a", NetworkID: "r::" + id, ReplyTo: ann + "/desk"},
		},
		{
			"origin id of its own", `<message type='chat' id='1' from='ann@corp.example' to='+33612345678@sms.corp.example'><body>a</body><origin-id xmlns='urn:xmpp:sid:0' id='o:1'/></message>`,
			bridge.Request{Handle: handle, To: phone, Text: "a", NetworkID: "n:o%3A1:1", ReplyTo: ann},
		},
		{
			"no id", `<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>a</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>`,
			bridge.Request{Handle: handle, To: phone, Text: "a", ReplyTo: ann + "/d"},
		},
		{
			"two languages", `<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body xml:lang='fr'>un</body><body xml:lang='en'>one</body></message>`,
			bridge.Request{Handle: handle, To: phone, Text: "un", ReplyTo: ann + "/d"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st.raw(tt.stanza)
			if diff := cmp.Diff(tt.want, wait(t, h.requests, "the request"), cmp.Comparer(func(a, b addressing.Handle) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A client that counts its messages begins again with each session: the second
// "1" is another message.
func TestShortIDsAreNeverRepeats(t *testing.T) {
	_, _, st, h := connect(t)
	seen := map[string]bool{}
	for range 2 {
		st.raw(`<message type='chat' id='1' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>a</body></message>`)
		id := wait(t, h.requests, "the request").NetworkID
		if seen[id] || !strings.HasSuffix(id, ":1") {
			t.Errorf("NetworkID %q", id)
		}
		seen[id] = true
	}
}

type errorStanza struct {
	Type      string `xml:"type,attr"`
	Text      string `xml:"urn:ietf:params:xml:ns:xmpp-stanzas text"`
	Condition []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// failure reads the error of a stanza: "type/condition" and the text.
func failure(t *testing.T, e element) (string, string) {
	t.Helper()
	var inner struct {
		Error errorStanza `xml:"error"`
	}
	if err := xml.Unmarshal([]byte("<x>"+e.Inner+"</x>"), &inner); err != nil {
		t.Fatal(err)
	}
	if e.Type != "error" || len(inner.Error.Condition) != 1 {
		t.Fatalf("no error: type %q, %s", e.Type, e.Inner)
	}
	return inner.Error.Type + "/" + inner.Error.Condition[0].XMLName.Local, inner.Error.Text
}

func TestRefusals(t *testing.T) {
	_, _, st, h := connect(t)
	reasons := map[string]bridge.Reason{}
	for _, r := range bridge.Reasons() {
		reasons["because "+string(r)] = r
	}
	h.answer = func(r bridge.Request) error {
		if r.Text == "broken" {
			return errors.New("a defect")
		}
		return &bridge.RefusalError{Reason: reasons[r.Text], Text: "Plain words."}
	}
	const to = phone + "@" + domain
	tests := []struct {
		name, typ, from, to, children string
		want, text                    string
	}{
		{"bad number of the hub", "chat", ann + "/d", to, "<body>because bad_number</body>", "cancel/item-not-found", "Plain words."},
		{"empty", "chat", ann + "/d", to, "<body>because empty_text</body>", "modify/not-acceptable", "Plain words."},
		{"too long", "chat", ann + "/d", to, "<body>because text_too_long</body>", "modify/not-acceptable", "Plain words."},
		{"bad text", "chat", ann + "/d", to, "<body>because bad_text</body>", "modify/not-acceptable", "Plain words."},
		{"not permitted by the hub", "chat", ann + "/d", to, "<body>because not_permitted</body>", "auth/forbidden", "Plain words."},
		{"no number", "chat", ann + "/d", to, "<body>because no_number</body>", "cancel/not-allowed", "Plain words."},
		{"id reused", "chat", ann + "/d", to, "<body>because id_reused</body>", "cancel/conflict", "Plain words."},
		{"queue full", "chat", ann + "/d", to, "<body>because queue_full</body>", "wait/resource-constraint", "Plain words."},
		{"unavailable", "chat", ann + "/d", to, "<body>because unavailable</body>", "wait/internal-server-error", "Plain words."},
		{"a defect", "chat", ann + "/d", to, "<body>broken</body>", "wait/internal-server-error", "Try again in a minute"},
		{"national spelling", "chat", ann + "/d", "0612345678@" + domain, "<body>a</body>", "modify/jid-malformed", "write to " + to},
		{"00 spelling", "chat", ann + "/d", "0033612345678@" + domain, "<body>a</body>", "modify/jid-malformed", "write to " + to},
		{"no number at all", "chat", ann + "/d", "bob@" + domain, "<body>a</body>", "modify/jid-malformed", `"bob" is not a phone number`},
		{"separators", "chat", ann + "/d", "+33-6.12.34.56.78@" + domain, "<body>a</body>", "modify/jid-malformed", "write to " + to},
		{"without the plus", "chat", ann + "/d", "33612345678@" + domain, "<body>a</body>", "modify/jid-malformed", "write to " + to},
		{"overseas at home", "chat", ann + "/d", "0692123456@" + domain, "<body>a</body>", "modify/jid-malformed", "write to +262692123456@" + domain},
		{"too few digits", "chat", ann + "/d", "+331@" + domain, "<body>a</body>", "modify/jid-malformed", "too few digits: write it like +33612345678. A phone's address here is like +33612345678@" + domain},
		{"emergency", "chat", ann + "/d", "112@" + domain, "<body>a</body>", "modify/jid-malformed", "emergency number"},
		{"short number", "chat", ann + "/d", "3620@" + domain, "<body>a</body>", "modify/jid-malformed", "short number"},
		{"another domain's user", "chat", "eve@other.example/d", to, "<body>a</body>", "auth/forbidden", "You may not send SMS"},
		{"another domain's user to the bridge", "chat", "eve@other.example/d", domain, "<body>a</body>", "auth/forbidden", "You may not send SMS"},
		{"not a person", "chat", "corp.example", to, "<body>a</body>", "auth/forbidden", "not a person's address"},
		{"group chat", "groupchat", ann + "/d", to, "<body>a</body>", "cancel/service-unavailable", "group chat"},
		{"group chat with the bridge", "groupchat", ann + "/d", domain, "<body>a</body>", "cancel/service-unavailable", phone + "@" + domain},
		{"encrypted", "chat", ann + "/d", to, "<body>a</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>", "modify/not-acceptable", "encryption off"},
		{"encrypted without a body", "chat", ann + "/d", to, "<encrypted xmlns='urn:xmpp:omemo:2'/>", "modify/not-acceptable", "encryption off"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprintf("id-%d", i)
			st.raw(fmt.Sprintf("<message type='%s' id='%s' from='%s' to='%s'>%s</message>", tt.typ, id, tt.from, tt.to, tt.children))
			e := st.get()
			got, text := failure(t, e)
			if got != tt.want || !strings.Contains(text, tt.text) {
				t.Errorf("got %s %q, want %s %q", got, text, tt.want, tt.text)
			}
			if e.ID != id || e.To != tt.from || e.From != tt.to {
				t.Errorf("got id %s from %s to %s", e.ID, e.From, e.To)
			}
			if body := strings.Contains(tt.children, "<body>"); body != (e.Body != "") || body && !strings.Contains(tt.children, ">"+e.Body+"<") {
				t.Errorf("the text was given back as %q", e.Body)
			}
		})
	}
}

// Some servers pass on addresses that are no JIDs by RFC 7622. Whoever writes to one is
// answered, by the bridge itself.
func TestAddressesThatAreNone(t *testing.T) {
	_, _, st, h := connect(t)
	tests := []struct{ name, to, text string }{
		{"full-width digits", "０６１２３４５６７８@" + domain, "write to " + phone + "@" + domain},
		{"Arabic digits", "٠٦١٢٣٤٥٦٧٨@" + domain, "write to " + phone + "@" + domain},
		{"no number", "６@" + domain, "too few digits"},
		{"a number that is right, and more", phone + "@" + domain + "@x", "no address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st.raw("<message type='chat' id='1' from='ann@corp.example/d' to='" + tt.to + "'><body>a</body></message>")
			e := st.get()
			if got, text := failure(t, e); got != "modify/jid-malformed" || !strings.Contains(text, tt.text) {
				t.Errorf("got %s %q, want a text with %q", got, text, tt.text)
			}
			if e.From != domain || e.To != ann+"/d" || e.ID != "1" || len(h.requests) != 0 {
				t.Errorf("%+v, %d requests", e, len(h.requests))
			}
		})
	}
	st.raw("<message type='chat' from='eve@other.example' to='٠٦@" + domain + "'><body>a</body></message>")
	st.barrier("ann@corp.example", "+33612345678@sms.corp.example")
	if len(st.stanzas) != 0 {
		t.Error("a stranger was answered")
	}
}

func TestEndlessIDIsRefused(t *testing.T) {
	_, _, st, _ := connect(t)
	st.raw(fmt.Sprintf("<message id='%s' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>a</body></message>", strings.Repeat("x", 2000)))
	if got, _ := failure(t, st.get()); got != "modify/bad-request" {
		t.Error(got)
	}
}

// Nothing of this is a message, or it comes from ourselves; and none may be answered
// or end the component.
func TestIgnored(t *testing.T) {
	tests := map[string]string{
		"chat state":            `<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
		"chat state, no text":   `<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body/><active xmlns='http://jabber.org/protocol/chatstates'/></message>`,
		"receipt":               `<message from='ann@corp.example/d' to='+33612345678@sms.corp.example' id='1'><received xmlns='urn:xmpp:receipts' id='2'/></message>`,
		"marker":                `<message from='ann@corp.example/d' to='+33612345678@sms.corp.example' id='1'><displayed xmlns='urn:xmpp:chat-markers:0' id='2'/></message>`,
		"headline":              `<message type='headline' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>news</body></message>`,
		"error":                 `<message type='error' id='1' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>a</body><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
		"error without error":   `<message type='error' from='ann@corp.example/d' to='+33612345678@sms.corp.example'/>`,
		"from ourselves":        `<message type='chat' from='+33600000000@sms.corp.example' to='+33612345678@sms.corp.example'><body>a</body></message>`,
		"iq result":             `<iq type='result' id='ping-1' from='eve@other.example' to='sms.corp.example'/>`,
		"iq without type":       `<iq id='1' from='ann@corp.example/d' to='sms.corp.example'/>`,
		"presence":              `<presence from='ann@corp.example/d' to='+33612345678@sms.corp.example'><show>away</show></presence>`,
		"presence error":        `<presence type='error' from='ann@corp.example/d' to='+33612345678@sms.corp.example'/>`,
		"bad addresses":         `<message type='chat' from='@' to='+33612345678@sms.corp.example'><body>a</body></message>`,
		"no addresses":          `<message type='chat'><body>a</body></message>`,
		"not a stanza":          `<whatever xmlns='urn:x'/>`,
		"white space":           " \n ",
		"a deep stanza":         `<message from='ann@corp.example/d' to='+33612345678@sms.corp.example'>` + strings.Repeat("<a>", 11000) + strings.Repeat("</a>", 11000) + `</message>`,
		"subscribed by someone": `<presence type='subscribed' from='ann@corp.example' to='+33612345678@sms.corp.example'/>`,
	}
	for name, stanza := range tests {
		t.Run(name, func(t *testing.T) {
			_, s, st, h := connect(t)
			st.raw(stanza)
			st.barrier("ann@corp.example", "+33612345678@sms.corp.example")
			if len(h.requests) != 0 || len(st.stanzas) != 0 || len(s.streams) != 0 {
				t.Errorf("%d requests, %d answers, %d new connections", len(h.requests), len(st.stanzas), len(s.streams))
			}
		})
	}
}

func TestHelp(t *testing.T) {
	_, _, st, h := connect(t)
	st.raw(`<message type='chat' id='1' from='ann@corp.example/d' to='sms.corp.example'><body>hello?</body></message>`)
	e := st.get()
	if e.Type != "chat" || e.To != ann+"/d" || e.From != domain || !strings.Contains(e.Body, phone+"@"+domain) || len(h.requests) != 0 {
		t.Errorf("%+v", e)
	}
}

// One conversation that waits holds up no other, and each keeps its order.
func TestConversationsSideBySide(t *testing.T) {
	_, _, st, h := connect(t)
	first := make(chan struct{})
	done := make(chan string, 100)
	h.answer = func(r bridge.Request) error {
		if r.Text == "slow 0" {
			<-first
		}
		done <- r.Text
		return nil
	}
	send := func(to, text string) {
		st.raw(fmt.Sprintf("<message type='chat' from='ann@corp.example/d' to='%s@sms.corp.example'><body>%s</body></message>", to, text))
	}
	for i := range 20 {
		send(phone, fmt.Sprint("slow ", i))
	}
	for i := range 20 {
		send("+33612345679", fmt.Sprint("fast ", i))
	}
	expect := func(speed string) {
		for i := range 20 {
			if got, want := wait(t, done, "a message"), fmt.Sprint(speed, " ", i); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
	expect("fast")
	close(first)
	expect("slow")
}

func TestTooMuchWaitingIsRefused(t *testing.T) {
	c, _, st, h := connect(t)
	release := make(chan struct{})
	defer close(release)
	h.answer = func(bridge.Request) error { <-release; return nil }
	body := strings.Repeat("x", 1<<20)
	for range 17 {
		st.raw("<message type='chat' id='1' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>" + body + "</body></message>")
	}
	e := st.get()
	if got, _ := failure(t, e); got != "wait/resource-constraint" || e.Body != "" || c.Stats().Dropped == 0 {
		t.Errorf("got %s, body of %d, stats %+v", got, len(e.Body), c.Stats())
	}
}

// A defect costs the one message that it befell.
func TestPanicCostsOneMessage(t *testing.T) {
	s, h := newServer(t), newHub()
	h.answer = func(r bridge.Request) error {
		if r.Text == "panic" {
			panic("a defect")
		}
		return nil
	}
	c := run(t, config(s.listener.Addr().String(), h))
	st := s.next()
	for _, body := range []string{"panic", "next"} {
		st.raw("<message type='chat' from='ann@corp.example/d' to='+33612345678@sms.corp.example'><body>" + body + "</body></message>")
		if r := wait(t, h.requests, "the request"); r.Text != body {
			t.Errorf("got %+v", r)
		}
	}
	if got, _ := failure(t, st.get()); got != "wait/internal-server-error" {
		t.Errorf("the sender was told %s", got)
	}
	if n := c.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted", n)
	}
}
