package smpp_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/smpp"
)

func TestBindBothRoles(t *testing.T) {
	ours, theirs := wires(t)
	run(t, theirs, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		if p.Bind == nil || p.Bind.Password != "right" {
			return p.Answer(smpp.StatusInvPaswd)
		}
		a := p.Answer(smpp.StatusOK)
		a.SystemID = "smsc"
		return a
	})})
	client := run(t, ours, smpp.SessionConfig{})
	for _, command := range []smpp.Command{smpp.BindTransceiver, smpp.BindTransmitter, smpp.BindReceiver} {
		answer, err := client.Bind(testContext(t), command, smpp.Bind{SystemID: "acme", Password: "right"})
		if err != nil || answer.SystemID != "smsc" {
			t.Fatalf("%s: got %+v, %v", command, answer, err)
		}
	}
	_, err := client.Bind(testContext(t), smpp.BindTransceiver, smpp.Bind{SystemID: "acme", Password: "wrong"})
	if refusal, ok := errors.AsType[*smpp.StatusError](err); !ok || refusal.Status != smpp.StatusInvPaswd {
		t.Fatalf("got %v", err)
	}
	if err := client.EnquireLink(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersOutOfOrder(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{})
	const n = 5
	var waits []<-chan sent
	var asked []*smpp.PDU
	for i := range n {
		waits = append(waits, request(testContext(t), s.Session, submitTo(fmt.Sprint("3361234567", i))))
		asked = append(asked, p.expect(smpp.SubmitSM))
	}
	for i := n - 1; i >= 0; i-- {
		p.send(answerWithID(asked[i], fmt.Sprint("id", i)))
	}
	for i, wait := range waits {
		got := receive(t, wait, "an answer")
		if got.err != nil || got.resp.MessageID != fmt.Sprint("id", i) {
			t.Errorf("request %d got %+v, %v", i, got.resp, got.err)
		}
	}
}

// An answer that is late, of the wrong command or of nobody is counted; the request
// that it does not answer waits on.
func TestStrayAnswers(t *testing.T) {
	counters := new(smpp.Counters)
	s, p := withPeer(t, smpp.SessionConfig{ResponseTimeout: 500 * time.Millisecond, Counters: counters})
	first := request(testContext(t), s.Session, submitTo("33612345678"))
	asked := p.expect(smpp.SubmitSM)
	got := receive(t, first, "the timeout")
	wantErr(t, got.err, smpp.ErrUnknown)
	p.send(p.expect(smpp.EnquireLink).Answer(smpp.StatusOK)) // for nothing at all was answered
	p.send(answerWithID(asked, "late"))
	p.send(&smpp.PDU{Command: smpp.SubmitSMResp, Sequence: 4711})
	p.send(&smpp.PDU{Command: smpp.GenericNack, Status: smpp.StatusSysErr})
	p.barrier()
	if late, stray, over := counters.LateResponses.Load(), counters.StrayResponses.Load(), counters.ResponseTimeouts.Load(); late != 1 || stray != 2 || over != 1 {
		t.Errorf("late %d, stray %d, timeouts %d", late, stray, over)
	}
}

func TestSameSequenceBothWays(t *testing.T) {
	served := make(chan *smpp.PDU, 1)
	s, p := withPeer(t, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		served <- p
		return p.Answer(smpp.StatusOK)
	})})
	wait := request(testContext(t), s.Session, submitTo("33612345678"))
	asked := p.expect(smpp.SubmitSM)
	p.send(deliverFrom("33612345678", asked.Sequence))
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, asked.Sequence)
	if got := receive(t, served, "the deliver_sm"); string(got.Short.Body) != "hello" {
		t.Errorf("got %+v", got)
	}
	p.send(&smpp.PDU{Command: smpp.DataSMResp, Sequence: asked.Sequence}) // of another command
	p.send(answerWithID(asked, "right"))
	if got := receive(t, wait, "the answer"); got.err != nil || got.resp.MessageID != "right" {
		t.Errorf("got %+v, %v", got.resp, got.err)
	}
}

func TestGenericNack(t *testing.T) {
	counters := new(smpp.Counters)
	s, p := withPeer(t, smpp.SessionConfig{Counters: counters})
	wait := request(testContext(t), s.Session, submitTo("33612345678"))
	asked := p.expect(smpp.SubmitSM)
	p.send(&smpp.PDU{Command: smpp.GenericNack, Status: smpp.StatusInvCmdID, Sequence: asked.Sequence})
	if got := receive(t, wait, "the nack"); got.err != nil || got.resp.Command != smpp.GenericNack || got.resp.Status != smpp.StatusInvCmdID {
		t.Errorf("got %+v, %v", got.resp, got.err)
	}
	p.send(&smpp.PDU{Command: 0x110, Sequence: 0xFFFFFFFF})
	p.expectAnswer(smpp.GenericNack, smpp.StatusInvCmdID, 0xFFFFFFFF)
	p.send(&smpp.PDU{Command: 0x80000110, Sequence: 3}) // an unknown response is never answered
	p.write(frameOf(smpp.DeliverSM, "\x00\x01"))
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusInvMsgLen, 5)
	p.write(frameOf(smpp.QuerySM, "\x00")) // no handler
	p.expectAnswer(smpp.QuerySMResp, smpp.StatusInvBndSts, 5)
	p.send(&smpp.PDU{Command: smpp.EnquireLink}) // a sequence of zero is echoed
	p.expectAnswer(smpp.EnquireLinkResp, smpp.StatusOK, 0)
	if counters.Malformed.Load() != 1 || counters.UnknownCommands.Load() != 1 {
		t.Errorf("malformed %d, unknown %d", counters.Malformed.Load(), counters.UnknownCommands.Load())
	}
}

// A command_length that cannot be true is answered, and then the connection ends.
func TestPoisonedFrames(t *testing.T) {
	tests := []struct {
		name, octets string
		sequence     uint32
	}{
		{"too short", "\x00\x00\x00\x0f\x00\x00\x00\x05", 0},
		{"zero", "\x00\x00\x00\x00", 0},
		{"huge", "\x7f\xff\xff\xff\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09", 9},
		{"another protocol", "GET / HTTP/1.1\r\nHost: smsc\r\n\r\n", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, p := withPeer(t, smpp.SessionConfig{})
			p.barrier()
			p.write([]byte(test.octets))
			got := p.expect(smpp.GenericNack)
			if got.Status != smpp.StatusInvCmdLen || (test.name != "another protocol" && got.Sequence != test.sequence) {
				t.Errorf("got %+v", got)
			}
			p.expectEOF()
			p.conn.Close()
			if _, ok := errors.AsType[*smpp.FrameError](receive(t, s.ended, "the end")); !ok {
				t.Error("Run does not say that the frame was wrong")
			}
		})
	}
}

func TestOneOctetAWrite(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{})
	wait := request(testContext(t), s.Session, submitTo("33612345678"))
	frame, err := smpp.Encode(answerWithID(p.expect(smpp.SubmitSM), "slow"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range frame {
		p.write(frame[i : i+1])
	}
	if got := receive(t, wait, "the answer"); got.err != nil || got.resp.MessageID != "slow" {
		t.Errorf("got %+v, %v", got.resp, got.err)
	}
}

// ctx ends the wait for the window, and not the wait for an answer.
func TestContext(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{Window: 1})
	ctx, cancel := context.WithCancel(testContext(t))
	written := request(ctx, s.Session, submitTo("33612345678"))
	asked := p.expect(smpp.SubmitSM)
	waiting := request(ctx, s.Session, submitTo("33612345679"))
	cancel()
	wantErr(t, receive(t, waiting, "the one that waits").err, smpp.ErrNotWritten, context.Canceled)
	p.send(answerWithID(asked, "id"))
	if got := receive(t, written, "the written one"); got.err != nil || got.resp.MessageID != "id" {
		t.Errorf("got %+v, %v", got.resp, got.err)
	}
}

func TestWindowIsNeverExceeded(t *testing.T) {
	ours, theirs := wires(t)
	const window, requests = 3, 60
	var open, most atomic.Int64
	run(t, theirs, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		now := open.Add(1)
		defer open.Add(-1)
		for old := most.Load(); now > old; old = most.Load() {
			if most.CompareAndSwap(old, now) {
				break
			}
		}
		return p.Answer(smpp.StatusOK)
	})})
	s := run(t, ours, smpp.SessionConfig{Window: window})
	var all []<-chan sent
	for i := range requests {
		all = append(all, request(testContext(t), s.Session, submitTo(fmt.Sprint("336", i))))
	}
	for _, wait := range all {
		if got := receive(t, wait, "an answer"); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if most.Load() > window || most.Load() == 0 {
		t.Errorf("%d requests were open at once", most.Load())
	}
}

func TestSlot(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{Window: 1})
	slot, err := s.Reserve(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.TryReserve(); ok || s.InFlight() != 1 {
		t.Error("the window has more room than it should")
	}
	for _, id := range []string{"one", "two"} {
		done := make(chan sent, 1)
		go func() {
			resp, err := slot.Send(testContext(t), submitTo("33612345678"))
			done <- sent{resp, err}
		}()
		p.send(answerWithID(p.expect(smpp.SubmitSM), id))
		if got := receive(t, done, "an answer"); got.err != nil || got.resp.MessageID != id {
			t.Errorf("got %+v, %v", got.resp, got.err)
		}
	}
	slot.Release()
	slot.Release()
	_, err = slot.Send(testContext(t), submitTo("33612345678"))
	wantErr(t, err, smpp.ErrNotWritten)
	again, ok := s.TryReserve()
	if !ok {
		t.Fatal("the slot did not come back")
	}
	defer again.Release()
	_, err = again.Send(testContext(t), submitWith(func(s *smpp.Short) { s.Source.Addr = "a\x00b" }))
	if _, ok := errors.AsType[*smpp.EncodeError](err); !ok || !errors.Is(err, smpp.ErrNotWritten) {
		t.Errorf("got %v", err)
	}
}

func TestHandlerPanics(t *testing.T) {
	counters := new(smpp.Counters)
	_, p := withPeer(t, smpp.SessionConfig{Counters: counters, Handler: smpp.HandlerFunc(func(context.Context, *smpp.Session, *smpp.PDU) *smpp.PDU {
		panic("a defect")
	})})
	p.send(deliverFrom("33612345678", 5))
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusSysErr, 5)
	p.barrier()
	if counters.Panics.Load() != 1 {
		t.Error("the panic was not counted")
	}
}

// Texts of one pair are served in order, one by one; those of others do not wait.
func TestServedInOrder(t *testing.T) {
	release := make(chan struct{})
	var order []uint32
	_, p := withPeer(t, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		if p.Short.Source.Addr == "336" {
			<-release
			order = append(order, p.Sequence) // safe: they are served one by one
		}
		return p.Answer(smpp.StatusOK)
	})})
	for i := uint32(1); i <= 20; i++ {
		p.send(deliverFrom("336", i))
	}
	p.send(deliverFrom("337", 99))
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 99)
	close(release)
	for i := uint32(1); i <= 20; i++ {
		p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, i)
	}
	for i, got := range order {
		if got != uint32(i+1) {
			t.Fatalf("served in the order %v", order)
		}
	}
}

// Beyond MaxHandlers nothing is read until one is done.
func TestBackPressure(t *testing.T) {
	started, release := make(chan uint32, 10), make(chan struct{})
	_, p := withPeer(t, smpp.SessionConfig{MaxHandlers: 2, Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		started <- p.Sequence
		<-release
		return p.Answer(smpp.StatusOK)
	})})
	for i := uint32(1); i <= 3; i++ {
		p.send(deliverFrom(fmt.Sprint("33", i), i))
	}
	receive(t, started, "the first")
	receive(t, started, "the second")
	select {
	case <-started:
		t.Error("three at once")
	default:
	}
	release <- struct{}{}
	receive(t, started, "the third")
	close(release)
	for range 3 {
		p.expect(smpp.DeliverSMResp)
	}
	p.barrier()
}

func TestWriteWithoutAnswer(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{})
	if err := s.Write(testContext(t), &smpp.PDU{Command: smpp.Outbind, Bind: &smpp.Bind{SystemID: "smsc"}}); err != nil {
		t.Fatal(err)
	}
	if got := p.expect(smpp.Outbind); got.Bind.SystemID != "smsc" {
		t.Errorf("got %+v", got.Bind)
	}
	s.Close()
	<-s.Done()
	wantErr(t, s.Write(testContext(t), &smpp.PDU{Command: smpp.GenericNack}), smpp.ErrNotWritten, smpp.ErrSessionClosed)
}
