package smpp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"smsbridge/smpp"
)

// answering is the far end of a connection: it answers each request with the header and
// an id, what came in one read in one write, and allocates nothing for it.
func answering(conn net.Conn) {
	in, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	have := 0
	for {
		n, err := conn.Read(in[have:])
		if err != nil {
			return
		}
		have += n
		at := 0
		for have-at >= 16 {
			length := int(binary.BigEndian.Uint32(in[at:]))
			if have-at < length {
				break
			}
			out = binary.BigEndian.AppendUint32(out, 16+5)
			out = binary.BigEndian.AppendUint32(out, binary.BigEndian.Uint32(in[at+4:])|0x80000000)
			out = append(out, 0, 0, 0, 0)
			out = append(out, in[at+12:at+16]...)
			out = append(out, "3b5c\x00"...)
			at += length
		}
		have = copy(in, in[at:have])
		if _, err := conn.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// withAnswers is a Session whose peer answers at once. stop ends both.
func withAnswers(tb testing.TB, cfg smpp.SessionConfig) (s *smpp.Session, stop func()) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	s = smpp.NewSession(ours, cfg)
	var ending sync.WaitGroup
	ending.Go(func() { answering(theirs) })
	ending.Go(func() { _ = s.Run(context.Background()) })
	return s, func() {
		_ = s.Close()
		_ = theirs.Close()
		ending.Wait()
	}
}

// BenchmarkSubmit carries submits over loopback. Its allocations are those of our side
// alone: encode, send, receive, decode, match. The module under bench compares it with others.
func BenchmarkSubmit(b *testing.B) {
	for _, window := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("window ", window), func(b *testing.B) {
			s, stop := withAnswers(b, smpp.SessionConfig{Window: window})
			defer stop()
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var working sync.WaitGroup
			for i := range window {
				working.Go(func() {
					p := submitTo(fmt.Sprint("336", i))
					for left.Add(-1) >= 0 {
						if _, err := s.Request(context.Background(), p); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			working.Wait()
			b.StopTimer()
		})
	}
}

// BenchmarkDeliver carries deliver_sm to a handler that answers at once.
func BenchmarkDeliver(b *testing.B) {
	const fourDigits = 26 // of source_addr, in the frame
	frame, err := smpp.Encode(deliverFrom("33612340000", 1))
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	s := smpp.NewSession(ours, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
		return p.Answer(smpp.StatusOK)
	})})
	var ending sync.WaitGroup
	ending.Go(func() { _ = s.Run(context.Background()) })
	defer ending.Wait()
	defer s.Close()
	defer theirs.Close()
	b.ReportAllocs()
	b.ResetTimer()
	ending.Go(func() {
		many := make([]byte, 0, 100*len(frame))
		for sent := 0; sent < b.N; {
			many = many[:0]
			for ; sent < b.N && len(many) < cap(many); sent++ {
				// Phones take turns: texts of one wait for each other.
				copy(frame[fourDigits:], fmt.Sprintf("%04d", sent%10_000))
				many = append(many, frame...)
			}
			if _, err := theirs.Write(many); err != nil {
				return
			}
		}
	})
	if _, err := io.CopyN(io.Discard, theirs, int64(b.N)*17); err != nil { // a deliver_sm_resp has 17 octets
		b.Error(err)
	}
	b.StopTimer()
}

// A submit, from its encoding to its answer, makes few objects. Whoever adds one raises the
// number on purpose.
func TestSubmitAllocations(t *testing.T) {
	s, stop := withAnswers(t, smpp.SessionConfig{})
	defer stop()
	p := submitTo("33612345678")
	got := testing.AllocsPerRun(1000, func() {
		if _, err := s.Request(context.Background(), p); err != nil {
			t.Fatal(err)
		}
	})
	const most = 15
	if got > most {
		t.Errorf("%.0f objects, want at most %d", got, most)
	}
	t.Logf("%.0f objects a submit", got)
}
