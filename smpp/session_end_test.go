package smpp_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/smpp"
)

// What was written and not answered is unknown; what was not written is safe to send again.
func TestDroppedConnection(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{Window: 1})
	written := request(testContext(t), s.Session, submitTo("33612345678"))
	p.expect(smpp.SubmitSM)
	waiting := request(testContext(t), s.Session, submitTo("33612345679"))
	p.conn.Close()
	wantErr(t, receive(t, written, "the first").err, smpp.ErrUnknown)
	wantErr(t, receive(t, waiting, "the second").err, smpp.ErrNotWritten, smpp.ErrSessionClosed)
	if err := receive(t, s.ended, "the end"); err == nil {
		t.Error("Run does not say that the connection fell")
	}
	_, err := s.Request(testContext(t), submitTo("33612345678"))
	wantErr(t, err, smpp.ErrNotWritten, smpp.ErrSessionClosed)
}

// stuckConn takes so many octets of all writes, and then none until it is closed.
type stuckConn struct {
	net.Conn
	left   atomic.Int64
	stuck  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (c *stuckConn) Write(b []byte) (int, error) {
	n := int64(len(b))
	left := c.left.Add(-n)
	if left >= 0 {
		return c.Conn.Write(b)
	}
	c.stuck <- struct{}{}
	<-c.closed
	return int(max(left+n, 0)), net.ErrClosed
}

func (c *stuckConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// While the peer does not read, requests queue behind the writer: at the end, those
// of which octets left are unknown and the others never written.
func TestQueuedIsNotWritten(t *testing.T) {
	ours, theirs := wires(t)
	newPeer(t, theirs)
	conn := &stuckConn{Conn: ours, stuck: make(chan struct{}, 1), closed: make(chan struct{})}
	conn.left.Store(10)
	s := run(t, conn, smpp.SessionConfig{})
	begun := request(testContext(t), s.Session, submitTo("33612345678"))
	receive(t, conn.stuck, "the stuck write")
	queued := request(testContext(t), s.Session, submitTo("33612345679"))
	ctx, cancel := context.WithCancel(testContext(t))
	withdrawn := request(ctx, s.Session, submitTo("33612345670"))
	cancel()
	wantErr(t, receive(t, withdrawn, "the withdrawn").err, smpp.ErrNotWritten, context.Canceled)
	s.Close()
	wantErr(t, receive(t, begun, "the begun").err, smpp.ErrUnknown, smpp.ErrSessionClosed)
	wantErr(t, receive(t, queued, "the queued").err, smpp.ErrNotWritten, smpp.ErrSessionClosed)
}

// A request of which no octet was taken was never written, even though the writer had it.
func TestRefusedWriteIsNotWritten(t *testing.T) {
	ours, theirs := wires(t)
	newPeer(t, theirs)
	conn := &stuckConn{Conn: ours, stuck: make(chan struct{}, 1), closed: make(chan struct{})}
	s := run(t, conn, smpp.SessionConfig{})
	begun := request(testContext(t), s.Session, submitTo("33612345678"))
	receive(t, conn.stuck, "the stuck write")
	s.Close()
	wantErr(t, receive(t, begun, "the begun").err, smpp.ErrNotWritten)
}

func TestPeerUnbinds(t *testing.T) {
	release := make(chan struct{})
	s, p := withPeer(t, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		<-release
		return p.Answer(smpp.StatusOK)
	})})
	p.send(deliverFrom("33612345678", 8))
	p.send(&smpp.PDU{Command: smpp.Unbind, Sequence: 9})
	close(release)
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 8) // what is in hand is finished first
	p.expectAnswer(smpp.UnbindResp, smpp.StatusOK, 9)
	p.expectEOF()
	p.conn.Close()
	wantErr(t, receive(t, s.ended, "the end"), smpp.ErrPeerUnbound)
}

func TestUnbindAndDrain(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{})
	wait := request(testContext(t), s.Session, submitTo("33612345678"))
	asked := p.expect(smpp.SubmitSM)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(testContext(t)) }()
	receive(t, s.Closing(), "the end of new slots")
	p.send(answerWithID(asked, "id"))
	if got := receive(t, wait, "the answer"); got.err != nil {
		t.Error(got.err)
	}
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	if err := receive(t, drained, "the drain"); err != nil {
		t.Error(err)
	}
	if err := receive(t, s.ended, "the end"); err != nil {
		t.Error(err)
	}
}

// A drain whose time is over unbinds all the same, and an unbind that nobody answers ends.
func TestDrainInVain(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{ResponseTimeout: 100 * time.Millisecond})
	slot, err := s.Reserve(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	err = s.Drain(ctx)
	wantErr(t, err, context.Canceled, smpp.ErrUnknown)
	p.expect(smpp.Unbind)
	if err := receive(t, s.ended, "the end"); err != nil {
		t.Error(err)
	}
}

// Both ends unbind at once: each is answered, and both end well.
func TestUnbindsCross(t *testing.T) {
	s, p := withPeer(t, smpp.SessionConfig{})
	unbound := make(chan error, 1)
	go func() { unbound <- s.Unbind(testContext(t)) }()
	asked := p.expect(smpp.Unbind)
	p.send(&smpp.PDU{Command: smpp.Unbind, Sequence: 77})
	p.expectAnswer(smpp.UnbindResp, smpp.StatusOK, 77)
	p.send(asked.Answer(smpp.StatusOK))
	if err := receive(t, unbound, "the answer"); err != nil {
		t.Error(err)
	}
	receive(t, s.ended, "the end")
}

// To unbind while the peer's unbind is in hand leaves the peer its answer.
func TestUnbindWhilePeerUnbinds(t *testing.T) {
	release := make(chan struct{})
	s, p := withPeer(t, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		<-release
		return p.Answer(smpp.StatusOK)
	})})
	p.send(deliverFrom("33612345678", 8), &smpp.PDU{Command: smpp.Unbind, Sequence: 9})
	receive(t, s.Closing(), "the unbind to be seen")
	unbound := make(chan error, 1)
	go func() { unbound <- s.Unbind(testContext(t)) }()
	close(release)
	p.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 8)
	p.expectAnswer(smpp.UnbindResp, smpp.StatusOK, 9)
	p.conn.Close()
	if err := receive(t, unbound, "the end of unbind"); err != nil {
		t.Error(err)
	}
}

// A silent peer is asked, and one that answers nothing ends the Session.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := smpp.NewSession(ours, smpp.SessionConfig{EnquireInterval: 30 * time.Second, ResponseTimeout: 10 * time.Second})
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- s.Run(context.Background()) }()
		p := &peer{t: t, conn: theirs, r: bufio.NewReader(theirs)}
		for i := 1; i <= 2; i++ {
			p.send(p.expect(smpp.EnquireLink).Answer(smpp.StatusOK))
			if took := time.Since(began); took != time.Duration(i)*30*time.Second {
				t.Errorf("enquire_link %d after %s", i, took)
			}
		}
		p.expect(smpp.EnquireLink)
		wantErr(t, <-ended, smpp.ErrSilent)
		if took := time.Since(began); took != 100*time.Second {
			t.Errorf("ended after %s", took)
		}
		theirs.Close()
	})
}

func TestRunEndsWithContext(t *testing.T) {
	ours, _ := wires(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantErr(t, smpp.NewSession(ours, smpp.SessionConfig{}).Run(ctx), context.Canceled)
}

// A peer that does not read ends the Session; what it did not take was never written.
func TestPeerStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		s := smpp.NewSession(ours, smpp.SessionConfig{WriteTimeout: 3 * time.Second})
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- s.Run(context.Background()) }()
		_, err := s.Request(context.Background(), submitTo("33612345678"))
		wantErr(t, err, smpp.ErrNotWritten)
		wantErr(t, <-ended, os.ErrDeadlineExceeded)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}
