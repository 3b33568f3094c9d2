package smpp_test

import (
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

func TestSubmitOutcomes(t *testing.T) {
	tests := []struct {
		name    string
		answer  func(p *peer, asked *smpp.PDU)
		outcome bridge.Outcome
		detail  string
	}{
		{"refused number", statusAnswer(smpp.StatusInvDstAdr), bridge.OutcomePermanent, "the operator refused the number (ESME_RINVDSTADR, 0x0B)"},
		{"a code that nobody knows", statusAnswer(0x94), bridge.OutcomePermanent, "the operator refused the message with code 0x94"},
		{"by the account's own table", statusAnswer(0x22), bridge.OutcomeTemporary, "the operator refused the message for now with code 0x22"},
		{"a code that the account has named", statusAnswer(0x400), bridge.OutcomePermanent, "our account has no credit left (NO_CREDIT, 0x400)"},
		{"throttled", statusAnswer(smpp.StatusThrottled), bridge.OutcomeThrottled, "the operator asks us to send more slowly (ESME_RTHROTTLED, 0x58)"},
		{"its length is refused by a nack", nackAnswer(smpp.StatusInvCmdLen), bridge.OutcomePermanent, "the operator does not take a message of this length (ESME_RINVCMDLEN, 0x02)"},
		{"the command is refused by a nack", nackAnswer(smpp.StatusInvCmdID), bridge.OutcomeTemporary, "the connection to the operator is not ready (ESME_RINVCMDID, 0x03)"},
		{"a nack for another reason", nackAnswer(smpp.StatusSysErr), bridge.OutcomeTemporary, "the operator has a technical problem (ESME_RSYSERR, 0x08)"},
		{"a nack that says that all is well", nackAnswer(smpp.StatusOK), bridge.OutcomeUnknown, "the message was handed to the operator, and no answer came"},
		{"not bound, says the SMSC", statusAnswer(smpp.StatusInvBndSts), bridge.OutcomeTemporary, "the connection to the operator is not ready (ESME_RINVBNDSTS, 0x04)"},
		{"no answer", func(*peer, *smpp.PDU) {}, bridge.OutcomeUnknown, "the message was handed to the operator, and no answer came"},
		{"the link falls", func(p *peer, _ *smpp.PDU) { p.conn.Close() }, bridge.OutcomeUnknown, "the message was handed to the operator, and no answer came"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ls, p := onePeer(t, func(c *smpp.LinkConfig) {
				c.ResponseTimeout = patience // a slow machine is no silent SMSC
				if test.name == "no answer" {
					c.ResponseTimeout = 100 * time.Millisecond
				}
				c.Statuses = map[smpp.Status]smpp.StatusRule{
					0x22: {Class: smpp.ClassTemporary}, 0x400: {Name: "NO_CREDIT", Words: "our account has no credit left"},
				}
			})
			done := submit(testContext(t), ls, submission("m", "hi"))
			test.answer(p, p.expect(smpp.SubmitSM))
			got := receive(t, done, "the result")
			if got.Outcome != test.outcome || got.Detail != test.detail || got.Err == nil || len(got.SMSCIDs) != 0 {
				t.Errorf("got %+v", got)
			}
			if n := ls.Stats()[0].Submits[test.outcome]; n != 1 {
				t.Errorf("counted %d", n)
			}
		})
	}
}

func nackAnswer(status smpp.Status) func(*peer, *smpp.PDU) {
	return func(p *peer, asked *smpp.PDU) {
		p.send(&smpp.PDU{Command: smpp.GenericNack, Status: status, Sequence: asked.Sequence})
	}
}

// An SMSC that does not know submit_sm takes us for somebody who may not submit: the link
// binds again, and no message is given up for it.
func TestNackOfSubmitBindsAgain(t *testing.T) {
	l := listen(t)
	link := newLink(t, quick(l.Addr().String()))
	ls := newLinks(t, link)
	stop := start(t, ls)
	p := bindPeer(t, l)
	done := submit(testContext(t), ls, submission("m", "hi"))
	nackAnswer(smpp.StatusInvCmdID)(p, p.expect(smpp.SubmitSM))
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeTemporary {
		t.Errorf("got %+v", got)
	}
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	p = bindPeer(t, l)
	done = submit(testContext(t), ls, submission("m", "hi"))
	p.send(answerWithID(p.expect(smpp.SubmitSM), "id"))
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	p.unbound(stop)
}

func statusAnswer(status smpp.Status) func(*peer, *smpp.PDU) {
	return func(p *peer, asked *smpp.PDU) { p.send(asked.Answer(status)) }
}
