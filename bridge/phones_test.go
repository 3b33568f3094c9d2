package bridge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// session is a connection to an SMSC over which short messages come.
type session struct {
	name     string
	bound    time.Time
	sequence uint32
}

// deliver makes a deliver_sm over the session.
func (s *session) deliver(from addressing.MSISDN, to addressing.Number, at time.Time) bridge.MO {
	s.sequence++
	return bridge.MO{
		V: 1, ID: ulid.Make().String(), Account: "acme", Link: "one", Session: s.name, BoundAt: s.bound, Sequence: s.sequence,
		Command: "deliver_sm", ReceivedAt: at,
		Source:      bridge.Address{TON: 1, NPI: 1, Addr: from.Digits()},
		Destination: bridge.Address{TON: 1, NPI: 1, Addr: to.Value()},
	}
}

// bind is a new session, bound now.
func (r *rig) bind(name string) *session { return &session{name: name, bound: r.clock.now()} }

// texts makes the segments of a text as deliver_sm, in order.
func (s *session) texts(t testing.TB, from addressing.MSISDN, to addressing.Number, at time.Time, text string, ref byte) []bridge.MO {
	t.Helper()
	segments, err := smpp.Split(text, smpp.SplitOptions{Ref: uint16(ref)})
	if err != nil {
		t.Fatal(err)
	}
	var all []bridge.MO
	for _, segment := range segments {
		m := s.deliver(from, to, at)
		m.ESMClass, m.DataCoding, m.Body = segment.ESMClass, segment.DataCoding, segment.Body
		all = append(all, m)
	}
	return all
}

// text is a short text from a phone over the session.
func (r *rig) text(s *session, from addressing.MSISDN, to addressing.Number, text string) bridge.MO {
	r.t.Helper()
	return s.texts(r.t, from, to, r.clock.now(), text, 0)[0]
}

// arrive stores messages from an SMSC.
func (r *rig) arrive(all ...bridge.MO) {
	r.t.Helper()
	for _, m := range all {
		if err := r.StoreMO(r.t.Context(), m); err != nil {
			r.t.Fatal(err)
		}
	}
}

// dispatched stores messages and waits until each is dealt with.
func (r *rig) dispatched(all ...bridge.MO) {
	r.t.Helper()
	r.arrive(all...)
	for _, m := range all {
		r.done(r.mo, m.ID)
	}
}

// fromPhone is a text that arrives and is dealt with.
func (r *rig) fromPhone(from addressing.MSISDN, to addressing.Number, text string) bridge.MO {
	r.t.Helper()
	m := r.text(r.bind(ulid.Make().String()), from, to, text)
	r.dispatched(m)
	return m
}

// receiptOf makes a delivery receipt (SMPP 3.4, Appendix B).
func (r *rig) receiptOf(id, stat string, about addressing.MSISDN) bridge.MO {
	m := r.bind(ulid.Make().String()).deliver(about, number, r.clock.now())
	m.ESMClass = 0x04
	m.Body = fmt.Appendf(nil, "id:%s sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:%s err:000 text:", id, stat)
	return m
}

// receipt is a receipt that arrives and is dealt with.
func (r *rig) receipt(id, stat string, about addressing.MSISDN) {
	r.t.Helper()
	r.dispatched(r.receiptOf(id, stat, about))
}
