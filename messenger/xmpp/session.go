package xmpp

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"mellium.im/xmlstream"
	melliumxmpp "mellium.im/xmpp"
)

// errLost: the connection ended before it was known whether the server has what was
// written.
var errLost = errors.New("xmpp: the connection was lost")

// errSilent: a ping was not answered in time.
var errSilent = errors.New("xmpp: the ping was not answered")

// session is one connection. Its methods may be called concurrently.
type session struct {
	c    *Component
	x    *melliumxmpp.Session
	conn net.Conn
	done chan struct{} // closed when the stream has ended
	wg   sync.WaitGroup

	mu       sync.Mutex
	lastPing int
	pings    map[string]pending           // by id
	bounces  map[string]chan *bounceError // by the id of a text that is being delivered
	rounds   map[string]*round            // by domain: those that wait for the next ping
	asking   map[string]bool              // by domain: a goroutine pings it
	silent   map[string]bool              // domains that are known to answer no ping
}

// pending is a ping that waits for its answer. The answer counts only if it comes
// from the address that was asked.
type pending struct {
	to     string
	answer chan string
}

func newSession(c *Component, x *melliumxmpp.Session, conn net.Conn) *session {
	return &session{
		c: c, x: x, conn: conn, done: make(chan struct{}),
		pings: make(map[string]pending), bounces: make(map[string]chan *bounceError),
		rounds: make(map[string]*round), asking: make(map[string]bool), silent: make(map[string]bool),
	}
}

// serve reads until the stream ends: because ctx ended, because the server is
// silent, or by itself. It returns why.
func (s *session) serve(ctx context.Context) error {
	var silent error
	s.wg.Go(func() { silent = s.keepAlive(ctx) })
	err := s.x.Serve(melliumxmpp.HandlerFunc(s.handle))
	close(s.done)
	_ = s.conn.Close()
	s.wg.Wait()
	if silent != nil {
		return silent
	}
	return err
}

// keepAlive pings the server, and closes the connection when it does not answer. At
// the end of ctx it closes our side of the stream and gives the server a moment for
// its own, so that nothing that is under way is lost.
func (s *session) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(s.c.cfg.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := s.ping(ctx, s.c.domain.String()); isSilent(err) {
				_ = s.conn.Close()
				return err
			}
		case <-s.done:
			return nil
		case <-ctx.Done():
			_ = s.x.Close()
			late := time.AfterFunc(closeTimeout, func() { _ = s.conn.Close() })
			<-s.done
			late.Stop()
			return nil
		}
	}
}

// handle takes one stanza from the stream. It never returns an error, which would end
// the stream: one that cannot be read is dropped, and an error of the stream itself
// meets the library at its next read.
func (s *session) handle(t xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if !isStanza(start.Name) {
		return nil
	}
	var r received
	// The reader gives what follows the start; the decoder needs both.
	whole := xmlstream.MultiReader(xmlstream.Token(*start), t)
	if err := xml.NewTokenDecoder(whole).Decode(&r); err != nil {
		s.c.stats.dropped.Add(1)
		s.c.log.Debug().Err(err).Str("stanza", start.Name.Local).Msg("stanza cannot be read")
		return nil
	}
	if r.From == "" {
		// The library blanks what comes from ourselves.
		r.From = s.c.domain.String()
	}
	s.receive(&r)
	return nil
}

// send writes one stanza. It blocks while the server reads slowly, for writeTimeout
// at most; an error is errLost.
func (s *session) send(v any) error {
	// No ctx: half a stanza would end the stream for everybody.
	if err := s.x.Encode(context.Background(), v); err != nil {
		_ = s.conn.Close()
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}

func isSilent(err error) bool { return errors.Is(err, errSilent) }

// over tells whether the stream has ended.
func (s *session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
