// Package smsc is an SMSC simulator with phones: for the demo, for tests and for
// benchmarks. It speaks SMPP 3.4 over real sockets, on the same [smpp.Session] as the
// bridge, and takes any client that binds.
//
// A phone exists as soon as it is written to or opened. It joins long messages, keeps
// the last of them, and can write back: [Server.Send] or the HTTP API of
// [Server.Handler] puts a text on its way as deliver_sm. What no client takes stays in
// order, phone by phone, and is tried again until one does. Receipts follow as
// Appendix B of SMPP 3.4 has them, with the text and with the optional parameters.
//
// # Magic numbers
//
// A submit to a number with one of these last five digits shows one fault. The digits
// are 00 and the HTTP status that means about the same:
//
//	00429  throttled (ESME_RTHROTTLED) for a few seconds, then accepted
//	00503  the queue is full (ESME_RMSGQFUL) for a few seconds, then accepted
//	00500  system error (ESME_RSYSERR) for a few seconds, then accepted
//	00404  refused for good (ESME_RINVDSTADR)
//	00408  no answer ever, and the phone gets nothing
//	00504  accepted, but answered only after the usual timeout
//	00410  accepted; the receipt says undeliverable
//	00419  accepted; the receipt says expired
//	00204  accepted and delivered; no receipt ever comes
//	00103  accepted and delivered; the receipt comes before the answer to submit_sm
//	00208  accepted and delivered; the receipt comes twice
//	00303  accepted and delivered; the receipt has the message id in hexadecimal,
//	       the answer to submit_sm had it in decimal
//
// So +33612300429 is throttled for a while. [Magic] lists them for programs, and
// GET /magic for people.
//
// # Faults
//
// A fault strikes whoever is connected, whatever the number. It is switched while the
// server runs, by [Server.SwitchOn], PUT /faults/{name} or on the page, for so many strikes or
// seconds, and on each connection only after so many PDUs ([Params]).
//
//	connecting   black-hole, tls-wrong-name, bind-silent, bind-refused, already-bound,
//	             wrong-password, deliver-before-bind
//	submits      throttled, queue-full, system-error, not-bound, no-answer, answer-lost,
//	             late-answer, nack, nack-nameless, out-of-order
//	receipts     receipt-early, receipt-lost, receipt-twice, receipt-elsewhere,
//	             receipt-stranger, receipt-base
//	deliver_sm   deliver-twice, deliver-same-sequence
//	octets       unknown-command, length-short, length-long, length-huge, cut-off, trickle
//	connections  unbind, unbind-abrupt, unbind-silent, stops-reading, half-open, reset
//
// A fault is one line of a table: a hook at one of the points where a connection is
// accepted, a bind or a submit is played, or a PDU or octets pass the wire beneath the
// session, which plays by the rules and never knows. GET /faults says what each does and
// what is on.
package smsc
