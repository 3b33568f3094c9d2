package addressing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Errors of the Book.
var (
	// ErrNoNumber: every Number is taken on this phone by other handles.
	ErrNoNumber = errors.New("addressing: no number is free for this conversation")
	// ErrNobody: nobody owns a conversation with this phone over this Number.
	ErrNobody = errors.New("addressing: the number belongs to nobody on this phone")
	// ErrStopped: the phone has said STOP, to this handle or to all.
	ErrStopped = errors.New("addressing: the phone wants no messages")
)

// touchEvery is how stale LastUsed may be. Writing it for each message would double
// the cost of the look-up for nothing: conversations are released after weeks.
const touchEvery = 24 * time.Hour

// maxConflicts bounds how often a lost compare-and-set is tried again. Each loss
// means that another writer won, so the record moves on.
const maxConflicts = 64

// maxShared is how many conversations a shared Number has on a phone before those that
// are long over are forgotten.
const maxShared = 50

// Config says which Numbers there are.
type Config struct {
	// Dedicated gives a Number to one handle on every phone.
	Dedicated map[Number]Handle
	// Pool is shared out: each handle gets a Number of it for each phone, alone.
	Pool []Number
	// Shared Numbers have several handles on one phone. They come last.
	Shared []Number
	// Inbox, if set, gets what a phone sends to a pool or shared Number over which nobody
	// has written to it.
	Inbox Handle
	// Inboxes are those of single Numbers, before Inbox. The zero Handle: nobody.
	Inboxes map[Number]Handle
	// ReleaseAfter is the silence after which a conversation is over, at least 2 days.
	// Default 90 days.
	ReleaseAfter time.Duration
	// Rest is how long after that its pair of phone and Number still belongs to its handle,
	// so that a late reply is no stranger's. Default 30 days.
	Rest time.Duration
	// Readable says why what phones send to a short code could not be recognised, and Served why
	// nobody would read what is for a handle. They are asked before an operator adds either while
	// the bridge runs. Nil: nothing is against it.
	Readable func(Number) error
	Served   func(Handle) error
	// Directory is what operators have decided while the bridge runs. Nil: nothing.
	Directory *Directory
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Book maps phones to handles and back. All methods may be called concurrently, by
// any number of instances over one Store.
type Book struct {
	store Store
	dir   *Directory
	now   func() time.Time
	file  atomic.Pointer[plan]
}

// plan is the Numbers of one configuration. It does not change.
type plan struct {
	dedicated    map[Handle]Number
	owners       map[Number]Handle
	pool, shared []Number
	uses         map[Number]string // what each of all these is for: a look-up asks, whatever the size of the pool
	inbox        Handle
	inboxes      map[Number]Handle
	releaseAfter time.Duration
	rest         time.Duration
	readable     func(Number) error
	served       func(Handle) error
}

// plan is the Numbers that are configured now.
func (b *Book) plan() *plan { return b.file.Load() }

// NewBook makes a Book over store. It refuses two dedicated Numbers of one handle, a
// Number that stands twice, and one in the pool that nobody can answer.
func NewBook(store Store, cfg Config) (*Book, error) {
	b := &Book{store: store, dir: cfg.Directory, now: cfg.Now}
	if b.now == nil {
		b.now = time.Now
	}
	if b.dir == nil {
		b.dir, _ = NewDirectory(context.Background(), nil, b.now) // without a store it cannot fail
	}
	apply, err := b.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	apply()
	return b, nil
}

// Prepare checks Numbers that may take the place of those there are; apply puts them in place.
// Conversations go on as after a restart with them. The Directory and the clock stay.
func (b *Book) Prepare(cfg Config) (apply func(), err error) {
	p := &plan{
		dedicated: make(map[Handle]Number, len(cfg.Dedicated)), owners: make(map[Number]Handle, len(cfg.Dedicated)),
		uses:  make(map[Number]string, len(cfg.Dedicated)+len(cfg.Pool)+len(cfg.Shared)),
		inbox: cfg.Inbox, inboxes: cfg.Inboxes,
		releaseAfter: cmp.Or(cfg.ReleaseAfter, 90*24*time.Hour), rest: cmp.Or(cfg.Rest, 30*24*time.Hour),
		readable: cfg.Readable, served: cfg.Served,
	}
	if p.releaseAfter < 2*touchEvery {
		return nil, fmt.Errorf("addressing: conversations cannot be released after %s: last use is known to the day", p.releaseAfter)
	}
	for n, h := range cfg.Dedicated {
		if other, twice := p.dedicated[h]; twice {
			return nil, fmt.Errorf("addressing: %s has two dedicated numbers, %s and %s", h, other, n)
		}
		p.dedicated[h] = n
		p.owners[n], p.uses[n] = h, UseDedicated
	}
	for _, n := range cfg.Pool {
		if p.uses[n] == UseDedicated {
			return nil, fmt.Errorf("addressing: %s is dedicated and in the pool", n)
		}
		if !n.CanReply() {
			return nil, fmt.Errorf("addressing: nobody can answer %s, so it cannot be in the pool", n)
		}
		if p.uses[n] == "" {
			p.pool, p.uses[n] = append(p.pool, n), UsePool
		}
	}
	for _, n := range cfg.Shared {
		switch p.uses[n] {
		case "":
			p.shared, p.uses[n] = append(p.shared, n), UseShared
		case UseShared: // it stands there twice
		default:
			return nil, fmt.Errorf("addressing: %s is shared, and dedicated or in the pool", n)
		}
	}
	return func() { b.file.Store(p) }, nil
}

// Assign finds or makes the conversation over which h reaches phone: the one there
// is, else h's dedicated Number, else the first Number of the pool, in the order of
// rendezvous hashing, that no other handle has on this phone, else a shared one. A pair
// whose conversation is long over is given away only where none is free. The error
// wraps [ErrNoNumber] where there is none, and [ErrStopped] where the phone wants no
// messages of h.
func (b *Book) Assign(ctx context.Context, h Handle, phone MSISDN) (Conversation, error) {
	return b.use(ctx, phone, func(r *Record) (*Entry, error) {
		if r.stopped(h) {
			return nil, fmt.Errorf("%w: %s to %s", ErrStopped, h, phone.Masked())
		}
		if e := b.ongoing(r, h, phone); e != nil {
			return e, nil
		}
		if n, why := b.choose(r, h, phone); why != "" {
			return b.add(r, n, h), nil
		}
		return nil, fmt.Errorf("%w: %s to %s", ErrNoNumber, h, phone.Masked())
	})
}

// ongoing is the conversation of h that there is: of several, over the best Number.
func (b *Book) ongoing(r *Record, h Handle, phone MSISDN) *Entry {
	var found *Entry
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Handle != h || !b.current(e.Number, h) || !reaches(e.Number, phone) || b.Retired(e.Number) && !b.open(e) {
			continue
		}
		// One that began over a shared Number goes on there: the phone knows it so.
		if found == nil || found.ReleasedAt.After(e.ReleasedAt) {
			found = e
		}
	}
	return found
}

// choose is the Number for a new conversation of h, and why: one that nobody has on this
// phone, or else one whose owner has been silent for long enough. Without a reason there
// is none.
func (b *Book) choose(r *Record, h Handle, phone MSISDN) (n Number, why string) {
	serves := func(n Number) bool { return reaches(n, phone) && !b.Retired(n) }
	if n, ok := b.Dedicated(h); ok && serves(n) {
		return n, "it is the handle's own number"
	}
	pool, shared := b.numbers()
	ranked := slices.DeleteFunc(rank(pool, h, phone), func(n Number) bool { return !serves(n) })
	for _, n := range ranked {
		if len(r.held(n)) == 0 {
			return n, "it is the first number of the pool, in the order of this handle and phone, that nobody has on this phone"
		}
	}
	for _, n := range ranked {
		if !slices.ContainsFunc(r.held(n), func(e *Entry) bool { return b.now().Before(b.freeFrom(e)) }) {
			return n, "no number of the pool is free on this phone; of this one the conversation is over and has rested"
		}
	}
	for _, n := range rank(shared, h, phone) {
		if serves(n) {
			return n, "the handle has no number of its own on this phone, so it gets a shared one"
		}
	}
	return Number{}, ""
}

// overFrom is when a conversation is over: it was ended, or nobody has written for long.
// No sweep does that: it follows from the record whenever that is read, on every instance.
func (b *Book) overFrom(e *Entry) time.Time {
	if !e.ReleasedAt.IsZero() {
		return e.ReleasedAt
	}
	return e.LastUsed.Add(b.plan().releaseAfter)
}

// freeFrom is when the pair may be given to another.
func (b *Book) freeFrom(e *Entry) time.Time { return b.overFrom(e).Add(b.plan().rest) }

func (b *Book) open(e *Entry) bool { return b.now().Before(b.overFrom(e)) }

// add makes a conversation. On a Number that is not shared it takes the place of all that
// were there: choose has looked that they are long over.
func (b *Book) add(r *Record, n Number, h Handle) *Entry {
	e := Entry{Number: n, Handle: h, Created: b.now().UTC()}
	if b.Shared(n) {
		e.Index = r.nextIndex(n)
		if len(r.held(n)) >= maxShared {
			r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool { return e.Number == n && !b.now().Before(b.freeFrom(&e)) })
		}
	} else {
		r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool { return e.Number == n })
	}
	r.Entries = append(r.Entries, e)
	return &r.Entries[len(r.Entries)-1]
}

// use finds an entry of the phone's record by choose, which may change the copy of the
// record that it gets, and stores it where it is new, was over, or has not been touched
// for long.
func (b *Book) use(ctx context.Context, phone MSISDN, choose func(*Record) (*Entry, error)) (c Conversation, err error) {
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		e, err := choose(r)
		if err != nil {
			return false, err
		}
		now := b.now().UTC()
		stale := now.Sub(e.LastUsed) >= touchEvery || !e.ReleasedAt.IsZero()
		if stale {
			e.LastUsed, e.ReleasedAt = now, time.Time{}
		}
		c = e.conversation(phone)
		return stale, nil
	})
	return c, err
}

// change loads the record of phone, has it changed, and stores it if edit says so. Where
// another writer was first it begins again.
func (b *Book) change(ctx context.Context, phone MSISDN, edit func(*Record) (bool, error)) error {
	var err error
	for range maxConflicts {
		next, rev, loadErr := b.load(ctx, phone)
		if loadErr != nil {
			return loadErr
		}
		changed, editErr := edit(&next)
		if editErr != nil || !changed {
			return editErr
		}
		if err = b.store.SaveRecord(ctx, phone, next, rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// load is a copy of the record of phone, with the names of today.
func (b *Book) load(ctx context.Context, phone MSISDN) (Record, uint64, error) {
	r, rev, err := b.store.LoadRecord(ctx, phone)
	if err != nil {
		return Record{}, 0, err
	}
	r = r.clone()
	b.dir.renamed(&r)
	return r, rev, nil
}

// rangeRecords calls fn with a copy of each record until it returns false.
func (b *Book) rangeRecords(ctx context.Context, fn func(MSISDN, *Record) bool) error {
	return b.store.RangeRecords(ctx, func(phone MSISDN, r Record) bool {
		r = r.clone()
		b.dir.renamed(&r)
		return fn(phone, &r)
	})
}
