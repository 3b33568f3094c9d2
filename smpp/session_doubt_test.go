package smpp_test

import (
	"testing"
	"time"

	"smsbridge/smpp"
)

// A peer that keeps sending and answers nothing is found out: by enquire_link, once a
// request of ours is overdue.
func TestDeafPeer(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{ResponseTimeout: time.Second, EnquireInterval: time.Hour})
	overdue := request(testContext(t), s.Session, submitTo("33612345678"))
	p.expect(smpp.SubmitSM)
	wantErr(t, receive(t, overdue, "the overdue").err, smpp.ErrUnknown)
	p.expect(smpp.EnquireLink)
	p.barrier() // it sends, and it is answered
	wantErr(t, receive(t, s.ended, "the end"), smpp.ErrDeaf)
}

// One that answers enquire_link has lost one request, and no more.
func TestForgetfulPeer(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{ResponseTimeout: time.Second, EnquireInterval: time.Hour})
	for range 3 {
		one, two := request(testContext(t), s.Session, submitTo("33612345678")), request(testContext(t), s.Session, submitTo("33612345679"))
		p.expect(smpp.SubmitSM)
		p.expect(smpp.SubmitSM)
		p.send(p.expect(smpp.EnquireLink).Answer(smpp.StatusOK)) // one for both
		p.barrier()
		wantErr(t, receive(t, one, "one").err, smpp.ErrUnknown)
		wantErr(t, receive(t, two, "two").err, smpp.ErrUnknown)
	}
	answered := request(testContext(t), s.Session, submitTo("33612345678"))
	p.send(answerWithID(p.expect(smpp.SubmitSM), "id"))
	if got := receive(t, answered, "the answer"); got.err != nil {
		t.Error(got.err)
	}
}

// While anything is answered nobody doubts: the other request is just slow.
func TestSlowAnswerIsNoDoubt(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{ResponseTimeout: time.Second, EnquireInterval: time.Hour})
	slow, quick := request(testContext(t), s.Session, submitTo("33612345678")), request(testContext(t), s.Session, submitTo("33612345679"))
	p.expect(smpp.SubmitSM)
	p.send(answerWithID(p.expect(smpp.SubmitSM), "id"))
	first, second := receive(t, slow, "the slow"), receive(t, quick, "the quick")
	if (first.err == nil) == (second.err == nil) {
		t.Errorf("got %v and %v, of which one was answered", first.err, second.err)
	}
	p.send(&smpp.PDU{Command: smpp.Unbind, Sequence: 1})
	p.expect(smpp.UnbindResp) // and nothing before it
}
