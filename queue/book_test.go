package queue_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"smsbridge/addressing"
	"smsbridge/queue"
)

const day = 24 * time.Hour

// The Numbers of the world below.
var (
	bookPool   = []addressing.Number{addressing.MustParseNumber("+33700000000"), addressing.MustParseNumber("+33700000001")}
	bookShared = addressing.MustParseNumber("36180;phone-context=+33")
	bookDesk   = addressing.MustParseNumber("+33700000009")
)

type (
	pair struct {
		phone  addressing.MSISDN
		number addressing.Number
	}
	relation struct {
		phone  addressing.MSISDN
		handle addressing.Handle
	}
	use struct {
		handle addressing.Handle
		free   time.Time // from when on another may have the pair, at the soonest
	}
)

// world is two Books over one truth, and what must be true.
type world struct {
	instances []*addressing.Book
	phones    []addressing.MSISDN
	people    []addressing.Handle // by the names of today
	desk      addressing.Handle   // whom the configuration has for bookDesk
	named     int                 // how many names were given
	restart   func() []*addressing.Book

	mu      sync.Mutex
	now     time.Time
	owners  map[pair]use
	sharers map[relation]bool
	stopped map[relation]bool
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// TestBooksOverOneStore runs random histories of people, phones, silence, ends, stops, new names and
// restarts on two instances at once, over the real store: a reply goes to whom the pair of phone
// and Number belongs, nobody gets a pair that is another's, both directions agree at both
// instances, also after the store was closed and opened again.
func TestBooksOverOneStore(t *testing.T) {
	fewerHistories(t)
	first, second := t.TempDir(), t.TempDir()
	remote := natsServer(t, t.TempDir(), -1)
	process := func(c *queue.Config) { c.Durability = queue.Process }
	for _, tt := range []struct {
		name string
		open func(t *testing.T) []*queue.Store
	}{
		{"one process", func(t *testing.T) []*queue.Store {
			s := openForNow(t, first, process)
			return []*queue.Store{s, s}
		}},
		{"one process that remembers little", func(t *testing.T) []*queue.Store {
			s := openForNow(t, second, process, func(c *queue.Config) { c.RememberedPhones = 1 })
			return []*queue.Store{s, s}
		}},
		{"two at one server", func(t *testing.T) []*queue.Store {
			return []*queue.Store{openForNow(t, "", external(remote)), openForNow(t, "", external(remote))}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stores := tt.open(t)
			defer func() { closeAll(t, stores) }()
			histories := 0
			rapid.Check(t, func(rt *rapid.T) {
				histories++
				w := newWorld(histories)
				books := func() []*addressing.Book {
					one := w.directory(rt, stores[0])
					two := one
					if stores[1] != stores[0] {
						two = w.directory(rt, stores[1])
					}
					return []*addressing.Book{w.book(rt, stores[0], one), w.book(rt, stores[1], two)}
				}
				w.instances = books()
				w.restart = func() []*addressing.Book {
					closeAll(t, stores)
					stores = tt.open(t)
					return books()
				}
				rt.Repeat(map[string]func(*rapid.T){
					"at once": w.atOnce, "release": w.release, "stop": w.stop, "start": w.start, "time passes": w.pass, "rename": w.rename,
					"restart": w.mayRestart, "": w.agree,
				})
			})
		})
	}
}

// fewerHistories is for tests whose steps are work for the disk, unless -rapid.checks says how many.
func fewerHistories(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if usual := checks.DefValue; checks.Value.String() == usual {
		_ = checks.Value.Set("25")
		t.Cleanup(func() { _ = checks.Value.Set(usual) })
	}
}

func openForNow(t *testing.T, dir string, adjust ...func(*queue.Config)) *queue.Store {
	t.Helper()
	cfg := queue.Config{Dir: dir, MinFree: -1}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := queue.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeAll(t *testing.T, stores []*queue.Store) {
	t.Helper()
	for _, s := range stores {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// newWorld has phones and people of its own, so that many histories share a store.
func newWorld(n int) *world {
	w := &world{
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), owners: map[pair]use{}, sharers: map[relation]bool{}, stopped: map[relation]bool{},
	}
	for _, name := range []string{"web:ann%d", "xmpp:bob%d@corp.example", "web:carl%d", "matrix:@dora%d:corp.example", "xmpp:emil%d@corp.example"} {
		w.people = append(w.people, addressing.MustParseHandle(fmt.Sprintf(name, n)))
	}
	w.desk = w.people[0]
	for i := range 2 {
		w.phones = append(w.phones, addressing.MustParseMSISDN(fmt.Sprintf("+336%08d", 10_000_000+2*n+i)))
	}
	return w
}

func (w *world) directory(t *rapid.T, s *queue.Store) *addressing.Directory {
	d, err := addressing.NewDirectory(context.Background(), s, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) book(t *rapid.T, s *queue.Store, d *addressing.Directory) *addressing.Book {
	b, err := addressing.NewBook(s, addressing.Config{
		Directory: d, Pool: bookPool, Shared: []addressing.Number{bookShared}, Dedicated: map[addressing.Number]addressing.Handle{bookDesk: w.desk},
		ReleaseAfter: 10 * day, Rest: 5 * day, Now: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(x, y addressing.Conversation) bool {
	sameTime := x.LastUsed.Equal(y.LastUsed)
	x.LastUsed = y.LastUsed
	return sameTime && x == y
}

func (w *world) release(t *rapid.T) {
	h, phone := rapid.SampledFrom(w.people).Draw(t, "handle"), rapid.SampledFrom(w.phones).Draw(t, "phone")
	_, err := w.instances[rapid.IntRange(0, 1).Draw(t, "instance")].Release(context.Background(), h, phone)
	if err != nil && !errors.Is(err, addressing.ErrNobody) {
		t.Fatal(err)
	}
	for p, u := range w.owners {
		if p.phone == phone && u.handle == h {
			u.free = w.now.Add(5 * day)
			if was := w.owners[p]; was.free.Before(u.free) {
				u.free = was.free
			}
			w.owners[p] = u
		}
	}
}

func (w *world) stop(t *rapid.T) {
	h, phone := rapid.SampledFrom(w.people).Draw(t, "handle"), rapid.SampledFrom(w.phones).Draw(t, "phone")
	if _, err := w.instances[0].SetOptout(context.Background(), phone, h, true); err != nil {
		t.Fatal(err)
	}
	w.stopped[relation{phone, h}] = true
}

func (w *world) start(t *rapid.T) {
	phone := rapid.SampledFrom(w.phones).Draw(t, "phone")
	if _, err := w.instances[1].SetOptout(context.Background(), phone, addressing.Handle{}, false); err != nil {
		t.Fatal(err)
	}
	for _, h := range w.people {
		delete(w.stopped, relation{phone, h})
	}
}

// rename gives somebody a name that nobody had. The other instance hears of it.
func (w *world) rename(t *rapid.T) {
	i := rapid.IntRange(0, len(w.people)-1).Draw(t, "who")
	from := w.people[i]
	w.named++
	to := addressing.MustParseHandle(fmt.Sprintf("web:%s-%d", w.desk.ID(), w.named))
	if err := w.instances[rapid.IntRange(0, 1).Draw(t, "instance")].Directory().Rename(context.Background(), from, to); err != nil {
		t.Fatal(err)
	}
	for _, b := range w.instances {
		for end := time.Now().Add(patience); !b.Directory().Gone(from); time.Sleep(100 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatalf("an instance does not hear that %v is %v", from, to)
			}
		}
	}
	w.people[i] = to
	for p, u := range w.owners {
		if u.handle == from {
			w.owners[p] = use{to, u.free}
		}
	}
	for _, all := range []map[relation]bool{w.sharers, w.stopped} {
		for r := range maps.Clone(all) {
			if r.handle == from {
				delete(all, r)
				all[relation{r.phone, to}] = true
			}
		}
	}
}

func (w *world) pass(t *rapid.T) {
	hours := rapid.IntRange(1, 300).Draw(t, "hours")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Duration(hours) * time.Hour)
}

// mayRestart opens everything anew, not too often: it takes a while.
func (w *world) mayRestart(t *rapid.T) {
	if rapid.IntRange(0, 39).Draw(t, "restarts at 0") == 0 {
		w.instances = w.restart()
	}
}

// agree asks both instances in both directions.
func (w *world) agree(t *rapid.T) {
	for _, phone := range w.phones {
		one, err := w.instances[0].Conversations(context.Background(), phone)
		two, err2 := w.instances[1].Conversations(context.Background(), phone)
		if err := errors.Join(err, err2); err != nil || !slices.EqualFunc(one, two, same) {
			t.Fatalf("the instances know %+v and %+v, %v", one, two, err)
		}
		seen := map[addressing.Number]addressing.Handle{}
		for _, c := range one {
			if other, twice := seen[c.Number]; twice && c.Number != bookShared {
				t.Fatalf("%v and %v have %v on %v", other, c.Handle, c.Number, phone)
			}
			seen[c.Number] = c.Handle
			if owner := w.owners[pair{phone, c.Number}].handle; c.Number != bookShared && owner != c.Handle {
				t.Fatalf("%v on %v is %v's; want %v", c.Number, phone, c.Handle, owner)
			}
		}
		for p, u := range w.owners {
			if p.phone == phone && seen[p.number] != u.handle {
				t.Fatalf("%v is %v's; want %v", p, seen[p.number], u.handle)
			}
		}
	}
}
