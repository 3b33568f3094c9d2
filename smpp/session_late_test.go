package smpp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// ignored reads a submit_sm that is not answered in time. Something else is, so that the
// peer does not pass for deaf.
func (p *peer) ignored() *smpp.PDU {
	p.t.Helper()
	asked := p.expect(smpp.SubmitSM)
	p.send(&smpp.PDU{Command: smpp.EnquireLinkResp, Sequence: 0x7FFFFFFF})
	return asked
}

// An answer that comes after the response timeout is told, as the result that it would
// have made, and lets the account breathe or bind again as any other.
func TestSubmitAnsweredLate(t *testing.T) {
	const timeout = time.Second
	text := strings.Repeat("0123456789", 40) // three segments
	tests := []struct {
		name    string
		text    string
		answer  func(*peer, *smpp.PDU)
		ids     string
		outcome bridge.Outcome
		detail  string
	}{
		{"accepted", "hi", func(p *peer, asked *smpp.PDU) { p.send(answerWithID(asked, "late")) }, "[late]", bridge.OutcomeSent, ""},
		{"a segment accepted", text, func(p *peer, asked *smpp.PDU) { p.send(answerWithID(asked, "late")) }, "[late]", bridge.OutcomeNotWritten, ""},
		{"refused", "hi", statusAnswer(smpp.StatusInvDstAdr), "[]", bridge.OutcomePermanent, "the operator refused the number (ESME_RINVDSTADR, 0x0B)"},
		{"refused by a nack", "hi", nackAnswer(smpp.StatusSysErr), "[]", bridge.OutcomeTemporary, "the operator has a technical problem (ESME_RSYSERR, 0x08)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.ResponseTimeout, c.EnquireInterval = timeout, time.Minute })
			s := submission("m", tt.text)
			late := make(chan bridge.Result, 2)
			s.Late = func(_ context.Context, r bridge.Result) { late <- r }
			done := submit(testContext(t), ls, s)
			asked := p.ignored()
			if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeUnknown || len(got.SMSCIDs) != 0 {
				t.Fatalf("got %+v", got)
			}
			tt.answer(p, asked)
			got := receive(t, late, "the late answer")
			if got.Outcome != tt.outcome || fmt.Sprint(got.SMSCIDs) != tt.ids || got.Detail != tt.detail || got.Link != "one" || got.Account != "account" {
				t.Errorf("got %+v", got)
			}
			tt.answer(p, asked) // twice: it is told once
			p.barrier()
			select {
			case again := <-late:
				t.Errorf("told again: %+v", again)
			default:
			}
			if st := ls.Stats()[0]; st.LateResponses != 2 || st.ResponseTimeouts != 1 || st.StrayResponses != 1 {
				t.Errorf("counted %+v", st)
			}
		})
	}
}

// A defect in what is told of a late answer ends no link.
func TestLateAnswerPanics(t *testing.T) {
	const timeout = time.Second
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.ResponseTimeout, c.EnquireInterval = timeout, time.Minute })
	s := submission("m", "hi")
	told := make(chan struct{})
	s.Late = func(context.Context, bridge.Result) { defer close(told); panic("a defect") }
	done := submit(testContext(t), ls, s)
	asked := p.ignored()
	receive(t, done, "the result")
	p.send(answerWithID(asked, "late"))
	receive(t, told, "the late answer")
	done = submit(testContext(t), ls, submission("n", "hi"))
	p.send(answerWithID(p.expect(smpp.SubmitSM), "id"))
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	for ls.Stats()[0].Panics == 0 {
		p.barrier() // fails after patience
	}
}
