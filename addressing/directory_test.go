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

// notes is a store of what operators decide, in memory.
type notes struct {
	mu     sync.Mutex
	values map[string][]byte
	revs   map[string]uint64
	seq    uint64
	heard  []func(string, []byte, uint64) error
}

func newNotes() *notes { return &notes{values: map[string][]byte{}, revs: map[string]uint64{}} }

func (n *notes) LoadNote(_ context.Context, key string) ([]byte, uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.values[key] == nil {
		return nil, 0, nil
	}
	return n.values[key], n.revs[key], nil
}

func (n *notes) SaveNote(_ context.Context, key string, value []byte, rev uint64) (uint64, error) {
	n.mu.Lock()
	if (n.values[key] == nil && rev != 0) || n.values[key] != nil && n.revs[key] != rev {
		n.mu.Unlock()
		return 0, fmt.Errorf("notes: %w", addressing.ErrConflict)
	}
	n.seq++
	n.values[key], n.revs[key] = value, n.seq
	seq, heard := n.seq, slices.Clone(n.heard)
	n.mu.Unlock()
	for _, fn := range heard {
		if err := fn(key, value, seq); err != nil {
			return 0, err
		}
	}
	return seq, nil
}

func (n *notes) FollowNotes(_ context.Context, fn func(string, []byte, uint64) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, fn)
	for key, value := range n.values {
		if err := fn(key, value, n.revs[key]); err != nil {
			return err
		}
	}
	return nil
}

func newDirectory(t interface {
	Helper()
	Fatal(...any)
}, n *notes, now func() time.Time,
) *addressing.Directory {
	t.Helper()
	d, err := addressing.NewDirectory(context.Background(), n, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// renaming is a Book whose clock a test moves, with a store and a directory behind it.
type renaming struct {
	*addressing.Book
	t     *testing.T
	store *memory
	notes *notes
	at    time.Time
	cfg   addressing.Config
}

func newRenaming(t *testing.T, cfg addressing.Config) *renaming {
	r := &renaming{t: t, store: newMemory(), notes: newNotes(), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), cfg: cfg}
	r.restart()
	return r
}

func (r *renaming) now() time.Time { return r.at }

// restart is a new process over what is stored.
func (r *renaming) restart() {
	r.t.Helper()
	r.cfg.Now, r.cfg.Directory = r.now, newDirectory(r.t, r.notes, r.now)
	r.Book = newBook(r.t, r.store, r.cfg)
}

func (r *renaming) pass(d time.Duration) { r.at = r.at.Add(d) }

func (r *renaming) assign(h addressing.Handle) addressing.Number {
	r.t.Helper()
	c, err := r.Assign(r.t.Context(), h, phone1)
	if err != nil {
		r.t.Fatal(err)
	}
	return c.Number
}

// owner checks whose an answer over n is; the zero Handle: nobody's.
func (r *renaming) owner(n addressing.Number, want addressing.Handle) {
	r.t.Helper()
	c, err := r.Lookup(r.t.Context(), phone1, n)
	if want.IsZero() && errors.Is(err, addressing.ErrNobody) {
		return
	}
	if err != nil || c.Handle != want {
		r.t.Errorf("%s: an answer over %v is %v's, %v; want %v", r.at.Format(time.DateOnly), n, c.Handle, err, want)
	}
}

func (r *renaming) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

var (
	nobody = addressing.Handle{}
	carl   = addressing.MustParseHandle("xmpp:carl@corp.example")
)

const day = 24 * time.Hour

func TestRename(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool, Dedicated: map[addressing.Number]addressing.Handle{desk: bob}, Inbox: bob})
	n := r.assign(ann)
	_, err := r.SetOptout(t.Context(), phone1, bob, true)
	r.must(err)
	r.pass(day)

	if err := r.Rename(t.Context(), ann, bob, false); !errors.Is(err, addressing.ErrTaken) {
		t.Errorf("a name with a number of its own: %v", err)
	}
	r.must(r.Rename(t.Context(), ann, carl, false))
	r.owner(n, carl)
	if got := r.assign(carl); got != n {
		t.Errorf("the conversation went on over %v, not %v", got, n)
	}
	if !r.Directory().Gone(ann) || r.Directory().Gone(carl) {
		t.Error("ann may write, or carl may not")
	}
	if err := r.Rename(t.Context(), ann, carl, true); !errors.Is(err, addressing.ErrGone) {
		t.Errorf("the same again: %v", err)
	}
	r.restart()
	r.owner(n, carl)

	// What the configuration says under an old name is still about the same person.
	eve := addressing.MustParseHandle("web:eve")
	r.must(r.Rename(t.Context(), bob, eve, false))
	if got, ok := r.Dedicated(eve); !ok || got != desk {
		t.Errorf("eve's number is %v, %v", got, ok)
	}
	r.owner(desk, eve)
	free := pool[slices.IndexFunc(pool, func(other addressing.Number) bool { return other != n })]
	r.owner(free, eve) // the inbox
	if f, err := r.FindNumber(t.Context(), eve, phone1); err != nil || !f.Number.IsZero() {
		t.Errorf("the STOP was forgotten: %+v, %v", f, err)
	}
	// And back.
	r.pass(day)
	r.must(r.Rename(t.Context(), carl, ann, false))
	r.owner(n, ann)
	if r.Directory().Gone(ann) || !r.Directory().Gone(carl) {
		t.Error("ann may not write, or carl may")
	}
	r.pass(200 * day)
	if got := r.assign(ann); got != n {
		t.Errorf("the conversation went on over %v, not %v", got, n)
	}
	r.owner(n, ann)
	r.pass(day)
	r.must(r.Rename(t.Context(), ann, carl, false))
	r.owner(n, carl)
}

// TestRenameMerges: two names of one person make one conversation of two on a shared number.
func TestRenameMerges(t *testing.T) {
	shared := addressing.MustParseNumber("+33700000010")
	r := newRenaming(t, addressing.Config{Shared: []addressing.Number{shared}})
	r.assign(ann)
	r.assign(carl)
	r.pass(day)
	if err := r.Rename(t.Context(), ann, carl, false); !errors.Is(err, addressing.ErrTaken) {
		t.Errorf("a name with conversations: %v", err)
	}
	r.must(r.Rename(t.Context(), ann, carl, true))
	all, err := r.Conversations(t.Context(), phone1)
	if err != nil || len(all) != 1 || all[0].Handle != carl || all[0].Index != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	r.owner(shared, carl)
}

// TestRemove: nobody inherits what was somebody's, unless an operator says that a new person
// has the name, who begins afresh.
func TestRemove(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool[:1], Inbox: bob})
	n := r.assign(ann)
	_, err := r.SetOptout(t.Context(), phone1, ann, true)
	r.must(err)
	r.pass(day)
	r.must(r.Directory().Remove(t.Context(), ann))
	r.owner(n, nobody) // and not the inbox
	if !r.Directory().Gone(ann) {
		t.Error("ann may write")
	}
	if _, err := r.Assign(t.Context(), carl, phone1); !errors.Is(err, addressing.ErrNoNumber) {
		t.Errorf("somebody else got the pair: %v", err)
	}
	// An operator who was wrong takes it back.
	changed, err := r.Directory().Restore(t.Context(), ann)
	r.must(err)
	r.owner(n, ann)
	if f, err := r.FindNumber(t.Context(), ann, phone1); err != nil || !changed || !f.Number.IsZero() {
		t.Errorf("%v: the STOP was forgotten: %+v, %v", changed, f, err)
	}
	r.pass(day)
	r.must(r.Directory().Remove(t.Context(), ann))
	r.pass(day)

	changed, err = r.Directory().Reuse(t.Context(), ann)
	r.must(err)
	if !changed || r.Directory().Gone(ann) {
		t.Error("the new ann may not write")
	}
	r.owner(n, nobody)
	if f, err := r.FindNumber(t.Context(), ann, phone1); err != nil || !f.Number.IsZero() {
		t.Errorf("the new ann has the old one's conversation: %+v, %v", f, err)
	}
	r.pass(40 * day) // the pair has rested
	if got := r.assign(ann); got != n {
		t.Errorf("the new ann got %v", got)
	}
	r.owner(n, ann)
	r.restart()
	r.owner(n, ann)
	if gone := r.Directory().GoneHandles(); len(gone) != 0 {
		t.Errorf("still gone: %v", gone)
	}
}

// TestSkewedClocks: what an instance wrote whose clock is ahead of a change of name.
func TestSkewedClocks(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool})
	n := r.assign(ann)
	r.pass(-time.Minute)
	r.must(r.Rename(t.Context(), ann, carl, false))
	r.owner(n, carl)
	r.pass(-time.Minute)
	r.must(r.Rename(t.Context(), carl, ann, false))
	r.owner(n, ann)
}

// TestRenameModel: whatever names do, each person's conversation stays that person's, on two
// instances and after restarts.
func TestRenameModel(t *testing.T) {
	names := []addressing.Handle{ann, bob, carl, addressing.MustParseHandle("web:dora")}
	rapid.Check(t, func(t *rapid.T) {
		var (
			ctx    = context.Background()
			at     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			now    = func() time.Time { return at }
			store  = newMemory()
			noted  = newNotes()
			people = map[addressing.Handle]int{} // who has the name; 0: nobody ever had it
			gone   = map[addressing.Handle]bool{}
			owns   = map[addressing.Number]int{} // whose a pair is
			next   = 1
			name   = rapid.SampledFrom(names)
			new2   = func() *addressing.Book {
				return newBook(t, store, addressing.Config{Pool: pool, Now: now, Directory: newDirectory(t, noted, now)})
			}
			books = []*addressing.Book{new2(), new2()}
			book  = func(t *rapid.T) *addressing.Book { return rapid.SampledFrom(books).Draw(t, "instance") }
		)
		person := func(h addressing.Handle) int {
			if people[h] == 0 {
				people[h] = next
				next++
			}
			return people[h]
		}
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) {
				h := name.Draw(t, "handle")
				if gone[h] {
					if !book(t).Directory().Gone(h) {
						t.Fatalf("%v is not gone", h)
					}
					return
				}
				c, err := book(t).Assign(ctx, h, phone1)
				if errors.Is(err, addressing.ErrNoNumber) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if was, had := owns[c.Number]; had && was != person(h) {
					t.Fatalf("%v got the number of person %d", h, was)
				}
				owns[c.Number] = person(h)
			},
			"rename": func(t *rapid.T) {
				from, to := name.Draw(t, "from"), name.Draw(t, "to")
				err := book(t).Rename(ctx, from, to, false)
				if err == nil {
					people[to], gone[to], gone[from] = person(from), false, true
				} else if !errors.Is(err, addressing.ErrInvalid) {
					t.Fatal(err)
				}
			},
			"remove": func(t *rapid.T) {
				h := name.Draw(t, "handle")
				if err := book(t).Directory().Remove(ctx, h); err == nil {
					for n, p := range owns {
						if p == person(h) {
							owns[n] = -1
						}
					}
					gone[h] = true
					delete(people, h)
				} else if !errors.Is(err, addressing.ErrGone) || !gone[h] {
					t.Fatal(err)
				}
			},
			"reuse": func(t *rapid.T) {
				h := name.Draw(t, "handle")
				changed, err := book(t).Directory().Reuse(ctx, h)
				if err != nil || changed != gone[h] {
					t.Fatalf("%v, %v; want %v", changed, err, gone[h])
				}
				if changed {
					gone[h] = false
					delete(people, h)
				}
			},
			"restart": func(t *rapid.T) { books[rapid.IntRange(0, 1).Draw(t, "which")] = new2() },
			"time passes": func(t *rapid.T) {
				at = at.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
			},
			"": func(t *rapid.T) {
				at = at.Add(time.Second)
				for n, p := range owns {
					for _, b := range books {
						f, err := b.FindReply(ctx, phone1, n)
						switch {
						case err != nil:
							t.Fatal(err)
						case p < 0 && !f.Handle.IsZero():
							t.Fatalf("%v inherited from somebody who was removed", f.Handle)
						case p > 0 && (gone[f.Handle] || people[f.Handle] != p):
							t.Fatalf("person %d's answer goes to %v, who is person %d (%s)", p, f.Handle, people[f.Handle], f.Why)
						}
					}
				}
			},
		})
	})
}

func TestNothingChangesWithoutAStore(t *testing.T) {
	b := newBook(t, newMemory(), addressing.Config{Pool: pool})
	if err := b.Rename(t.Context(), ann, bob, false); err == nil || b.Directory().Gone(ann) {
		t.Errorf("renamed: %v", err)
	}
}
