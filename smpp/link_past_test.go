package smpp_test

import (
	"context"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// Whether a connection fell is known of those that are gone, by how they ended, and asked
// of one that seems to be up.
func TestFell(t *testing.T) {
	tests := []struct {
		name string
		ends func(p *peer) // what the SMSC does with the connection
		gone bool          // it is over then
		want bool
	}{
		{"the SMSC closes it", func(p *peer) { p.conn.Close() }, true, true},
		{"the stream is broken", func(p *peer) { p.write([]byte("\x00\x00\x00\x01garbage")) }, true, true},
		{"the SMSC unbinds", func(p *peer) {
			p.send(&smpp.PDU{Command: smpp.Unbind, Sequence: 1})
			p.expect(smpp.UnbindResp)
			p.conn.Close()
		}, true, false},
		{"it is up", func(p *peer) {
			go func() {
				if asked, err := p.read(); err == nil && asked.Command == smpp.EnquireLink {
					p.send(asked.Answer(smpp.StatusOK))
				}
			}()
		}, false, false},
		{"it seems to be up, and does not answer", func(*peer) {}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			stored := make(chan bridge.MO, 1)
			cfg := quick(l.Addr().String())
			cfg.DrainTimeout, cfg.EnquireInterval = time.Millisecond, time.Minute
			if !tt.gone && tt.want {
				cfg.ResponseTimeout = 300 * time.Millisecond
			}
			cfg.Store = func(_ context.Context, m bridge.MO) error { stored <- m; return nil }
			link := newLink(t, cfg)
			ls := newLinks(t, link)
			start(t, ls)
			p := bindPeer(t, l)
			p.send(deliverFrom("33612345678", 9))
			session := receive(t, stored, "the MO").Session
			p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 9)
			tt.ends(p)
			if tt.gone {
				bindPeer(t, l) // the next connection: the one before is over
			}
			if got := ls.Fell(testContext(t), session); got != tt.want {
				t.Errorf("got %v", got)
			}
			if ls.Fell(testContext(t), "01J0000000000000000000000") {
				t.Error("a connection that nobody knows fell")
			}
		})
	}
}

// Who stops asking is not told that a connection fell.
func TestFellNoTimeToAsk(t *testing.T) {
	l := listen(t)
	stored := make(chan bridge.MO, 1)
	cfg := quick(l.Addr().String())
	cfg.DrainTimeout = time.Millisecond
	cfg.Store = func(_ context.Context, m bridge.MO) error { stored <- m; return nil }
	ls := newLinks(t, newLink(t, cfg))
	start(t, ls)
	p := bindPeer(t, l)
	p.send(deliverFrom("33612345678", 9))
	session := receive(t, stored, "the MO").Session
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ls.Fell(ctx, session) {
		t.Error("it fell")
	}
}

// A link forgets the oldest of its connections.
func TestFellIsForgotten(t *testing.T) {
	l := listen(t)
	stored := make(chan bridge.MO, 1)
	cfg := quick(l.Addr().String())
	cfg.DrainTimeout = time.Millisecond
	cfg.Store = func(_ context.Context, m bridge.MO) error { stored <- m; return nil }
	ls := newLinks(t, newLink(t, cfg))
	start(t, ls)
	var sessions []string
	for range 18 { // it remembers 16
		p := bindPeer(t, l)
		p.send(deliverFrom("33612345678", 9)) // so that it is of use, and not put in quarantine
		sessions = append(sessions, receive(t, stored, "the MO").Session)
		p.conn.Close()
	}
	bindPeer(t, l)
	if ls.Fell(testContext(t), sessions[0]) || ls.Fell(testContext(t), sessions[1]) || !ls.Fell(testContext(t), sessions[17]) {
		t.Error("it does not forget the oldest, or forgets the newest")
	}
}
