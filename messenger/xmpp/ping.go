package xmpp

import (
	"context"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"
)

type pingElement struct {
	XMLName xml.Name `xml:"urn:xmpp:ping ping"`
}

// ping asks address whether it is there and returns the type of its answer: result,
// or error, which is an answer too (XEP-0199, 4.2 to 4.4). The error is errSilent
// after [Config.PingInterval], errLost when the connection ends, or that of ctx.
func (s *session) ping(ctx context.Context, address string) (string, error) {
	answer := make(chan string, 1)
	s.mu.Lock()
	s.lastPing++
	id := "ping-" + strconv.Itoa(s.lastPing)
	s.pings[id] = pending{to: address, answer: answer}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pings, id)
		s.mu.Unlock()
	}()

	h := head{From: s.c.domain.String(), To: address, ID: id, Type: "get"}
	if err := s.send(iq{head: h, Payload: pingElement{}}); err != nil {
		return "", err
	}
	late := time.NewTimer(s.c.cfg.PingInterval)
	defer late.Stop()
	select {
	case typ := <-answer:
		return typ, nil
	case <-late.C:
		return "", fmt.Errorf("%w within %s", errSilent, s.c.cfg.PingInterval)
	case <-s.done:
		return "", errLost
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// answered takes an iq of type result or error: the answer to a ping, or nothing of
// ours. The id alone does not make it an answer; anybody could guess it.
func (s *session) answered(r *received) {
	s.mu.Lock()
	p, ours := s.pings[r.ID]
	ours = ours && p.to == r.From
	if ours {
		delete(s.pings, r.ID)
	}
	s.mu.Unlock()
	if ours {
		p.answer <- r.Type
	}
}

// round is one ping and those who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// settle returns once a ping to domain that was sent after the call was answered.
// Stanzas between two addresses keep their order (RFC 6120, 10.1), and so the server
// of domain then has what the caller wrote before. One ping at a time goes to a
// domain; it serves all who came while the one before was under way.
func (s *session) settle(ctx context.Context, domain string) error {
	s.mu.Lock()
	r := s.rounds[domain]
	if r == nil {
		r = &round{done: make(chan struct{})}
		s.rounds[domain] = r
	}
	if !s.asking[domain] {
		s.asking[domain] = true
		go s.ask(domain)
	}
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask pings domain until nobody waits for it any more.
func (s *session) ask(domain string) {
	for {
		s.mu.Lock()
		r := s.rounds[domain]
		delete(s.rounds, domain)
		if r == nil {
			delete(s.asking, domain)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		r.err = s.prove(domain)
		close(r.done)
	}
}

// prove pings domain. A domain that does not answer may be far away and down; then it
// is enough that our own server has everything, which a ping to ourselves through it
// shows: writing it all again would only show it twice.
func (s *session) prove(domain string) error {
	ctx := context.Background() // those who wait have contexts of their own
	if _, err := s.ping(ctx, domain); err == nil || !isSilent(err) {
		return err
	}
	s.mu.Lock()
	known := s.silent[domain]
	s.silent[domain] = true
	s.mu.Unlock()
	if !known {
		s.c.log.Warn().Str("domain", domain).Msg("this domain answers no ping; texts to it count as delivered once our own server has them")
	}
	_, err := s.ping(ctx, s.c.domain.String())
	if isSilent(err) {
		_ = s.conn.Close()
		return errLost
	}
	return err
}
