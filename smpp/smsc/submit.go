package smsc

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// earlyWait bounds how long the answer to submit_sm waits for the client to take the
// receipt that goes before it.
const earlyWait = 5 * time.Second

// submit plays one submit_sm or data_sm; nil where nobody is to answer.
func (s *Server) submit(ctx context.Context, account string, session *smpp.Session, w *wire, p *smpp.PDU) *smpp.PDU {
	now := time.Now()
	phone, ok := phoneOf(p.Short.Destination)
	if !ok {
		return p.Answer(smpp.StatusInvDstAdr)
	}
	play := s.magic.of(phone.Digits())
	s.faults.submit(w, &play)
	refuse := func(status smpp.Status) *smpp.PDU {
		s.sawSubmit(w, phone, p, Exchange{Answered: true, Status: status})
		return p.Answer(status)
	}
	switch {
	case play.silent:
		s.sawSubmit(w, phone, p, Exchange{})
		return nil
	case play.nack:
		s.sawSubmit(w, phone, p, Exchange{Answered: true, Status: smpp.StatusInvCmdID})
		return nack(ctx, session, p, play.nameless)
	case play.refuse != smpp.StatusOK:
		return refuse(play.refuse)
	case play.busy != smpp.StatusOK && s.magic.busy(phone.Digits(), now):
		return refuse(play.busy)
	}
	s.binds.own(digitsOf(p.Short.Source.Addr), account)
	answer := p.Answer(smpp.StatusOK)
	id := s.nextID.Add(1)
	answer.MessageID = decimal(id)
	receipts := s.receiptsFor(account, id, phone, p.Short, play, now)
	if play.elsewhere {
		for _, r := range receipts {
			r.not = session
		}
	}
	var taken chan struct{}
	if play.early && len(receipts) > 0 {
		taken = make(chan struct{})
		receipts[0].done = func(bool) { close(taken) }
	}
	if s.outbox.claim(len(receipts)) != nil {
		return refuse(smpp.StatusMsgQFul)
	}
	s.sawSubmit(w, phone, p, Exchange{Taken: true, MessageID: answer.MessageID, Answered: !play.mute})
	if play.lost == "" {
		s.phones.receive(phone, shownAddress(p.Short.Source), shortMO(p.Short), now)
	}
	s.outbox.add(receiptLane(phone), receipts...)
	s.touch()
	return s.hold(ctx, play, taken, answer)
}

// nack refuses p as if it had not been understood (SMPP 3.4, 4.3). Where it cannot even
// say what it refuses, its sequence_number is null.
func nack(ctx context.Context, session *smpp.Session, p *smpp.PDU, nameless bool) *smpp.PDU {
	answer := &smpp.PDU{Command: smpp.GenericNack, Status: smpp.StatusInvCmdID, Sequence: p.Sequence}
	if !nameless {
		return answer
	}
	answer.Sequence = 0
	if err := session.Write(ctx, answer); err != nil {
		return nil // the connection is gone
	}
	return nil
}

// hold gives the answer when the fault says so.
func (s *Server) hold(ctx context.Context, play play, taken <-chan struct{}, answer *smpp.PDU) *smpp.PDU {
	wait := time.Duration(0)
	switch {
	case play.mute:
		return nil
	case play.late:
		wait = s.cfg.LateAfter
	case taken != nil:
		wait = earlyWait
	}
	if sleep(ctx, wait, taken) != nil {
		return nil // the connection is gone
	}
	return answer
}

// receiptsFor makes the receipts that a submit asks for.
func (s *Server) receiptsFor(account string, id uint64, phone addressing.MSISDN, short *smpp.Short, play play, now time.Time) []*item {
	r := receipt{
		Account: account, ID: id, Hex: play.hex, Phone: phone, Sender: short.Source, Stat: statDelivered,
		Text: quote(readAll([]bridge.MO{shortMO(short)})), Submitted: now, Due: now.Add(s.cfg.ReceiptDelay),
	}
	if play.lost != "" {
		r.Stat = play.lost
	}
	switch {
	case play.early:
		r.Due = now
	case play.late:
		r.Due = r.Due.Add(s.cfg.LateAfter)
	}
	if !wantsReceipt(short.RegisteredDelivery, r.Stat) {
		return nil
	}
	var items []*item
	if play.stranger {
		other := r
		other.ID ^= 1 << 63 // nobody was ever given it
		items = append(items, other.item())
	}
	for range play.receipts {
		items = append(items, r.item())
	}
	return items
}

// shortMO is what a phone reads of a submit.
func shortMO(short *smpp.Short) bridge.MO {
	return bridge.MO{ESMClass: short.ESMClass, DataCoding: short.DataCoding, Body: short.Body, TLVs: short.TLVs}
}

// decimal is how the answer to submit_sm says an id.
func decimal(id uint64) string { return strconv.FormatUint(id, 10) }

func digitsOf(addr string) string { return strings.TrimPrefix(addr, "+") }

// leastDigits is how short the number of a phone may be here: a simulator takes
// numbers that no plan has.
const leastDigits = 3

// phoneOf reads a destination: digits, with or without a plus.
func phoneOf(a bridge.Address) (addressing.MSISDN, bool) {
	var m addressing.MSISDN
	digits := digitsOf(a.Addr)
	err := m.UnmarshalText([]byte("+" + digits))
	return m, err == nil && len(digits) >= leastDigits
}

// shownAddress is how a phone shows who wrote, and what it can answer to.
func shownAddress(a bridge.Address) string {
	const international = 1
	if a.TON == international && a.Addr != "" && strings.Trim(a.Addr, "0123456789") == "" {
		return "+" + a.Addr
	}
	return a.Addr
}

// shortCodeLen is the longest that a phone takes for a short code.
const shortCodeLen = 8

// answerAddress reads what a phone writes to: an international number, or a short code.
func answerAddress(to string) (bridge.Address, error) {
	to, _, _ = strings.Cut(strings.TrimSpace(to), ";") // 36180;phone-context=+33
	digits := digitsOf(to)
	const most = 15
	switch {
	case digits == "" || strings.Trim(digits, "0123456789") != "":
		return bridge.Address{}, fmt.Errorf("nobody can answer to %q: write to a number like +33700000001 or a short code like 36180", to)
	case len(digits) < leastDigits || len(digits) > most:
		return bridge.Address{}, fmt.Errorf("%q has %d digits; a number has %d to %d", to, len(digits), leastDigits, most)
	case to == digits && len(digits) <= shortCodeLen:
		return bridge.Address{TON: 3, NPI: 0, Addr: digits}, nil
	default:
		return bridge.Address{TON: 1, NPI: 1, Addr: digits}, nil
	}
}
