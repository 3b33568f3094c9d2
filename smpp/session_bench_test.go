package smpp_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"smsbridge/smpp"
)

// BenchmarkSubmit carries submits between two Sessions over loopback.
func BenchmarkSubmit(b *testing.B) {
	for _, window := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint("window ", window), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			ours, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			theirs, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			server := smpp.NewSession(theirs, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
				return answerWithID(p, "3b5c")
			})})
			client := smpp.NewSession(ours, smpp.SessionConfig{Window: window})
			var ending sync.WaitGroup
			for _, s := range []*smpp.Session{server, client} {
				ending.Go(func() { _ = s.Run(context.Background()) })
			}
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var working sync.WaitGroup
			for i := range window {
				working.Go(func() {
					p := submitTo(fmt.Sprint("336", i))
					for left.Add(-1) >= 0 {
						if _, err := client.Request(context.Background(), p); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			working.Wait()
			b.StopTimer()
			client.Close()
			server.Close()
			ending.Wait()
		})
	}
}
