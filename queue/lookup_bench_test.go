package queue_test

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/queue"
)

var conversations = flag.Int("conversations", 20_000, "how many conversations BenchmarkLookup looks up in")

// BenchmarkLookup finds whose an answer is among many conversations, each with a phone of
// its own, in the embedded server. It tells the look-up's p50 and p99, how long the store
// takes to open with them, what it adds to the heap, and what a conversation takes on disk.
func BenchmarkLookup(b *testing.B) {
	n, dir := *conversations, b.TempDir()
	number := addressing.MustParseNumber("+33700000001")
	process := func(c *queue.Config) { c.Durability = queue.Process }
	s := open(b, dir, process)
	now := time.Now()
	var filling sync.WaitGroup
	for w := range atOnce {
		filling.Go(func() {
			for i := w; i < n; i += atOnce {
				r := addressing.Record{V: 2, Entries: []addressing.Entry{{Number: number, Handle: ann, Created: now, LastUsed: now}}}
				if err := s.SaveRecord(b.Context(), caller(b, i), r, 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	before := heap()
	opening := time.Now()
	s = open(b, dir, process)
	start, grown := time.Since(opening), heap()-before
	book, err := addressing.NewBook(s, addressing.Config{Pool: []addressing.Number{number}})
	if err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		from := caller(b, rand.IntN(n))
		begin := time.Now()
		c, err := book.Lookup(b.Context(), from, number)
		if err != nil || c.Handle != ann {
			b.Fatalf("%+v, %v", c, err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(start.Seconds(), "open-s")
	b.ReportMetric(float64(grown)/float64(n), "heap-B/conversation")
	b.ReportMetric(float64(onDisk(b, dir))/float64(n), "disk-B/conversation")
}

// caller is the n-th of up to 100 million phones.
func caller(b *testing.B, n int) (m addressing.MSISDN) {
	b.Helper()
	if err := m.UnmarshalText(fmt.Appendf(nil, "+336%08d", n)); err != nil {
		b.Error(err)
	}
	return m
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func onDisk(b *testing.B, dir string) (sum int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "KV_phones") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil || sum == 0 {
		b.Fatalf("%d bytes of the bucket below %s: %v", sum, dir, err)
	}
	return sum
}
