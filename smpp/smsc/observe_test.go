package smsc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// Who keeps a record is told of each submit with its answer, and of each deliver_sm
// twice: before it is sent, and with its answer.
func TestObserve(t *testing.T) {
	observed := make(chan smsc.Exchange, 100)
	s, _ := start(t, smsc.Config{Observe: func(x smsc.Exchange) { observed <- x }})
	refusals := 1
	c := bind(t, s, func(p *smpp.PDU) *smpp.PDU {
		if p.Short.ESMClass == 0 && refusals > 0 {
			refusals--
			return p.Answer(smpp.StatusRxTAppn)
		}
		return p.Answer(smpp.StatusOK)
	})
	var got []smsc.Exchange
	expect := func(n int) {
		t.Helper()
		for range n {
			select {
			case x := <-observed:
				got = append(got, x)
			case <-time.After(patience):
				t.Fatalf("told only of %+v", got)
			}
		}
	}

	id := c.submit(phone.Digits(), "hello", 1)[0].MessageID
	expect(3) // the submit, and its receipt twice
	long := strings.Repeat("long ", 40)
	longs := c.submit(phone.Digits(), long, 0)
	expect(2)
	must(t, s.SwitchOn("throttled", smsc.Params{Count: 1}))
	c.submit(phone.Digits(), "refused", 0)
	expect(1)
	_, err := s.Send(phone, ours, "back")
	must(t, err)
	expect(4) // a deliver_sm that is refused, and again

	ref := smpp.RefOf(long)
	back := smsc.Exchange{Command: smpp.DeliverSM, Text: "back"}
	refused, taken := back, back
	refused.Answered, refused.Status = true, smpp.StatusRxTAppn
	taken.Answered = true
	receipt := smsc.Exchange{Command: smpp.DeliverSM, MessageID: id, Stat: "DELIVRD"}
	received := receipt
	received.Answered = true
	want := []smsc.Exchange{
		{Command: smpp.SubmitSM, Text: "hello", MessageID: id, Taken: true, Answered: true},
		receipt, received,
		{Command: smpp.SubmitSM, Text: long[:153], Concat: bridge.Concat{Ref: int(byte(ref)), Total: 2, Part: 1}, MessageID: longs[0].MessageID, Taken: true, Answered: true},
		{Command: smpp.SubmitSM, Text: long[153:], Concat: bridge.Concat{Ref: int(byte(ref)), Total: 2, Part: 2}, MessageID: longs[1].MessageID, Taken: true, Answered: true},
		{Command: smpp.SubmitSM, Text: "refused", Answered: true, Status: smpp.StatusThrottled},
		back, refused, back, taken,
	}
	for i := range got {
		x := &got[i]
		if x.Phone != phone || x.Number != ours || (x.Remote == "") != (x.Command == smpp.DeliverSM) {
			t.Errorf("of %s, %s, %q", x.Phone, x.Number, x.Remote)
		}
		x.Phone, x.Number, x.Remote = want[i].Phone, "", ""
		if x.Stat != "" {
			x.Text = ""
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(want[0].Phone)); diff != "" {
		t.Error(diff)
	}
}

// What is lost on the way back is taken, and what is never answered is not.
func TestObserveSilence(t *testing.T) {
	for fault, want := range map[string]smsc.Exchange{
		"answer-lost": {Taken: true},
		"no-answer":   {},
		"nack":        {Answered: true, Status: smpp.StatusInvCmdID},
	} {
		t.Run(fault, func(t *testing.T) {
			observed := make(chan smsc.Exchange, 1)
			s, _ := start(t, smsc.Config{Observe: func(x smsc.Exchange) { observed <- x }})
			must(t, s.SwitchOn(fault, smsc.Params{Count: 1}))
			c := bind(t, s, nil)
			go func() {
				_, _ = c.session.Request(t.Context(), &smpp.PDU{Command: smpp.SubmitSM, Short: &smpp.Short{
					Source: c.address(ourAddr), Destination: c.address(phone.Digits()), Body: []byte("a"),
				}}) // it may get no answer
			}()
			x := <-observed
			if x.Taken != want.Taken || x.Answered != want.Answered || x.Status != want.Status {
				t.Errorf("told of %+v, want %+v", x, want)
			}
		})
	}
}
