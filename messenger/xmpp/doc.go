// Package xmpp joins an XMPP server to the hub as an external component
// (XEP-0114): each phone is an address +33612345678@sms.example.org on it.
//
// A [Component] owns one connection at a time. [Component.Run] dials, serves and
// dials again; one goroutine reads the stream, and what a stanza asks for is done
// in lanes: in order for each conversation, side by side for different ones, never
// on the reader. [Component.Deliver] writes a text or a status and returns once a
// ping sent behind it was answered (XEP-0199), because XEP-0114 acknowledges
// nothing. What the connection lost in between is written again with the same id.
//
// A text to a phone's address becomes an SMS. A refusal is a stanza error (RFC
// 6120, 8.3) with the reason in plain words; that a phone has a text is a receipt
// (XEP-0184) where the sender asked for one; that it never will is an error again.
// Presence subscriptions to a phone are granted so that rosters show it (RFC 6121,
// 3), and disco (XEP-0030), version (XEP-0092) and ping are answered.
//
// Also read or written: origin ids (XEP-0359), storage hints (XEP-0334), delayed
// delivery (XEP-0203), replies (XEP-0461: a failure told as a text names the one that it is
// about), chat states (XEP-0085: ignored) and explicit encryption
// (XEP-0380: refused, a phone could not read it).
package xmpp
