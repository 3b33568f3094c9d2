package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"smsbridge/addressing"
	"smsbridge/queue"
)

// atOnce is how many records are written, and read before they are looked up again, at once.
const atOnce = 64

// lookup fills a store with n conversations, each with a person, a phone and a date of its own, and
// prints how long it takes to open, to find whose an answer is, count times each, and what it takes.
func lookup(n, count int, dir string) (err error) {
	dir, err = os.MkdirTemp(dir, "smsbridge-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := fillConversations(n, dir); err != nil {
		return fmt.Errorf("write the conversations: %w", err)
	}
	before, opening := heap(), time.Now()
	s, err := openConversations(dir, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	opened, server := time.Since(opening), heap()-before
	disk, err := onDisk(dir)
	if err != nil {
		return err
	}
	pool := poolOf(1000)
	book, err := addressing.NewBook(s, addressing.Config{Pool: pool})
	if err != nil {
		return err
	}
	first, err := timeLookups(book, pool, n, count)
	if err != nil {
		return err
	}
	if err := remember(s, n); err != nil {
		return err
	}
	again, err := timeLookups(book, pool, n, count)
	if err != nil {
		return err
	}
	census, err := book.Census(context.Background())
	if err != nil {
		return err
	}
	each := func(bytes int64) string { return fmt.Sprintf("%d B", bytes/int64(n)) }
	fmt.Printf("Look-ups in %d conversations, %d of each kind\n\n| | |\n| --- | --: |\n", n, count)
	for _, row := range [][2]string{
		{"in memory, p50", share(again, 50).String()}, {"in memory, p99", share(again, 99).String()},
		{"the first time, p50", share(first, 50).String()}, {"the first time, p99", share(first, 99).String()},
		{"the census of all for the metrics", census.Took.Round(10 * time.Millisecond).String()},
		{"opening the store", opened.Round(10 * time.Millisecond).String()},
		{"heap of the NATS server, a conversation", each(server)},
		{"disk, a conversation", each(disk)},
	} {
		fmt.Printf("| %s | %s |\n", row[0], row[1])
	}
	return nil
}

// openConversations opens the embedded server; n: how many records it may remember.
func openConversations(dir string, n int) (*queue.Store, error) {
	return queue.Open(context.Background(), queue.Config{Dir: dir, Durability: queue.Process, RememberedPhones: n})
}

// fillConversations writes n records into a store that is closed again.
func fillConversations(n int, dir string) error {
	s, err := openConversations(dir, -1)
	if err != nil {
		return err
	}
	now, pool := time.Now().UTC(), poolOf(1000)
	err = atOnceFor(n, func(i int) error {
		phone, err := caller(i)
		if err != nil {
			return err
		}
		begun := now.Add(-time.Duration(rand.Int64N(int64(90 * 24 * time.Hour))))
		return s.SaveRecord(context.Background(), phone, addressing.Record{
			V: 2, Entries: []addressing.Entry{{Number: pool[i%len(pool)], Handle: person(i), Created: begun, LastUsed: now}},
		}, 0)
	})
	return errors.Join(err, s.Close())
}

// remember reads every record once.
func remember(s *queue.Store, n int) error {
	return atOnceFor(n, func(i int) error {
		phone, err := caller(i)
		if err == nil {
			_, _, err = s.LoadRecord(context.Background(), phone)
		}
		return err
	})
}

// timeLookups looks count phones up, by chance, and returns how long each took, the shortest first.
func timeLookups(book *addressing.Book, pool []addressing.Number, n, count int) ([]time.Duration, error) {
	took := make([]time.Duration, count)
	for k := range took {
		i := rand.IntN(n)
		from, err := caller(i)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		c, err := book.Lookup(context.Background(), from, pool[i%len(pool)])
		took[k] = time.Since(begin)
		if err != nil || c.Handle != person(i) {
			return nil, fmt.Errorf("conversation %d is with %q: %w", i, c.Handle, err)
		}
	}
	slices.Sort(took)
	return took, nil
}

// share is below what that percentage of the sorted times is.
func share(sorted []time.Duration, percent int) time.Duration { return sorted[len(sorted)*percent/100] }

// atOnceFor calls do for 0 to n-1, some at once, up to the first error of each of them.
func atOnceFor(n int, do func(int) error) error {
	var working sync.WaitGroup
	errs := make([]error, atOnce)
	for w := range errs {
		working.Go(func() {
			for i := w; i < n && errs[w] == nil; i += atOnce {
				errs[w] = do(i)
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
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
func caller(n int) (m addressing.MSISDN, err error) {
	return m, m.UnmarshalText(fmt.Appendf(nil, "+336%08d", n))
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// onDisk is what the bucket of the conversations takes, in bytes.
func onDisk(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "KV_phones") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
