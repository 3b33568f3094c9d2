package smpp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// A link connects from the address, to the family and in the version that it is told.
func TestLinkConnects(t *testing.T) {
	tests := []struct {
		name, listen, from string
		version            byte
		mode               smpp.BindMode
		command            smpp.Command
	}{
		{"from an address", "127.0.0.1:0", "127.0.0.2", 0, smpp.Transceiver, smpp.BindTransceiver},
		{"IPv6", "[::1]:0", "", smpp.Version50, smpp.Transceiver, smpp.BindTransceiver},
		{"from an IPv6 address", "[::1]:0", "::1", smpp.Version34, smpp.Receiver, smpp.BindReceiver},
		{"version 3.3", "127.0.0.1:0", "", smpp.Version33, smpp.Transmitter, smpp.BindTransmitter},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := net.Listen("tcp", test.listen)
			if err != nil {
				t.Skipf("this machine has no such address: %v", err)
			}
			t.Cleanup(func() { l.Close() })
			cfg := quick(l.Addr().String())
			cfg.Version, cfg.Bind, cfg.AddressRange = test.version, test.mode, "^337"
			if test.from != "" {
				cfg.LocalAddr = netip.MustParseAddr(test.from)
			}
			link := newLink(t, cfg)
			stop := start(t, link)
			p := acceptPeer(t, l)
			asked := p.expect(test.command)
			want := test.version
			if want == 0 {
				want = smpp.Version34
			}
			if asked.Bind.InterfaceVersion != want || asked.Bind.AddressRange != "^337" {
				t.Errorf("bound with %+v", asked.Bind)
			}
			if from, _, _ := net.SplitHostPort(p.conn.RemoteAddr().String()); test.from != "" && from != test.from {
				t.Errorf("it came from %s", from)
			}
			p.send(asked.Answer(smpp.StatusOK))
			waitStatus(t, link, smpp.LinkBound)
			p.unbound(stop)
		})
	}
}

// outbound is a link that the SMSC calls, and where.
func outbound(t *testing.T, change func(*smpp.LinkConfig)) (link *smpp.Link, call func() *peer, stop func()) {
	t.Helper()
	cfg := quick("")
	cfg.Outbind = &smpp.OutbindConfig{Listen: "127.0.0.1:0", SystemID: "operator", Password: "agreed"}
	if change != nil {
		change(&cfg)
	}
	link = newLink(t, cfg)
	stop = start(t, link)
	return link, func() *peer {
		t.Helper()
		eventually(t, link.Changed, func() bool { return link.State().Listening != "" }, "the port")
		conn, err := net.Dial("tcp", link.State().Listening)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return newPeer(t, conn)
	}, stop
}

func outbind(systemID, password string) *smpp.PDU {
	return &smpp.PDU{Command: smpp.Outbind, Sequence: 1, Bind: &smpp.Bind{SystemID: systemID, Password: password}}
}

// The SMSC calls, says who it is, and is bound to; again after the connection ended.
func TestOutbind(t *testing.T) {
	stored := make(chan bridge.MO, 1)
	link, call, stop := outbound(t, func(c *smpp.LinkConfig) {
		c.Store = func(_ context.Context, m bridge.MO) error { stored <- m; return nil }
	})
	for range 2 {
		p := call()
		p.send(outbind("operator", "agreed"))
		p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
		waitStatus(t, link, smpp.LinkBound)
		p.send(deliverFrom("33612345678", 5))
		receive(t, stored, "the MO")
		p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 5)
		p.send(&smpp.PDU{Command: smpp.Unbind, Sequence: 6})
		p.expectAnswer(smpp.UnbindResp, smpp.StatusOK, 6)
		p.conn.Close()
	}
	stop()
	if st := link.State(); st.Binds != 2 || st.Status != smpp.LinkDown {
		t.Errorf("state %+v", st)
	}
	if _, err := net.Dial("tcp", link.State().Listening); err == nil {
		t.Error("the port is open still")
	}
}

// Who calls and is not the SMSC gets neither our password nor its messages in.
func TestOutbindOfAStranger(t *testing.T) {
	tests := []struct {
		name   string
		call   func(p *peer)
		reason string
	}{
		{"wrong password", func(p *peer) { p.send(outbind("operator", "guessed")) }, "wrong system_id or password"},
		{"wrong name", func(p *peer) { p.send(outbind("somebody", "agreed")) }, "wrong system_id or password"},
		{"no outbind", func(*peer) {}, "no outbind within"},
		{"gone", func(p *peer) { p.conn.Close() }, "before outbind"},
		{"a message in place of outbind", func(p *peer) {
			p.send(deliverFrom("33612345678", 5))
			p.expectAnswer(smpp.DeliverSMResp, smpp.StatusInvBndSts, 5)
			p.conn.Close()
		}, "before outbind"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log safeBuffer
			link, call, stop := outbound(t, func(c *smpp.LinkConfig) {
				c.ResponseTimeout = time.Second
				c.Logger = zerolog.New(&log)
				c.Store = func(context.Context, bridge.MO) error { t.Error("a stranger's message was stored"); return nil }
			})
			stranger := call()
			test.call(stranger)
			eventually(t, link.Changed, func() bool { return strings.Contains(link.State().LastError, test.reason) }, test.reason)
			p := call()
			p.send(outbind("operator", "agreed"))
			p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
			waitStatus(t, link, smpp.LinkBound)
			p.unbound(stop)
			if strings.Contains(log.String(), "agreed") || strings.Contains(log.String(), "guessed") {
				t.Errorf("a password is in the log:\n%s", log.String())
			}
		})
	}
}

// A bind that is taken and dropped again and again is tried rarely, and says so once.
func TestQuarantine(t *testing.T) {
	l := listen(t)
	var log safeBuffer
	cfg := quick(l.Addr().String())
	cfg.BackoffMax = 20 * time.Millisecond
	cfg.Logger = zerolog.New(&log)
	link := newLink(t, cfg)
	stop := start(t, link)
	seen := make(chan smpp.LinkState, 1)
	go func() {
		for {
			changed := link.Changed()
			if st := link.State(); st.Status == smpp.LinkQuarantined {
				seen <- st
				return
			}
			<-changed
		}
	}()
	for range 7 {
		bindPeer(t, l).conn.Close()
	}
	if st := receive(t, seen, "the quarantine"); st.RetryAt.Before(st.Since) || st.LastError == "" {
		t.Errorf("state %+v", st)
	}
	p := bindPeer(t, l)
	waitStatus(t, link, smpp.LinkBound)
	if n := strings.Count(log.String(), "quarantine"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, log.String())
	}
	p.unbound(stop)
}

// authority signs certificates of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an operator's authority"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	made := a.sign(t, a.cert, nil)
	a.key = made.PrivateKey.(*ecdsa.PrivateKey)
	a.cert = made.Leaf
	return a
}

func (a authority) sign(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if key == nil {
		key = own
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, own.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own, Leaf: leaf}
}

func (a authority) issue(t *testing.T, name string, use x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	return a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{use},
	}, a.key)
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// TLS with the operator's own authority, and a certificate that the operator wants of us.
func TestLinkOverTLSWithOwnAuthority(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	client := ours.issue(t, "bridge", x509.ExtKeyUsageClientAuth)
	for _, test := range []struct {
		name   string
		roots  *x509.CertPool
		client []tls.Certificate
		reason string // empty: it binds
	}{
		{"both sides known", ours.pool(), []tls.Certificate{client}, ""},
		{"an authority that we do not know", other.pool(), []tls.Certificate{client}, "unknown authority"},
		{"none of the system's authorities", nil, []tls.Certificate{client}, "unknown authority"},
		{"no certificate of ours", ours.pool(), nil, "certificate required"},
		{"a certificate of another authority", ours.pool(), []tls.Certificate{other.issue(t, "bridge", x509.ExtKeyUsageClientAuth)}, "certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			cfg := quick(l.Addr().String())
			cfg.TLS = &tls.Config{RootCAs: test.roots, Certificates: test.client, ServerName: "smsc.example.net", MinVersion: tls.VersionTLS12}
			link := newLink(t, cfg)
			stop := start(t, link)
			server := &tls.Config{
				Certificates: []tls.Certificate{ours.issue(t, "smsc.example.net", x509.ExtKeyUsageServerAuth)},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ours.pool(), MinVersion: tls.VersionTLS12,
			}
			raw := acceptPeer(t, l).conn.(*net.TCPConn)
			conn := tls.Server(raw, server)
			if test.reason != "" {
				if err := conn.HandshakeContext(testContext(t)); err == nil {
					t.Error("the handshake succeeded")
				}
				// Closing at once would reset the connection, for the bind is there unread, and
				// destroy the alert that says why.
				if err := raw.CloseWrite(); err != nil {
					t.Error(err)
				}
				_, _ = io.Copy(io.Discard, raw) // to whatever end
				raw.Close()
				eventually(t, link.Changed, func() bool { return strings.Contains(link.State().LastError, test.reason) }, test.reason)
				return
			}
			p := newPeer(t, conn)
			p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
			waitStatus(t, link, smpp.LinkBound)
			p.unbound(stop)
		})
	}
}

func TestNewLinkRefusesKinds(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*smpp.LinkConfig)
		says   string
	}{
		{"an unknown version", func(c *smpp.LinkConfig) { c.Version = 0x35 }, "0x35"},
		{"a transceiver in 3.3", func(c *smpp.LinkConfig) { c.Version = smpp.Version33 }, "no transceiver"},
		{"a flash TLV in 3.3", func(c *smpp.LinkConfig) {
			c.Version, c.Bind, c.Fields.Flash, c.Text.Alphabet = smpp.Version33, smpp.Transmitter, true, smpp.AlphabetLatin1
		}, "flash with the alphabet latin1"},
		{"TLVs in 3.3", func(c *smpp.LinkConfig) {
			c.Version, c.Bind, c.Text.Long = smpp.Version33, smpp.Transmitter, smpp.LongSAR
		}, "no TLVs"},
		{"outbind without password", func(c *smpp.LinkConfig) { c.Outbind = &smpp.OutbindConfig{Listen: "127.0.0.1:0"} }, "no password"},
		{"outbind without port", func(c *smpp.LinkConfig) { c.Outbind = &smpp.OutbindConfig{Listen: "127.0.0.1", Password: "x"} }, "host:port"},
		{"outbind over TLS", func(c *smpp.LinkConfig) {
			c.Outbind, c.TLS = &smpp.OutbindConfig{Listen: "127.0.0.1:0", Password: "x"}, &tls.Config{}
		}, "tunnel"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := quick("127.0.0.1:2775")
			test.change(&cfg)
			if _, err := smpp.NewLink(cfg); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDownSince: a link that is down is so since it was last bound, however often it was tried
// since, and anew after it was bound.
func TestDownSince(t *testing.T) {
	l := listen(t)
	cfg := quick(l.Addr().String())
	cfg.BackoffMax = 5 * time.Millisecond
	link := newLink(t, cfg)
	stop := start(t, link)
	p := bindPeer(t, l)
	waitStatus(t, link, smpp.LinkBound)
	bound := link.State().Since
	l.Close() // each further attempt is refused
	p.conn.Close()
	seen := make(chan []smpp.LinkState, 1)
	go func() {
		var downs []smpp.LinkState
		for len(downs) < 4 {
			changed := link.Changed()
			st := link.State()
			if st.Status == smpp.LinkDown && (len(downs) == 0 || !st.RetryAt.Equal(downs[len(downs)-1].RetryAt)) {
				downs = append(downs, st) // after another attempt
			}
			<-changed
		}
		seen <- downs
	}()
	downs := receive(t, seen, "the attempts")
	for _, st := range downs {
		if !st.Since.Equal(downs[0].Since) || !st.Since.After(bound) {
			t.Errorf("down since %v and %v, bound since %v", st.Since, downs[0].Since, bound)
		}
	}
	stop()
}
