package addressing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of the Book.
var (
	// ErrNoNumber: every Number is taken on this phone by other handles.
	ErrNoNumber = errors.New("addressing: no number is free for this conversation")
	// ErrNobody: nobody owns a conversation with this phone over this Number.
	ErrNobody = errors.New("addressing: the number belongs to nobody on this phone")
)

// touchEvery is how stale LastUsed may be. Writing it for each message would double
// the cost of the look-up for nothing: conversations are released after weeks.
const touchEvery = 24 * time.Hour

// maxConflicts bounds how often a lost compare-and-set is tried again. Each loss
// means that another writer won, so the record moves on.
const maxConflicts = 64

// Config says which Numbers there are.
type Config struct {
	// Dedicated gives a Number to one handle on every phone.
	Dedicated map[Number]Handle
	// Pool is shared: each handle gets a Number of it for each phone.
	Pool []Number
	// Inbox, if set, gets what a phone sends to a pool Number over which nobody has
	// written to it.
	Inbox Handle
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Book maps phones to handles and back. All methods may be called concurrently, by
// any number of instances over one Store.
type Book struct {
	store     Store
	dedicated map[Handle]Number
	owners    map[Number]Handle
	pool      []Number
	inbox     Handle
	now       func() time.Time
}

// NewBook makes a Book over store. It refuses two dedicated Numbers of one handle, a
// Number that is dedicated and in the pool, and one in the pool that nobody can answer.
func NewBook(store Store, cfg Config) (*Book, error) {
	b := &Book{
		store:     store,
		dedicated: make(map[Handle]Number, len(cfg.Dedicated)),
		owners:    make(map[Number]Handle, len(cfg.Dedicated)),
		inbox:     cfg.Inbox,
		now:       cfg.Now,
	}
	if b.now == nil {
		b.now = time.Now
	}
	for n, h := range cfg.Dedicated {
		if other, twice := b.dedicated[h]; twice {
			return nil, fmt.Errorf("addressing: %s has two dedicated numbers, %s and %s", h, other, n)
		}
		b.dedicated[h] = n
		b.owners[n] = h
	}
	for _, n := range cfg.Pool {
		if _, dedicated := b.owners[n]; dedicated {
			return nil, fmt.Errorf("addressing: %s is dedicated and in the pool", n)
		}
		if !n.CanReply() {
			return nil, fmt.Errorf("addressing: nobody can answer %s, so it cannot be in the pool", n)
		}
		if !slices.Contains(b.pool, n) {
			b.pool = append(b.pool, n)
		}
	}
	return b, nil
}

// Assign finds or makes the conversation over which h reaches phone: the one there
// is, else h's dedicated Number, else the first Number of the pool, in the order of
// rendezvous hashing, that no other handle has on this phone. The error wraps
// [ErrNoNumber] where there is none.
func (b *Book) Assign(ctx context.Context, h Handle, phone MSISDN) (Conversation, error) {
	return b.update(ctx, phone, func(r *Record) (Entry, error) {
		for _, e := range r.Entries {
			if e.Handle == h && b.current(e.Number, h) {
				return e, nil
			}
		}
		for _, n := range b.choices(h, phone) {
			if _, taken := r.owner(n); !taken {
				return Entry{Number: n, Handle: h}, nil
			}
		}
		return Entry{}, fmt.Errorf("%w: %s to %s", ErrNoNumber, h, phone.Masked())
	})
}

// Lookup tells whose a message from phone to n is. Where there is no conversation
// yet, the owner of a dedicated Number gets it, or else the inbox; the error wraps
// [ErrNobody] where there is neither.
func (b *Book) Lookup(ctx context.Context, phone MSISDN, n Number) (Conversation, error) {
	return b.update(ctx, phone, func(r *Record) (Entry, error) {
		if e := r.entry(n); e != nil {
			return *e, nil
		}
		if h, dedicated := b.owners[n]; dedicated {
			return Entry{Number: n, Handle: h}, nil
		}
		if !b.inbox.IsZero() && slices.Contains(b.pool, n) {
			return Entry{Number: n, Handle: b.inbox}, nil
		}
		return Entry{}, fmt.Errorf("%w: %s from %s", ErrNobody, n, phone.Masked())
	})
}

// update finds an entry of the phone's record by choose, and stores it where it is
// new or has not been touched for long.
func (b *Book) update(ctx context.Context, phone MSISDN, choose func(*Record) (Entry, error)) (Conversation, error) {
	var err error
	for range maxConflicts {
		r, rev, loadErr := b.store.LoadRecord(ctx, phone)
		if loadErr != nil {
			return Conversation{}, loadErr
		}
		e, chooseErr := choose(&r)
		if chooseErr != nil {
			return Conversation{}, chooseErr
		}
		now := b.now().UTC()
		if now.Sub(e.LastUsed) < touchEvery {
			return e.conversation(phone), nil
		}
		next := r
		e.LastUsed = now
		if e.Created.IsZero() {
			e.Created = now
			if next, err = r.with(e); err != nil {
				return Conversation{}, err
			}
		} else {
			next.Entries = slices.Clone(r.Entries)
			next.entry(e.Number).LastUsed = now
		}
		if err = b.store.SaveRecord(ctx, phone, next, rev); err == nil {
			return e.conversation(phone), nil
		}
		if !errors.Is(err, ErrConflict) {
			return Conversation{}, err
		}
	}
	return Conversation{}, err
}

// current tells whether n is still a Number that h may write from.
func (b *Book) current(n Number, h Handle) bool {
	if owner, dedicated := b.owners[n]; dedicated {
		return owner == h
	}
	return slices.Contains(b.pool, n)
}

// choices are the Numbers that h may have on phone, best first.
func (b *Book) choices(h Handle, phone MSISDN) []Number {
	ranked := rank(b.pool, h, phone)
	if n, ok := b.dedicated[h]; ok {
		return append([]Number{n}, ranked...)
	}
	return ranked
}

// Conversations lists the conversations of phone.
func (b *Book) Conversations(ctx context.Context, phone MSISDN) ([]Conversation, error) {
	r, _, err := b.store.LoadRecord(ctx, phone)
	if err != nil {
		return nil, err
	}
	all := make([]Conversation, len(r.Entries))
	for i, e := range r.Entries {
		all[i] = e.conversation(phone)
	}
	return all, nil
}

// ConversationsOf lists the conversations of h. It reads every record: for an
// operator's question, not for the road of a message.
func (b *Book) ConversationsOf(ctx context.Context, h Handle) ([]Conversation, error) {
	return b.search(ctx, func(e Entry) bool { return e.Handle == h })
}

// ConversationsOver lists the conversations over n, of any handle. It reads every record.
func (b *Book) ConversationsOver(ctx context.Context, n Number) ([]Conversation, error) {
	return b.search(ctx, func(e Entry) bool { return e.Number == n })
}

func (b *Book) search(ctx context.Context, match func(Entry) bool) ([]Conversation, error) {
	var all []Conversation
	err := b.store.RangeRecords(ctx, func(phone MSISDN, r Record) bool {
		for _, e := range r.Entries {
			if match(e) {
				all = append(all, e.conversation(phone))
			}
		}
		return true
	})
	slices.SortFunc(all, func(x, y Conversation) int { return y.LastUsed.Compare(x.LastUsed) })
	return all, err
}

// Dedicated is the Number that belongs to h on every phone.
func (b *Book) Dedicated(h Handle) (Number, bool) {
	n, ok := b.dedicated[h]
	return n, ok
}

// OwnerOf is the handle that n is dedicated to.
func (b *Book) OwnerOf(n Number) (Handle, bool) {
	h, ok := b.owners[n]
	return h, ok
}

// InPool tells whether n is one of the pool.
func (b *Book) InPool(n Number) bool { return slices.Contains(b.pool, n) }
