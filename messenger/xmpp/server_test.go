package xmpp_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/xml"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
	"smsbridge/messenger/xmpp"
)

const (
	domain = "sms.corp.example"
	secret = "s3cret"
	ann    = "ann@corp.example"
	phone  = "+33612345678"
	// patience is how long a test waits for what must come.
	patience = 20 * time.Second
)

// server is the server's side of XEP-0114, as far as a test needs it: it lets
// components in, hands over what they send and writes what a test tells it to.
type server struct {
	t        *testing.T
	listener net.Listener
	secret   string
	// mute stops the answers to pings, which then stand in pings; with gone, people's
	// devices have gone.
	mute, gone atomic.Bool
	pings      chan element
	// muted is a domain that answers no ping.
	muted string
	// farewell is written before the stream is closed for a component that closes it.
	farewell string
	streams  chan *stream
	wg       sync.WaitGroup
}

// stream is one connection of a component.
type stream struct {
	t       *testing.T
	conn    net.Conn
	write   sync.Mutex
	stanzas chan element // all but pings
	closed  chan struct{}
}

// element is a stanza as the component wrote it.
type element struct {
	XMLName xml.Name
	From    string    `xml:"from,attr"`
	To      string    `xml:"to,attr"`
	ID      string    `xml:"id,attr"`
	Type    string    `xml:"type,attr"`
	Body    string    `xml:"body"`
	Inner   string    `xml:",innerxml"`
	Ping    *struct{} `xml:"urn:xmpp:ping ping"`
	Reply   *struct {
		ID string `xml:"id,attr"`
		To string `xml:"to,attr"`
	} `xml:"urn:xmpp:reply:0 reply"`
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: l, secret: secret, streams: make(chan *stream, 16), pings: make(chan element, 1000)}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { s.serve(conn) })
	}
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	d := xml.NewDecoder(bufio.NewReader(conn))
	if err := s.handshake(d, conn); err != nil {
		return
	}
	st := &stream{t: s.t, conn: conn, stanzas: make(chan element, 1000), closed: make(chan struct{})}
	defer close(st.closed)
	s.streams <- st
	for {
		tok, err := d.Token()
		if err != nil {
			return
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			st.raw(s.farewell + "</stream:stream>")
			return
		case xml.StartElement:
			var e element
			if d.DecodeElement(&e, &tok) != nil {
				return
			}
			if e.Ping != nil && e.Type == "get" {
				s.ping(st, e)
				continue
			}
			st.stanzas <- e
		}
	}
}

func (s *server) ping(st *stream, e element) {
	switch {
	case s.mute.Load():
		s.pings <- e
	case e.To == s.muted:
	case s.gone.Load() && strings.Contains(e.To, "/"):
		st.raw(fmt.Sprintf("<iq type='error' id='%s' from='%s' to='%s'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", e.ID, e.To, e.From))
	default:
		st.pong(e)
	}
}

// pong answers a ping.
func (st *stream) pong(ping element) {
	st.raw(fmt.Sprintf("<iq type='result' id='%s' from='%s' to='%s'/>", ping.ID, ping.To, ping.From))
}

func (s *server) handshake(d *xml.Decoder, conn net.Conn) error {
	if _, err := d.Token(); err != nil { // <stream:stream>
		return err
	}
	if _, err := fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='%s' id='42'>", domain); err != nil {
		return err
	}
	var got struct {
		Digest string `xml:",chardata"`
	}
	if err := d.Decode(&got); err != nil {
		return err
	}
	if got.Digest != fmt.Sprintf("%x", sha1.Sum([]byte("42"+s.secret))) {
		_, _ = fmt.Fprint(conn, "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
		return fmt.Errorf("wrong secret")
	}
	_, err := fmt.Fprint(conn, "<handshake/>")
	return err
}

// next is the next connection of a component.
func (s *server) next() *stream {
	s.t.Helper()
	return wait(s.t, s.streams, "a connection of the component")
}

func (st *stream) raw(xml string) {
	st.write.Lock()
	defer st.write.Unlock()
	_, _ = fmt.Fprint(st.conn, xml)
}

// get is the next stanza from the component that is no ping.
func (st *stream) get() element {
	st.t.Helper()
	return wait(st.t, st.stanzas, "a stanza of the component")
}

// barrier returns once the component has handled what was written before: it
// answers in order from a bare address to another.
func (st *stream) barrier(from, to string) {
	st.t.Helper()
	st.raw(fmt.Sprintf("<presence type='probe' from='%s' to='%s'/>", from, to))
	if e := st.get(); e.XMLName.Local != "presence" {
		st.t.Fatalf("got %s %s before the barrier's presence", e.XMLName.Local, e.Inner)
	}
}

// wait receives from c.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// hub records requests, and answers as told.
type hub struct {
	requests chan bridge.Request
	answer   func(bridge.Request) error
}

func newHub() *hub { return &hub{requests: make(chan bridge.Request, 1000)} }

func (h *hub) Accept(_ context.Context, r bridge.Request) (bridge.Story, error) {
	h.requests <- r
	if h.answer != nil {
		if err := h.answer(r); err != nil {
			return bridge.Story{}, err
		}
	}
	return bridge.Story{ID: "story"}, nil
}

// logs keeps what a component logs.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs a component until the test ends; nothing may have panicked then.
func start(t *testing.T, cfg xmpp.Config) *xmpp.Component {
	t.Helper()
	c := run(t, cfg)
	t.Cleanup(func() {
		if n := c.Stats().Panics; n != 0 {
			t.Errorf("%d panics", n)
		}
	})
	return c
}

// run runs a component until the test ends.
func run(t *testing.T, cfg xmpp.Config) *xmpp.Component {
	t.Helper()
	c, err := xmpp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := wait(t, ended, "the end of Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c
}

func config(server string, h xmpp.Hub) xmpp.Config {
	return xmpp.Config{Server: server, Domain: domain, Secret: secret, Region: "FR", Hub: h, Logger: zerolog.Nop()}
}

// connect is a component on a server of the test's own.
func connect(t *testing.T) (*xmpp.Component, *server, *stream, *hub) {
	t.Helper()
	s, h := newServer(t), newHub()
	c := start(t, config(s.listener.Addr().String(), h))
	return c, s, s.next(), h
}
