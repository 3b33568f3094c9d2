package addressing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"smsbridge/addressing"
)

// memory is a Store with the compare-and-set of the real one, which has its own
// tests in the queue room; here thousands of histories run over it. Between a load
// and a save of one instance, another may get in.
type memory struct {
	mu      sync.Mutex
	records map[addressing.MSISDN]addressing.Record
	revs    map[addressing.MSISDN]uint64
	between func()
}

func newMemory() *memory {
	return &memory{records: map[addressing.MSISDN]addressing.Record{}, revs: map[addressing.MSISDN]uint64{}}
}

func (s *memory) LoadRecord(_ context.Context, phone addressing.MSISDN) (addressing.Record, uint64, error) {
	s.mu.Lock()
	r, rev := s.records[phone], s.revs[phone]
	between := s.between
	s.between = nil
	s.mu.Unlock()
	if between != nil {
		between()
	}
	return r, rev, nil
}

func (s *memory) SaveRecord(_ context.Context, phone addressing.MSISDN, r addressing.Record, rev uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revs[phone] != rev {
		return fmt.Errorf("memory: %w", addressing.ErrConflict)
	}
	s.records[phone] = r
	s.revs[phone]++
	return nil
}

func (s *memory) RangeRecords(_ context.Context, fn func(addressing.MSISDN, addressing.Record) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for phone, r := range s.records {
		if !fn(phone, r) {
			return nil
		}
	}
	return nil
}

var (
	ann    = addressing.MustParseHandle("web:ann")
	bob    = addressing.MustParseHandle("xmpp:bob@corp.example")
	phone1 = addressing.MustParseMSISDN("+33612345678")
	pool   = []addressing.Number{
		addressing.MustParseNumber("+33700000001"), addressing.MustParseNumber("+33700000002"), addressing.MustParseNumber("+33700000003"),
	}
	desk = addressing.MustParseNumber("+33700000009")
)

func newBook(t interface {
	Helper()
	Fatal(...any)
}, store addressing.Store, cfg addressing.Config,
) *addressing.Book {
	t.Helper()
	b, err := addressing.NewBook(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAssignIsStickyAndAnsweredToItsOwner(t *testing.T) {
	b := newBook(t, newMemory(), addressing.Config{Pool: pool})
	first, err := b.Assign(t.Context(), ann, phone1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Assign(t.Context(), ann, phone1)
	if err != nil || again.Number != first.Number {
		t.Fatalf("second Assign = %v, %v; want %v", again.Number, err, first.Number)
	}
	owner, err := b.Lookup(t.Context(), phone1, first.Number)
	if err != nil || owner.Handle != ann {
		t.Fatalf("Lookup = %v, %v; want %v", owner.Handle, err, ann)
	}
}

func TestDedicatedNumber(t *testing.T) {
	b := newBook(t, newMemory(), addressing.Config{Pool: pool, Dedicated: map[addressing.Number]addressing.Handle{desk: ann}})
	if c, err := b.Lookup(t.Context(), phone1, desk); err != nil || c.Handle != ann {
		t.Fatalf("first contact: %v, %v; want %v", c.Handle, err, ann)
	}
	if c, err := b.Assign(t.Context(), ann, phone1); err != nil || c.Number != desk {
		t.Fatalf("Assign = %v, %v; want %v", c.Number, err, desk)
	}
	if c, err := b.Assign(t.Context(), bob, phone1); err != nil || c.Number == desk {
		t.Fatalf("another handle got %v, %v", c.Number, err)
	}
}

func TestFirstContactOverThePool(t *testing.T) {
	b := newBook(t, newMemory(), addressing.Config{Pool: pool})
	if _, err := b.Lookup(t.Context(), phone1, pool[0]); !errors.Is(err, addressing.ErrNobody) {
		t.Fatalf("Lookup = %v; want ErrNobody", err)
	}
	b = newBook(t, newMemory(), addressing.Config{Pool: pool, Inbox: bob})
	if c, err := b.Lookup(t.Context(), phone1, pool[0]); err != nil || c.Handle != bob {
		t.Fatalf("Lookup = %v, %v; want the inbox", c.Handle, err)
	}
	if _, err := b.Lookup(t.Context(), phone1, desk); !errors.Is(err, addressing.ErrNobody) {
		t.Fatalf("Lookup of a foreign number = %v; want ErrNobody", err)
	}
}

func TestPoolUsedUp(t *testing.T) {
	b := newBook(t, newMemory(), addressing.Config{Pool: pool[:1]})
	if _, err := b.Assign(t.Context(), ann, phone1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Assign(t.Context(), bob, phone1); !errors.Is(err, addressing.ErrNoNumber) {
		t.Fatalf("Assign = %v; want ErrNoNumber", err)
	}
}

func TestRetiredNumberStillAnswersItsOwner(t *testing.T) {
	store := newMemory()
	old, err := newBook(t, store, addressing.Config{Pool: pool[:1]}).Assign(t.Context(), ann, phone1)
	if err != nil {
		t.Fatal(err)
	}
	b := newBook(t, store, addressing.Config{Pool: pool[1:]})
	next, err := b.Assign(t.Context(), ann, phone1)
	if err != nil || next.Number == old.Number {
		t.Fatalf("Assign = %v, %v; want a number of the new pool", next.Number, err)
	}
	for _, n := range []addressing.Number{old.Number, next.Number} {
		if c, err := b.Lookup(t.Context(), phone1, n); err != nil || c.Handle != ann {
			t.Errorf("Lookup(%v) = %v, %v; want %v", n, c.Handle, err, ann)
		}
	}
}

func TestTwoInstancesAtOnce(t *testing.T) {
	store := newMemory()
	one := newBook(t, store, addressing.Config{Pool: pool[:1]})
	two := newBook(t, store, addressing.Config{Pool: pool[:1]})
	store.between = func() {
		if _, err := two.Assign(context.Background(), bob, phone1); err != nil {
			t.Error(err)
		}
	}
	if _, err := one.Assign(t.Context(), ann, phone1); !errors.Is(err, addressing.ErrNoNumber) {
		t.Fatalf("the loser of the race got %v; want ErrNoNumber", err)
	}
}

func TestBadConfig(t *testing.T) {
	name := addressing.MustParseNumber("Acme")
	for _, cfg := range []addressing.Config{
		{Pool: []addressing.Number{name}},
		{Pool: pool, Dedicated: map[addressing.Number]addressing.Handle{pool[0]: ann}},
		{Dedicated: map[addressing.Number]addressing.Handle{pool[0]: ann, pool[1]: ann}},
	} {
		if _, err := addressing.NewBook(newMemory(), cfg); err == nil {
			t.Errorf("NewBook(%+v) found nothing wrong", cfg)
		}
	}
}

// TestBookKeepsItsPromises runs random histories of people, phones and restarts
// against a model: what Assign gave, Lookup finds, and no two handles share a pair.
func TestBookKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pair struct {
			phone  addressing.MSISDN
			number addressing.Number
		}
		ctx := context.Background()
		store := newMemory()
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		cfg := addressing.Config{
			Pool: pool, Dedicated: map[addressing.Number]addressing.Handle{desk: ann}, Now: func() time.Time { return now },
		}
		instances := []*addressing.Book{newBook(t, store, cfg), newBook(t, store, cfg)}
		owners := map[pair]addressing.Handle{}
		handles := rapid.SampledFrom([]addressing.Handle{
			ann, bob, addressing.MustParseHandle("web:carl"), addressing.MustParseHandle("web:dora"), addressing.MustParseHandle("web:emil"),
		})
		phones := rapid.SampledFrom([]addressing.MSISDN{phone1, addressing.MustParseMSISDN("+33612345679")})
		numbers := rapid.SampledFrom(append(slices.Clone(pool), desk))
		promise := func(c addressing.Conversation) {
			p := pair{c.Phone, c.Number}
			if owner, known := owners[p]; known && owner != c.Handle {
				t.Fatalf("%v over %v was %v's and is now %v's", c.Phone, c.Number, owner, c.Handle)
			}
			owners[p] = c.Handle
		}
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				h, phone := handles.Draw(t, "handle"), phones.Draw(t, "phone")
				c, err := rapid.SampledFrom(instances).Draw(t, "instance").Assign(ctx, h, phone)
				if errors.Is(err, addressing.ErrNoNumber) {
					for _, n := range pool {
						if owner := owners[pair{phone, n}]; owner.IsZero() || owner == h {
							t.Fatalf("%v is free for %v", n, h)
						}
					}
					return
				}
				if err != nil || c.Handle != h || c.Phone != phone {
					t.Fatalf("Assign(%v, %v) = %+v, %v", h, phone, c, err)
				}
				promise(c)
			},
			"lookup": func(t *rapid.T) {
				phone, n := phones.Draw(t, "phone"), numbers.Draw(t, "number")
				c, err := rapid.SampledFrom(instances).Draw(t, "instance").Lookup(ctx, phone, n)
				want, known := owners[pair{phone, n}]
				switch {
				case err == nil:
					promise(c)
				case !errors.Is(err, addressing.ErrNobody), known, n == desk:
					t.Fatalf("Lookup(%v, %v) = %v; want %v", phone, n, err, want)
				}
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 72).Draw(t, "hours")) * time.Hour)
			},
			"restart": func(t *rapid.T) {
				instances[rapid.IntRange(0, 1).Draw(t, "which")] = newBook(t, store, cfg)
			},
			"": func(t *rapid.T) {
				for p, h := range owners {
					if c, err := instances[0].Lookup(ctx, p.phone, p.number); err != nil || c.Handle != h {
						t.Fatalf("Lookup(%v, %v) = %v, %v; want %v", p.phone, p.number, c.Handle, err, h)
					}
				}
			},
		})
	})
}
