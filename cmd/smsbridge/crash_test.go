package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/smpp/smsc"
)

// crowd is people who write to phones: each of them perPhone texts to each phone, one
// after the other, the conversations side by side.
type crowd struct {
	people   []*person
	phones   int
	perPhone int
}

func (c crowd) messages() int { return len(c.people) * c.phones * c.perPhone }

func phoneOf(n int) string { return fmt.Sprintf("+336200%05d", n) }

func textOf(name string, n int) string { return fmt.Sprintf("%s writes text %03d", name, n) }

// write sends all texts and fails the test where one is not accepted.
func (c crowd) write(t *testing.T) {
	t.Helper()
	var conversations sync.WaitGroup
	for _, p := range c.people {
		for phone := range c.phones {
			conversations.Go(func() {
				for n := range c.perPhone {
					m, err := p.send(t.Context(), phoneOf(phone), textOf(p.name, n), fmt.Sprintf("%d-%d", phone, n))
					if err != nil || m.Code != 202 {
						t.Errorf("%s to phone %d, text %d: %+v, %v", p.name, phone, n, m, err)
						return
					}
				}
			})
		}
	}
	conversations.Wait()
}

// check looks at the phones: no text twice, and each conversation in order. It returns
// how many texts arrived.
func (c crowd) check(t *testing.T, s *smsc.Server) (arrived int) {
	t.Helper()
	for phone := range c.phones {
		last := make(map[string]string)
		for _, text := range texts(t, s, phoneOf(phone)) {
			name, _, _ := strings.Cut(text, " ")
			if text == last[name] {
				t.Errorf("phone %d got %q twice", phone, text)
			} else if text < last[name] {
				t.Errorf("phone %d got %q after %q", phone, text, last[name])
			}
			last[name] = text
			arrived++
		}
	}
	return arrived
}

// final waits until every message of everybody is in a final state, and counts these.
func (c crowd) final(t *testing.T) map[string]int {
	t.Helper()
	states := make(map[string]int)
	for _, p := range c.people {
		for id, state := range p.awaitFinal(t, c.phones*c.perPhone) {
			states[state]++
			if m, err := p.status(t.Context(), id); err != nil || string(m.Status) != state {
				t.Errorf("%s: the event says %s, the API says %+v, %v", id, state, m, err)
			}
		}
	}
	return states
}

func (c crowd) at(p *process) {
	for _, who := range c.people {
		who.base = p.web
	}
}

// TestKillLosesNothing: the daemon is killed with 1000 messages queued and the SMSC
// down. After a start every text arrives once, in order, and every sender is told.
func TestKillLosesNothing(t *testing.T) {
	all, hashes := people("ann", "bob", "carl", "dora")
	c := crowd{people: all, phones: 25, perPhone: 10}
	smscAddr := peers.FreeAddress(t)
	config := testConfig(t.TempDir(), smscAddr, hashes, "")

	first := startDaemon(t, config)
	c.at(first)
	c.write(t)
	first.kill()

	s := startSMSC(t, smsc.Config{Addr: smscAddr, ReceiptDelay: 20 * time.Millisecond})
	second := startDaemon(t, config)
	c.at(second)
	if states := c.final(t); states["delivered"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered", states, c.messages())
	}
	if arrived := c.check(t, s); arrived != c.messages() {
		t.Errorf("%d texts arrived; want %d", arrived, c.messages())
	}
}

// TestKillWhileSending: the daemon is killed again and again while texts leave. Each
// text arrives once, or its sender is told that nobody knows.
func TestKillWhileSending(t *testing.T) {
	all, hashes := people("ann", "bob")
	c := crowd{people: all, phones: 20, perPhone: 10}
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := testConfig(t.TempDir(), s.Addr(), hashes, "")

	const kills = 4
	for kill := range kills {
		p := startDaemon(t, config)
		c.at(p)
		if kill == 0 {
			c.write(t)
		}
		// Kill it after the next of a few texts of one person ended, that is in the
		// middle of the others.
		all[0].awaitFinal(t, (kill+1)*c.messages()/2/(kills+1))
		p.kill()
	}
	c.at(startDaemon(t, config))
	states := c.final(t)
	arrived := c.check(t, s)
	if states["delivered"]+states["unknown"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered or unknown", states, c.messages())
	}
	if arrived < states["delivered"] || arrived > states["delivered"]+states["unknown"] {
		t.Errorf("%d texts arrived; the senders were told %v", arrived, states)
	}
	t.Logf("after %d kills: %v, %d arrived", kills, states, arrived)
}
