package queue_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

var durabilities = []queue.Durability{queue.Power, queue.Process}

// atOnce is how many publish at once, about, whatever the number of cores.
const atOnce = 64

var (
	benchText   = strings.Repeat("x", 100)
	benchPhones = func() (all [1000]addressing.MSISDN) {
		for n := range all {
			all[n] = phone(n)
		}
		return all
	}()
)

func benchMessage(n int64) bridge.MT {
	return bridge.MT{V: 1, ID: fmt.Sprintf("bench-%d", n), Handle: ann, Phone: benchPhones[n%int64(len(benchPhones))], Text: benchText}
}

func BenchmarkPublishMT(b *testing.B) {
	for _, d := range durabilities {
		b.Run(string(d), func(b *testing.B) {
			s := open(b, b.TempDir(), func(c *queue.Config) { c.Durability = d })
			var next atomic.Int64
			b.SetParallelism(max(1, atOnce/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.PublishMT(b.Context(), benchMessage(next.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkEndToEnd publishes, handles and acknowledges.
func BenchmarkEndToEnd(b *testing.B) {
	for _, d := range durabilities {
		b.Run(string(d), func(b *testing.B) {
			s := open(b, b.TempDir(), func(c *queue.Config) { c.Durability = d })
			var handled, next atomic.Int64
			all := make(chan struct{})
			work(b, s, func(context.Context, bridge.MT) error {
				if handled.Add(1) == int64(b.N) {
					close(all)
				}
				return nil
			})
			b.SetParallelism(max(1, atOnce/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.PublishMT(b.Context(), benchMessage(next.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			<-all
			queued(b, s, "mt", 0)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
