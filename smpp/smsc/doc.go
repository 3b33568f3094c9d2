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
package smsc
