package queue_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// BenchmarkCalls stores call-detail records while RunCalls takes them out: what they cost besides
// the messages themselves, of which each takes some ten records in the queue.
func BenchmarkCalls(b *testing.B) {
	s := open(b, b.TempDir(), func(c *queue.Config) { c.Durability, c.CallsMaxBytes = queue.Process, 1<<30 })
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.RunCalls(ctx, func([]bridge.Call) error { return nil })
	}()
	now := time.Now()
	var next atomic.Int64
	b.SetParallelism(max(1, atOnce/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := bridge.Call{
				V: 1, ID: fmt.Sprint("bench-", next.Add(1)), Kind: bridge.CallMT, Handle: ann.String(), Number: "+33700000001", Phone: "+336*****678",
				AcceptedAt: now, SubmittedAt: now, AnsweredAt: now, ReceiptAt: now, EndedAt: now, State: bridge.Delivered, Attempts: 1, Segments: 1,
				Encoding: "gsm7", Route: "+33", Link: "main", Account: "main", CostClass: "cheap", SMSCIDs: []string{"3b5c"}, Codes: []string{"000"},
			}
			if err := s.PublishCall(b.Context(), c); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
