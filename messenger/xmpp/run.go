package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"mellium.im/xmpp/component"
	"mellium.im/xmpp/stream"
)

// Bounds of one connection.
const (
	dialTimeout = 20 * time.Second // to connect and be let in
	// writeTimeout ends a connection whose server reads no more.
	writeTimeout = 20 * time.Second
	// closeTimeout is how long the server has to answer the end of our stream.
	closeTimeout = 5 * time.Second
	firstRetry   = time.Second
	lastRetry    = time.Minute
	// settled is how long a connection has to last for the next one to be tried soon.
	settled = time.Minute
)

// Run keeps the component connected until ctx ends, and then closes the stream: what
// the server sends until it has closed its side is still taken. It returns nil within
// closeTimeout and the time that the hub needs for what it has. One Run at a time.
func (c *Component) Run(ctx context.Context) error {
	defer c.lanes.wait()
	var last string
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := c.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > settled {
			attempt, last = 0, ""
		}
		// The same trouble is said once; the health check shows it as long as it lasts.
		if why := c.explain(err); why != last {
			c.log.Error().Err(err).Str("server", c.cfg.Server).Msg(why)
			last = why
		}
		pause := time.NewTimer(retryAfter(attempt, rand.Float64()))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}

// retryAfter is the pause before the next try: 1 s, 2 s, 4 s and so on to a minute,
// each shortened by up to a quarter so that components which lost one server do not
// come back in step. luck is in [0, 1).
func retryAfter(attempt int, luck float64) time.Duration {
	pause := lastRetry
	if attempt < 6 {
		pause = firstRetry << attempt
	}
	return max(firstRetry, pause-time.Duration(luck*float64(pause)/4))
}

// connection dials, is let in, and serves until the connection ends.
func (c *Component) connection(ctx context.Context) error {
	s, err := c.dial(ctx)
	if err != nil {
		c.setCurrent(nil, c.explain(err))
		return err
	}
	c.stats.connects.Add(1)
	c.log.Info().Str("server", c.cfg.Server).Str("domain", c.domain.String()).Msg("connected to the XMPP server")
	c.setCurrent(s, "")
	err = s.serve(ctx)
	c.setCurrent(nil, c.explain(err))
	return err
}

// dial connects and is let in by the server (XEP-0114, 3).
func (c *Component) dial(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", c.cfg.Server)
	if err != nil {
		return nil, err
	}
	conn := net.Conn(raw)
	if c.cfg.TLS != nil {
		conn = tls.Client(raw, c.cfg.TLS)
	}
	conn = boundedWrites{conn}
	// A deadline alone does not end the negotiation: the session resets it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	x, err := component.NewSession(ctx, c.domain, []byte(c.cfg.Secret), conn)
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newSession(c, x, conn), nil
}

// explain says what ended a connection, and what to do.
func (c *Component) explain(err error) string {
	var said stream.Error
	if !errors.As(err, &said) {
		if err == nil {
			return fmt.Sprintf("the XMPP server %s closed the connection; trying again", c.cfg.Server)
		}
		if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
			return fmt.Sprintf("the certificate of the XMPP server %s is not trusted; trying again (%v): set tls.ca_file to the authority that vouches for it, and tls.server_name to the name in it", c.cfg.Server, err)
		}
		return fmt.Sprintf("no connection to the XMPP server %s; trying again (%v): check that it runs and that this is its component port", c.cfg.Server, err)
	}
	switch said.Err {
	case stream.NotAuthorized.Err:
		return fmt.Sprintf("the XMPP server refuses the secret of the component %s, or does not know it: set secret to what the server has for it (component_secret in Prosody, password in ejabberd)", c.domain)
	case stream.Conflict.Err:
		return fmt.Sprintf("the XMPP server has a connection of the component %s already: stop the other program that uses this domain, or give this one a domain of its own", c.domain)
	case stream.HostUnknown.Err, stream.HostGone.Err:
		return fmt.Sprintf("the XMPP server does not know the component %s: add it to the server's configuration, with its secret", c.domain)
	default:
		return fmt.Sprintf("the XMPP server ended the connection of the component %s; trying again (%s)", c.domain, said.Err)
	}
}

// boundedWrites fails a write that the other side does not take in time.
type boundedWrites struct{ net.Conn }

func (b boundedWrites) Write(p []byte) (int, error) {
	if err := b.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return b.Conn.Write(p)
}
