package smpp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/smpp"
)

var _ bridge.Carrier = (*smpp.Links)(nil)

// quick is a link configuration that does not make tests wait.
func quick(addr string) smpp.LinkConfig {
	return smpp.LinkConfig{
		Name: "one", Addr: addr, SystemID: "acme", Password: "secret",
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
		Store: func(context.Context, bridge.MO) error { return nil },
	}
}

// start runs what has a Run method until the test ends or stop is called, which waits.
func start(t *testing.T, r interface{ Run(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, ended, "Run to return"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func newLink(t *testing.T, cfg smpp.LinkConfig) *smpp.Link {
	t.Helper()
	l, err := smpp.NewLink(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func waitStatus(t *testing.T, l *smpp.Link, want smpp.LinkStatus) {
	t.Helper()
	eventually(t, l.Changed, func() bool { return l.State().Status == want }, "the link to be "+string(want))
}

// acceptPeer plays the SMSC on the next connection.
func acceptPeer(t *testing.T, l net.Listener) *peer {
	t.Helper()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newPeer(t, conn)
}

// bindPeer plays the SMSC and takes the bind.
func bindPeer(t *testing.T, l net.Listener) *peer {
	t.Helper()
	p := acceptPeer(t, l)
	p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
	return p
}

// unbound lets the link go in good order.
func (p *peer) unbound(stop func()) {
	p.t.Helper()
	gone := make(chan struct{})
	go func() { defer close(gone); stop() }()
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	<-gone
}

func TestLinkStoresBeforeItAnswers(t *testing.T) {
	l := listen(t)
	stored, verdict := make(chan bridge.MO, 1), make(chan error)
	cfg := quick(l.Addr().String())
	cfg.Account = "acme-account"
	cfg.Store = func(_ context.Context, m bridge.MO) error {
		stored <- m
		return <-verdict
	}
	link := newLink(t, cfg)
	stop := start(t, link)
	p := acceptPeer(t, l)
	asked := p.expect(smpp.BindTransceiver)
	if asked.Bind.SystemID != "acme" || asked.Bind.Password != "secret" || asked.Bind.InterfaceVersion != smpp.Version34 {
		t.Errorf("bound with %+v", asked.Bind)
	}
	early := deliverFrom("33612345678", 0xF0000001) // before the bind response, with a sequence too high
	early.Short.TLVs = []bridge.TLV{{Tag: 0x1400, Value: []byte{7}}}
	p.send(early)
	first := receive(t, stored, "the MO")
	p.barrier() // so the answer is not there yet
	verdict <- nil
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 0xF0000001)
	p.send(asked.Answer(smpp.StatusOK))
	waitStatus(t, link, smpp.LinkBound)
	if first.ID == "" || first.Session == "" || first.Account != "acme-account" || first.Link != "one" || first.Command != "deliver_sm" ||
		first.Sequence != 0xF0000001 || string(first.Body) != "hello" || len(first.TLVs) != 1 || first.BoundAt.IsZero() || first.Received.Since < first.Bound.Since || first.Bound.Since <= 0 || first.Source.Addr != "33612345678" {
		t.Errorf("stored %+v", first)
	}

	data := &smpp.PDU{Command: smpp.DataSM, Sequence: 2, Short: &smpp.Short{TLVs: []bridge.TLV{{Tag: smpp.TagMessagePayload, Value: []byte("long")}}}}
	p.send(data)
	second := receive(t, stored, "the data_sm")
	verdict <- errors.New("the disk is full")
	p.expectAnswer(smpp.DataSMResp, smpp.StatusRxTAppn, 2)
	if second.Command != "data_sm" || second.ID == first.ID || second.Session != first.Session {
		t.Errorf("stored %+v", second)
	}
	p.write(frameOf(smpp.DeliverSM, "\x00\x01"))
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusInvMsgLen, 5)
	p.send(&smpp.PDU{Command: smpp.AlertNotification}, &smpp.PDU{Command: smpp.Outbind, Bind: &smpp.Bind{}}, submitTo("33612345678"))
	p.expectAnswer(smpp.SubmitSMResp, smpp.StatusInvBndSts, 0)
	if st := link.Stats(); st.MOStored != 1 || st.MOFailed != 1 || st.Malformed != 1 {
		t.Errorf("counted %+v", st)
	}
	p.unbound(stop)
	if st := link.State(); st.Status != smpp.LinkDown || st.Binds != 1 || st.LastError != "" {
		t.Errorf("state %+v", st)
	}
}

// A connection that is not bound, for whatever reason, is made again.
func TestLinkBindsAgain(t *testing.T) {
	tests := []struct {
		name   string
		fail   func(p *peer)
		reason string
		loud   bool
	}{
		{"no answer to bind", func(p *peer) { p.expect(smpp.BindTransceiver) }, "timed out", false},
		{"closed at bind", func(p *peer) { p.expect(smpp.BindTransceiver); p.conn.Close() }, "closed the connection", false},
		{"bound already", func(p *peer) { p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusAlyBnd)) }, "ESME_RALYBND", false},
		{"wrong password", func(p *peer) { p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusInvPaswd)) }, "ESME_RINVPASWD", true},
		{"bind refused", func(p *peer) { p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusBindFail)) }, "ESME_RBINDFAIL", true},
		{"nack to bind", func(p *peer) {
			p.send(&smpp.PDU{Command: smpp.GenericNack, Status: smpp.StatusInvCmdID, Sequence: p.expect(smpp.BindTransceiver).Sequence})
		}, "ESME_RINVCMDID", false},
		{"nack to bind that says that all is well", func(p *peer) {
			p.send(&smpp.PDU{Command: smpp.GenericNack, Sequence: p.expect(smpp.BindTransceiver).Sequence})
		}, "generic_nack with ESME_ROK", false},
		{"garbage", func(p *peer) { p.expect(smpp.BindTransceiver); p.write([]byte("HTTP/1.1 400 Bad Request")) }, "command_length", false},
		{"unbind by the SMSC", func(p *peer) {
			p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK), &smpp.PDU{Command: smpp.Unbind, Sequence: 1})
			p.expect(smpp.UnbindResp)
			p.conn.Close()
		}, "unbound", false},
		{"reset when bound", func(p *peer) {
			p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
			p.conn.Close()
		}, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			var log safeBuffer
			cfg := quick(l.Addr().String())
			cfg.ResponseTimeout = patience // a slow machine is no silent SMSC
			if test.reason == "timed out" {
				cfg.ResponseTimeout = time.Second
			}
			cfg.Logger = zerolog.New(&log)
			link := newLink(t, cfg)
			stop := start(t, link)
			test.fail(acceptPeer(t, l))
			p := bindPeer(t, l)
			waitStatus(t, link, smpp.LinkBound)
			if st := link.State(); !strings.Contains(st.LastError, test.reason) || st.LastError == "" {
				t.Errorf("the last error is %q", st.LastError)
			}
			if loud := strings.Contains(log.String(), `"level":"error"`); loud != test.loud {
				t.Errorf("loud is %v:\n%s", loud, log.String())
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the password is in the log:\n%s", log.String())
			}
			p.unbound(stop)
		})
	}
}

// What a link refuses is said once, however often it comes; an MO that comes over a
// transmitter too, for nobody gets it.
func TestLinkSaysOnceWhatItRefuses(t *testing.T) {
	tests := []struct {
		name string
		bind smpp.BindMode
		asks *smpp.PDU
	}{
		{"submit_sm", smpp.Transceiver, submitTo("33612345678")},
		{"an MO over a transmitter", smpp.Transmitter, deliverFrom("33612345678", 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			var log safeBuffer
			cfg := quick(l.Addr().String())
			cfg.Bind, cfg.Logger = tt.bind, zerolog.New(&log)
			if tt.bind == smpp.Transmitter {
				cfg.Store = nil
			}
			link := newLink(t, cfg)
			stop := start(t, link)
			p := acceptPeer(t, l)
			p.send(p.next().Answer(smpp.StatusOK))
			waitStatus(t, link, smpp.LinkBound)
			for i := range uint32(3) {
				tt.asks.Sequence = i + 1
				p.send(tt.asks)
				p.expectAnswer(tt.asks.Command.Response(), smpp.StatusInvBndSts, i+1)
			}
			p.unbound(stop)
			if n := strings.Count(log.String(), `"level":"warn"`); n != 1 || !strings.Contains(log.String(), tt.asks.Command.String()) {
				t.Errorf("said %d times:\n%s", n, log.String())
			}
		})
	}
}

// A bind that the SMSC takes and drops at once, again and again, is in quarantine: it
// shows, with the reason and the time of the next try, and is said loudly once.
func TestLinkInQuarantine(t *testing.T) {
	l := listen(t)
	var log safeBuffer
	cfg := quick(l.Addr().String())
	cfg.BackoffMax, cfg.Logger = time.Hour, zerolog.New(&log)
	link := newLink(t, cfg)
	start(t, link)
	for range 5 {
		bindPeer(t, l).conn.Close()
	}
	waitStatus(t, link, smpp.LinkQuarantined)
	st := link.State()
	if wait := st.RetryAt.Sub(st.Since); wait < 2*time.Hour || wait > 5*time.Hour || st.LastError == "" || st.Binds != 5 {
		t.Errorf("state %+v", st)
	}
	if n := strings.Count(log.String(), "quarantine"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Nobody listens: the link is down, says why, and stops at once when it is told to.
func TestLinkCannotConnect(t *testing.T) {
	cfg := quick(peers.FreeAddress(t))
	cfg.BackoffMin = time.Hour
	link := newLink(t, cfg)
	stop := start(t, link)
	eventually(t, link.Changed, func() bool { return link.State().LastError != "" }, "the reason")
	if st := link.State(); st.Status != smpp.LinkDown || !strings.Contains(st.LastError, "cannot connect to "+cfg.Addr) {
		t.Errorf("state %+v", st)
	}
	stop()
}

// A stop does not wait for an SMSC that answers nothing.
func TestLinkStopsWhileBinding(t *testing.T) {
	l := listen(t)
	cfg := quick(l.Addr().String())
	cfg.ResponseTimeout = time.Hour
	stop := start(t, newLink(t, cfg))
	acceptPeer(t, l).expect(smpp.BindTransceiver)
	stop()
}

func TestLinkOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate, which is for example.com
	server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for _, test := range []struct{ name, serverName, reason string }{
		{"the right name", "example.com", ""},
		{"a wrong name", "smsc.example.net", "smsc.example.net"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			cfg := quick(l.Addr().String())
			cfg.TLS = &tls.Config{RootCAs: roots, ServerName: test.serverName}
			link := newLink(t, cfg)
			stop := start(t, link)
			raw := acceptPeer(t, l).conn
			conn := tls.Server(raw, server.TLS)
			if test.reason != "" {
				if err := conn.HandshakeContext(testContext(t)); err == nil {
					t.Error("the handshake succeeded")
				}
				eventually(t, link.Changed, func() bool { return strings.Contains(link.State().LastError, test.reason) }, "the reason")
				return
			}
			p := newPeer(t, conn)
			p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
			waitStatus(t, link, smpp.LinkBound)
			p.unbound(stop)
		})
	}
}

func TestNewLinkRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*smpp.LinkConfig)
		says   string
	}{
		{"no name", func(c *smpp.LinkConfig) { c.Name = "" }, "name"},
		{"no port", func(c *smpp.LinkConfig) { c.Addr = "smsc.example.net" }, "host:port"},
		{"a bind mode of its own", func(c *smpp.LinkConfig) { c.Bind = "both" }, "transceiver"},
		{"a long system_id", func(c *smpp.LinkConfig) { c.SystemID = strings.Repeat("x", 16) }, "system_id"},
		{"a receiver without store", func(c *smpp.LinkConfig) { c.Store = nil }, "store"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := quick("127.0.0.1:2775")
			test.change(&cfg)
			if _, err := smpp.NewLink(cfg); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	one := newLink(t, quick("127.0.0.1:2775"))
	if _, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{one, newLink(t, quick("127.0.0.1:2776"))}}); err == nil {
		t.Error("two links of one name were taken")
	}
}
