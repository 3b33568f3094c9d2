package smpp_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: only a failure is ever waited for so long.
const patience = 20 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive takes a value that must come.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wires are the two ends of a connection over loopback.
func wires(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l := listen(t)
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs = receive(t, accepted, "a connection")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// running is a Session that runs; ended tells how Run ended.
type running struct {
	*smpp.Session
	ended chan error
}

func run(t *testing.T, conn net.Conn, cfg smpp.SessionConfig) running {
	t.Helper()
	s := smpp.NewSession(conn, cfg)
	r := running{Session: s, ended: make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r.ended <- s.Run(context.Background())
	}()
	t.Cleanup(func() { s.Close(); <-gone })
	return r
}

// peer is the other end of a connection, played PDU by PDU.
type peer struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// read reads one PDU, in any goroutine.
func (p *peer) read() (*smpp.PDU, error) {
	size, err := p.r.Peek(4)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(p.r, frame); err != nil {
		return nil, err
	}
	return smpp.Decode(frame)
}

// next reads one PDU.
func (p *peer) next() *smpp.PDU {
	p.t.Helper()
	size, err := p.r.Peek(4)
	if err != nil {
		p.t.Fatalf("the peer reads: %v", err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(size))
	if _, err := io.ReadFull(p.r, frame); err != nil {
		p.t.Fatal(err)
	}
	got, err := smpp.Decode(frame)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// expect reads one PDU, which must be of command.
func (p *peer) expect(command smpp.Command) *smpp.PDU {
	p.t.Helper()
	got := p.next()
	if got.Command != command {
		p.t.Fatalf("the peer got %+v, not %s", got, command)
	}
	return got
}

func (p *peer) expectAnswer(command smpp.Command, status smpp.Status, sequence uint32) {
	p.t.Helper()
	got := p.next()
	if got.Command != command || got.Status != status || got.Sequence != sequence {
		p.t.Fatalf("the peer got %+v, not %s %s with sequence %d", got, command, status, sequence)
	}
}

// expectEOF reads to the end, where nothing may come any more.
func (p *peer) expectEOF() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Fatalf("got %x, %v in place of the end", rest, err)
	}
}

func (p *peer) send(all ...*smpp.PDU) {
	p.t.Helper()
	for _, pdu := range all {
		frame, err := smpp.Encode(pdu)
		if err != nil {
			p.t.Fatal(err)
		}
		p.write(frame)
	}
}

func (p *peer) write(octets []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(octets); err != nil {
		p.t.Fatal(err)
	}
}

// barrier returns when the Session has read all that was sent before.
func (p *peer) barrier() {
	p.t.Helper()
	const sequence = 0x7E57
	p.send(&smpp.PDU{Command: smpp.EnquireLink, Sequence: sequence})
	p.expectAnswer(smpp.EnquireLinkResp, smpp.StatusOK, sequence)
}

// withPeer is a Session against a peer.
func withPeer(t *testing.T, cfg smpp.SessionConfig) (running, *peer) {
	t.Helper()
	ours, theirs := wires(t)
	return run(t, ours, cfg), newPeer(t, theirs)
}

func submitTo(phone string) *smpp.PDU {
	return &smpp.PDU{Command: smpp.SubmitSM, Short: &smpp.Short{
		Source: bridge.Address{TON: 5, Addr: "Acme"}, Destination: bridge.Address{TON: 1, NPI: 1, Addr: phone}, Body: []byte("hi"),
	}}
}

func deliverFrom(phone string, sequence uint32) *smpp.PDU {
	return &smpp.PDU{Command: smpp.DeliverSM, Sequence: sequence, Short: &smpp.Short{
		Source: bridge.Address{TON: 1, NPI: 1, Addr: phone}, Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33700000001"}, Body: []byte("hello"),
	}}
}

func answerWithID(p *smpp.PDU, id string) *smpp.PDU {
	a := p.Answer(smpp.StatusOK)
	a.MessageID = id
	return a
}

// sent is how a request ended.
type sent struct {
	resp *smpp.PDU
	err  error
}

func request(ctx context.Context, s *smpp.Session, p *smpp.PDU) <-chan sent {
	done := make(chan sent, 1)
	go func() {
		resp, err := s.Request(ctx, p)
		done <- sent{resp, err}
	}()
	return done
}

func wantErr(t *testing.T, err error, all ...error) {
	t.Helper()
	for _, want := range all {
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
}

// eventually waits for cond, which may become true whenever changed fires.
func eventually(t *testing.T, changed func() <-chan struct{}, cond func() bool, what string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		ch := changed()
		if cond() {
			return
		}
		select {
		case <-ch:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
