package smpp

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// OutbindConfig lets the SMSC make the connection (SMPP 3.4, 2.2.1 and 4.1.7): it
// connects to Listen and says who it is by outbind, and the link binds over that
// connection. Others wait meanwhile. It is plain TCP: put it behind a tunnel or a firewall.
type OutbindConfig struct {
	// Listen is "host:port". Port 0 picks a free one; see [LinkState.Listening].
	Listen string
	// SystemID and Password are what the SMSC must say; an empty SystemID takes any.
	// Without a password whoever can connect would be given ours.
	SystemID, Password string
}

// errStranger: who called did not say what it must.
var errStranger = errors.New("smpp: the outbind has the wrong system_id or password")

// open gives a new connection: one that the link dials, or the next on which the SMSC calls.
func (l *Link) open(ctx context.Context) (net.Conn, error) {
	if l.cfg.Outbind != nil {
		return l.accept(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	dialer := &net.Dialer{}
	if l.cfg.LocalAddr.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: l.cfg.LocalAddr.AsSlice(), Zone: l.cfg.LocalAddr.Zone()}
	}
	var conn net.Conn
	var err error
	if l.cfg.TLS != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: l.cfg.TLS}).DialContext(ctx, "tcp", l.cfg.Addr)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", l.cfg.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("smpp: cannot connect to %s: %w", l.cfg.Addr, err)
	}
	return conn, nil
}

// accept waits for the SMSC to connect. Only Run calls it.
func (l *Link) accept(ctx context.Context) (net.Conn, error) {
	if l.listener == nil {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.cfg.Outbind.Listen)
		if err != nil {
			return nil, fmt.Errorf("smpp: cannot listen for outbind on %s; choose another address or stop what has it: %w", l.cfg.Outbind.Listen, err)
		}
		l.listener = listener
		l.update(func() { l.listening = listener.Addr().String() })
	}
	// Closing is what ends Accept.
	stop := context.AfterFunc(ctx, l.hangUp)
	defer stop()
	conn, err := l.listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("smpp: cannot take the SMSC's connection: %w", err)
	}
	return conn, nil
}

// hangUp closes the port on which the SMSC calls, if there is one.
func (l *Link) hangUp() {
	if l.listener != nil {
		_ = l.listener.Close() // fails only where it is closed already
	}
}

// recognise waits for the outbind of who called, and checks it. Before that nothing
// else that comes is taken.
func (l *Link) recognise(ctx context.Context, s *Session, in *incoming) error {
	if l.cfg.Outbind == nil {
		return nil
	}
	timeout := time.NewTimer(l.cfg.ResponseTimeout)
	defer timeout.Stop()
	var b *Bind
	select {
	case b = <-in.outbind:
	case <-s.Done():
		return errors.New("smpp: the caller closed the connection before outbind")
	case <-timeout.C:
		return fmt.Errorf("smpp: the caller sent no outbind within %s", l.cfg.ResponseTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	want := l.cfg.Outbind
	right := subtle.ConstantTimeCompare([]byte(b.Password), []byte(want.Password)) == 1
	if !right || want.SystemID != "" && b.SystemID != want.SystemID {
		return errStranger
	}
	in.trusted.Store(true)
	return nil
}
