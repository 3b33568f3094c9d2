package peers

import (
	_ "embed" // the client's program
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// python is Debian's own: its packages are there, whatever else is first in the path.
const python = "/usr/bin/python3"

//go:embed client.py
var clientProgram []byte

var hasSlixmpp = sync.OnceValue(func() bool { return exec.Command(python, "-c", "import slixmpp").Run() == nil })

// Client is a person's XMPP client, online. Its methods are for one goroutine.
type Client struct {
	// JID is its full address.
	JID string

	t        testing.TB
	commands io.Writer
	events   chan Stanza
	process  *process
	lastID   int
}

// Stanza is what a client received, or an event of its own ("ready", "disconnected").
type Stanza struct {
	Kind string `json:"event"` // message, presence or iq
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"`
	ID   string `json:"id"`
	Body string `json:"body"`
	// Received is the id that an XEP-0184 receipt names.
	Received string `json:"received"`
	// Of a stanza error:
	ErrorType string `json:"error_type"`
	Condition string `json:"condition"`
	Text      string `json:"text"`
	// XML is the whole stanza.
	XML string `json:"xml"`
}

// XMPPClient connects a client as name ("alice/desk": an account of the server, with a
// resource) and returns once it is online.
func XMPPClient(t testing.TB, server *XMPPServer, name string) *Client {
	t.Helper()
	if !hasSlixmpp() {
		missing(t, "python3-slixmpp is not installed for "+python)
	}
	program := filepath.Join(t.TempDir(), "client.py")
	if err := os.WriteFile(program, clientProgram, 0o644); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(server.C2S)
	if err != nil {
		t.Fatal(err)
	}
	account, resource, _ := strings.Cut(name, "/")
	cmd := exec.Command(python, program, host, port, account+"@"+XMPPDomain+"/"+resource, account)
	commands, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, commands: commands, events: make(chan Stanza, 10_000)}
	c.process = launch(t, cmd, func(line string) {
		var s Stanza
		if json.Unmarshal([]byte(line), &s) == nil {
			c.events <- s
		}
	})
	c.JID = c.Expect("to be online", func(s Stanza) bool { return s.Kind == "ready" }).To
	return c
}

// Send sends a chat message and returns its id. With receipt it asks for one (XEP-0184).
func (c *Client) Send(to, body string, receipt bool) (id string) {
	c.t.Helper()
	c.lastID++
	id = fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), c.lastID)
	m := struct {
		XMLName xml.Name  `xml:"message"`
		Type    string    `xml:"type,attr"`
		ID      string    `xml:"id,attr"`
		To      string    `xml:"to,attr"`
		Body    string    `xml:"body"`
		Request *struct{} `xml:"urn:xmpp:receipts request"`
	}{Type: "chat", ID: id, To: to, Body: body}
	if receipt {
		m.Request = &struct{}{}
	}
	raw, err := xml.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Raw(string(raw))
	return id
}

// Raw sends a stanza as it stands.
func (c *Client) Raw(stanza string) {
	c.t.Helper()
	if err := json.NewEncoder(c.commands).Encode(map[string]string{"xml": stanza}); err != nil {
		c.t.Fatalf("the client %s has ended: %v\n%s", c.JID, err, c.process.said())
	}
}

// Expect waits for a stanza that matches and returns it. Those before it are passed over.
func (c *Client) Expect(what string, matches func(Stanza) bool) Stanza {
	c.t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		select {
		case s := <-c.events:
			if matches(s) {
				return s
			}
		case <-c.process.done:
			c.t.Fatalf("%s: the client has ended:\n%s", what, c.process.said())
		case <-late.C:
			c.t.Fatalf("%s: it did not come within %s; the client saw last:\n%s", what, Patience, c.process.said())
		}
	}
}

// ExpectText waits for a message with a body from an address.
func (c *Client) ExpectText(from, body string) Stanza {
	c.t.Helper()
	return c.Expect(fmt.Sprintf("a text from %s", from), func(s Stanza) bool {
		return s.Kind == "message" && s.Type == "chat" && s.From == from && s.Body == body
	})
}

// ExpectReceipt waits for the receipt of a message.
func (c *Client) ExpectReceipt(from, id string) Stanza {
	c.t.Helper()
	return c.Expect("the receipt of "+id, func(s Stanza) bool {
		return s.Kind == "message" && s.From == from && s.Received == id
	})
}

// ExpectError waits for the error of a message.
func (c *Client) ExpectError(from, id string) Stanza {
	c.t.Helper()
	return c.Expect("the error of "+id, func(s Stanza) bool {
		return s.Kind == "message" && s.Type == "error" && s.From == from && s.ID == id
	})
}
