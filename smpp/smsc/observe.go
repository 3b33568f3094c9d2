package smsc

import (
	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// Exchange is one request between a client and the Server, as the Server saw it.
type Exchange struct {
	// Command is [smpp.SubmitSM] or [smpp.DataSM] from a client, or [smpp.DeliverSM] to one.
	Command smpp.Command
	// Remote is the client's address; empty for DeliverSM.
	Remote string
	Phone  addressing.MSISDN
	Number string // the client's, as the phone shows it
	Text   string // of this one segment, or of the receipt
	Concat bridge.Concat
	// MessageID is what a submit that was taken was given, in decimal, and in a receipt that of
	// the message that it is about.
	MessageID string
	// Stat is what a receipt says (SMPP 3.4, Appendix B); empty where it is none.
	Stat string
	// Taken says of a submit that the SMSC will deliver it, or has lost it as Stat of its
	// receipt says, whether or not it is answered.
	Taken bool
	// Answered says whether there is an answer, and Status which. A DeliverSM is told twice:
	// not answered yet, just before it is sent, and again with its answer.
	Answered bool
	Status   smpp.Status
}

// sawSubmit tells of a submit before its answer is written and before its receipts are on
// their way. The caller says in how what became of it.
func (s *Server) sawSubmit(w *wire, phone addressing.MSISDN, p *smpp.PDU, how Exchange) {
	if s.cfg.Observe == nil {
		return
	}
	m := shortMO(p.Short)
	how.Command, how.Remote, how.Phone, how.Number = p.Command, w.RemoteAddr().String(), phone, shownAddress(p.Short.Source)
	how.Text, how.Concat = readAll([]bridge.MO{m}), smpp.ReadConcat(m)
	s.cfg.Observe(how)
}

// sawDelivery tells of a deliver_sm: that it is about to be sent, or of its answer.
func (o *outbox) sawDelivery(it *item, answer *smpp.PDU) {
	if o.observe == nil {
		return
	}
	m := shortMO(&it.short)
	x := Exchange{Command: smpp.DeliverSM, Number: shownAddress(it.short.Destination), Text: readAll([]bridge.MO{m}), Concat: smpp.ReadConcat(m)}
	x.Phone, _ = phoneOf(it.short.Source)
	if it.receipt != nil {
		x.Stat, x.MessageID = it.receipt.Stat, decimal(it.receipt.ID)
	}
	if answer != nil {
		x.Answered, x.Status = true, answer.Status
	}
	o.observe(x)
}
