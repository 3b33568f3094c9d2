package smsc

import "smsbridge/smpp"

// What Params.Count counts.
const (
	onConnections = "connections"
	onBinds       = "binds"
	onSubmits     = "submits"
	onPDUs        = "PDUs"
)

// wrongName is the one fault that needs TLS.
const wrongName = "tls-wrong-name"

// afterSome is when a connection breaks by default: it is bound by then, and busy.
const afterSome = 4

// plans is the table of all faults. doc.go has it for people.
var plans = []plan{
	{name: "black-hole", counts: onConnections, text: "Connections are taken and nothing is ever answered.", accept: (*wire).vanish},
	{name: wrongName, counts: onConnections, text: "The certificate is for another name.", accept: func(w *wire) { w.misnamed = true }},

	{name: "bind-silent", counts: onBinds, text: "A bind gets no answer.", bind: func(p *bindPlay) { p.silent = true }},
	{name: "bind-refused", counts: onBinds, text: "A bind is refused (ESME_RBINDFAIL).", bind: refuseBind(smpp.StatusBindFail)},
	{name: "already-bound", counts: onBinds, text: "A bind is refused as one too many (ESME_RALYBND).", bind: refuseBind(smpp.StatusAlyBnd)},
	{name: "wrong-password", counts: onBinds, text: "A bind is refused for its password (ESME_RINVPASWD).", bind: refuseBind(smpp.StatusInvPaswd)},
	{name: "deliver-before-bind", counts: onBinds, text: "A deliver_sm that waits goes before the answer to the bind.", bind: func(p *bindPlay) { p.deliverFirst = true }},

	{name: "throttled", counts: onSubmits, text: "Submits are throttled (ESME_RTHROTTLED).", submit: refuse(smpp.StatusThrottled)},
	{name: "queue-full", counts: onSubmits, text: "The queue for submits is full (ESME_RMSGQFUL).", submit: refuse(smpp.StatusMsgQFul)},
	{name: "system-error", counts: onSubmits, text: "Submits fail (ESME_RSYSERR).", submit: refuse(smpp.StatusSysErr)},
	{name: "not-bound", counts: onSubmits, text: "Submits are refused as if the client had not bound (ESME_RINVBNDSTS).", submit: refuse(smpp.StatusInvBndSts)},
	{name: "no-answer", counts: onSubmits, text: "A submit gets no answer, and the phone nothing.", submit: func(p *play) { p.silent = true }},
	{name: "answer-lost", counts: onSubmits, text: "A submit gets no answer, though the phone gets the text.", submit: func(p *play) { p.mute = true }},
	{name: "late-answer", counts: onSubmits, text: "A submit is answered only after the usual timeout.", submit: func(p *play) { p.late = true }},
	{name: "nack", counts: onSubmits, text: "A submit is refused by generic_nack.", submit: func(p *play) { p.nack = true }},
	{name: "nack-nameless", counts: onSubmits, text: "A submit is refused by generic_nack without its sequence_number.", submit: func(p *play) { p.nack, p.nameless = true, true }},
	{name: "out-of-order", counts: onPDUs, text: "Answers to submits come in the reverse order.", of: smpp.SubmitSMResp, out: reverse},

	{name: "receipt-early", counts: onSubmits, text: "The receipt comes before the answer to its submit.", submit: func(p *play) { p.early = true }},
	{name: "receipt-lost", counts: onSubmits, text: "No receipt comes, though the phone gets the text.", submit: func(p *play) { p.receipts = 0 }},
	{name: "receipt-twice", counts: onSubmits, text: "The receipt comes twice.", submit: func(p *play) { p.receipts++ }},
	{name: "receipt-elsewhere", counts: onSubmits, text: "The receipt comes over another bind of the account.", submit: func(p *play) { p.elsewhere = true }},
	{name: "receipt-stranger", counts: onSubmits, text: "A receipt with an unknown id comes before the right one.", submit: func(p *play) { p.stranger = true }},
	{name: "receipt-base", counts: onSubmits, text: "The receipt has the id in hexadecimal, the answer had it in decimal.", submit: func(p *play) { p.hex = true }},

	{name: "deliver-twice", counts: onPDUs, text: "A deliver_sm comes twice, with the same sequence_number.", of: smpp.DeliverSM, out: twice},
	{name: "deliver-same-sequence", counts: onPDUs, text: "A deliver_sm has the sequence_number of the client's last submit.", of: smpp.DeliverSM, out: borrowSequence},
	{name: "unknown-command", counts: onPDUs, text: "A request and a response of an unknown command_id come before each PDU.", out: unknownCommand},

	{name: "length-short", counts: onConnections, after: afterSome, once: true, text: "The command_length of a PDU is below that of its header.", out: wrongLength(func(int) uint32 { return headerLen - 4 })},
	{name: "length-long", counts: onConnections, after: afterSome, once: true, text: "The command_length of a PDU reaches into the next one.", out: wrongLength(func(n int) uint32 { return uint32(n + headerLen/2) })},
	{name: "length-huge", counts: onConnections, after: afterSome, once: true, text: "The command_length of a PDU is 2 GB.", out: wrongLength(func(int) uint32 { return 1<<31 - 1 })},
	{name: "cut-off", counts: onConnections, after: afterSome, text: "The connection ends in the middle of a PDU.", out: cutOff},

	{name: "unbind", counts: onConnections, after: afterSome, once: true, text: "The SMSC unbinds the client.", in: unbind},
	{name: "unbind-abrupt", counts: onConnections, after: afterSome, text: "The SMSC unbinds the client and closes without waiting for the answer.", in: func(w *wire, p pdu) bool {
		unbind(w, p)
		_ = w.Close() // that it closes is the fault
		return false
	}},
	{name: "unbind-silent", counts: onPDUs, text: "The client's unbind gets no answer.", of: smpp.Unbind, in: func(*wire, pdu) bool { return false }},
	{name: "stops-reading", counts: onConnections, after: afterSome, text: "The SMSC reads no more, but writes.", in: func(w *wire, _ pdu) bool { return w.deafen() }},
	{name: "half-open", counts: onConnections, after: afterSome, text: "All is lost both ways, and the connection stays open.", in: func(w *wire, _ pdu) bool {
		w.vanish()
		return false
	}},
	{name: "reset", counts: onConnections, after: afterSome, text: "The connection is reset.", in: func(w *wire, _ pdu) bool { return w.reset() }},
	{name: "trickle", counts: onPDUs, text: "The SMSC writes one octet at a time.", write: (*wire).trickle},
}

func refuseBind(status smpp.Status) func(*bindPlay) {
	return func(p *bindPlay) { p.refuse = status }
}

func refuse(status smpp.Status) func(*play) {
	return func(p *play) { p.refuse = status }
}
