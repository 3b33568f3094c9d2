//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"

	"smsbridge/addressing"
	"smsbridge/internal/chaos/history"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// phones are the SMSC's side: they write down all that it saw, and some of them answer.
type phones struct {
	*run
	server *smsc.Server

	mu       sync.Mutex
	answered map[history.Text]bool
	next     map[talk]int     // how many texts a phone has written to a user
	taken    map[segment]bool // what the bridge has answered with ESME_ROK
}

// segment is one short message of a text.
type segment struct {
	text history.Text
	part int
}

// talk is a phone and the user that it writes to.
type talk struct{ phone, user string }

func newPhones(r *run) *phones {
	return &phones{run: r, answered: make(map[history.Text]bool), next: make(map[talk]int), taken: make(map[segment]bool)}
}

// saw writes down what passed at the SMSC.
func (p *phones) saw(x smsc.Exchange) {
	part, parts := max(x.Concat.Part, 1), max(x.Concat.Total, 1)
	t, named := history.ParseText(x.Text)
	switch {
	case x.Stat != "":
		if !x.Answered {
			p.record.Add(history.Event{Kind: history.Receipt, SMSCID: x.MessageID, Stat: x.Stat})
		}
	case !named:
		p.fail(fmt.Errorf("the SMSC saw a text that nobody wrote: %q", x.Text))
	case x.Command == smpp.DeliverSM:
		if x.Answered && x.Status == smpp.StatusOK {
			p.takes(t, part, parts)
		}
	default:
		e := history.Event{
			Kind: history.Submit, Text: t, Number: x.Number, Part: part, Parts: parts, Taken: x.Taken,
			SMSCID: x.MessageID, Remote: x.Remote,
		}
		if x.Answered {
			e.Answer = x.Status.String()
		}
		p.record.Add(e)
		if x.Taken && part == parts {
			p.answer(t, x)
		}
	}
}

// takes notes that the bridge answered a segment, and so maybe all of a text.
func (p *phones) takes(t history.Text, part, parts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[segment{t, part}] {
		return
	}
	p.taken[segment{t, part}] = true
	for n := 1; n <= parts; n++ {
		if !p.taken[segment{t, n}] {
			return
		}
	}
	p.record.Add(history.Event{Kind: history.Taken, Text: t})
}

// answerOf is how many of so many texts a phone answers.
const answerOf = 2

// answer lets the phone write back, if it does: to whom wrote, once for a text.
func (p *phones) answer(t history.Text, x smsc.Exchange) {
	choice := p.cfg.rand("answers ", t)
	if choice.IntN(answerOf) != 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock() // so that the phone writes in the order of its numbers
	if p.answered[t] {
		return
	}
	p.answered[t] = true
	k := talk{phone: t.Phone, user: t.User}
	reply := history.Text{MO: true, User: t.User, Phone: t.Phone, Seq: p.next[k]}
	text := reply.String()
	if choice.IntN(8) == 0 {
		text = strings.Repeat(text+" ", 150/len(text)+5) // two segments
	}
	p.record.Add(history.Event{Kind: history.Wrote, Text: reply, Number: x.Number})
	if _, err := p.server.Send(addressing.MustParseMSISDN("+"+t.Phone), x.Number, text); err != nil {
		p.fail(fmt.Errorf("a phone cannot write: %w", err))
	}
	p.next[k]++
}
