package queue_test

import (
	"encoding/json"
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

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/queue"
)

var (
	conversations = flag.Int("conversations", 20_000, "how many conversations BenchmarkLookup looks up in")
	remembered    = flag.Int("remembered", 0, "of how many phones BenchmarkLookup lets the store remember; 0: of all")
)

// BenchmarkLookup finds whose an answer is among many conversations, each with a person, a phone
// and a date of its own, in the embedded server. It tells the look-up's p50 and p99, the first time
// a phone is looked up and after that, how long the store takes to open with them, and what the
// server takes for each on disk and of the heap. BenchmarkRemember has what remembering takes.
func BenchmarkLookup(b *testing.B) {
	n, dir := *conversations, b.TempDir()
	settings := func(c *queue.Config) {
		c.Durability, c.RememberedPhones = queue.Process, *remembered
		if *remembered == 0 {
			c.RememberedPhones = n
		}
	}
	fillConversations(b, dir, n)
	before, opening := heap(), time.Now()
	s := open(b, dir, settings)
	start, opened := time.Since(opening), heap()
	book, err := addressing.NewBook(s, addressing.Config{Pool: poolOf(1000)})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) {
		lookups(b, book, n)
		b.ReportMetric(start.Seconds(), "open-s")
		b.ReportMetric(float64(opened-before)/float64(n), "server-B/conversation")
		b.ReportMetric(float64(onDisk(b, dir))/float64(n), "disk-B/conversation")
	})
	atOnceFor(n, func(i int) {
		if _, _, err := s.LoadRecord(b.Context(), caller(b, i)); err != nil {
			b.Error(err)
		}
	})
	b.Run("again", func(b *testing.B) { lookups(b, book, n) })
}

// fillConversations writes n records into a store that is closed again, as its own client: a
// window of them at once.
func fillConversations(b *testing.B, dir string, n int) {
	s := open(b, dir, listen, func(c *queue.Config) { c.Durability = queue.Process })
	_, js := client(b, s)
	now, pool := time.Now().UTC(), poolOf(1000)
	for i := range n {
		begun := now.Add(-time.Duration(rand.Int64N(int64(90 * 24 * time.Hour))))
		data, err := json.Marshal(addressing.Record{V: 2, Entries: []addressing.Entry{{Number: pool[i%len(pool)], Handle: person(i), Created: begun, LastUsed: now}}})
		if err == nil {
			_, err = js.PublishAsync("$KV.phones."+caller(b, i).Digits(), data, jetstream.WithStallWait(patience))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func lookups(b *testing.B, book *addressing.Book, n int) {
	pool, took := poolOf(1000), make([]time.Duration, 0, b.N)
	for b.Loop() {
		i := rand.IntN(n)
		from := caller(b, i)
		begin := time.Now()
		c, err := book.Lookup(b.Context(), from, pool[i%len(pool)])
		took = append(took, time.Since(begin))
		if err != nil || c.Handle != person(i) {
			b.Fatalf("%+v, %v", c, err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// atOnceFor calls do for 0 to n-1, some at once.
func atOnceFor(n int, do func(int)) {
	var working sync.WaitGroup
	for w := range atOnce {
		working.Go(func() {
			for i := w; i < n; i += atOnce {
				do(i)
			}
		})
	}
	working.Wait()
}

func poolOf(n int) []addressing.Number {
	pool := make([]addressing.Number, n)
	for i := range pool {
		pool[i] = addressing.MustParseNumber(fmt.Sprintf("+337%08d", i))
	}
	return pool
}

// person is one of a company's people, with an address as long as they are.
func person(n int) addressing.Handle {
	return addressing.MustParseHandle(fmt.Sprintf("xmpp:person%07d@corp.example", n))
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
