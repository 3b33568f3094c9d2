package smsc

import (
	"context"
	"slices"
	"sync"

	"smsbridge/smpp"
)

// maxOwners bounds how many of the clients' own numbers are remembered.
const maxOwners = 10_000

// binds knows which accounts are bound to receive, and which account a number of
// theirs belongs to.
type binds struct {
	mu      sync.Mutex
	receive map[string][]*smpp.Session // by system_id
	turn    int
	owner   map[string]string // digits of a client's number: the account that wrote from it
	changed chan struct{}     // closed and replaced at each new bind
}

func newBinds() *binds {
	return &binds{receive: make(map[string][]*smpp.Session), owner: make(map[string]string), changed: make(chan struct{})}
}

func (b *binds) add(account string, s *smpp.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receive[account] = append(b.receive[account], s)
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *binds) remove(account string, s *smpp.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := slices.DeleteFunc(b.receive[account], func(x *smpp.Session) bool { return x == s })
	if len(left) == 0 {
		delete(b.receive, account)
		return
	}
	b.receive[account] = left
}

// own notes that account writes from number.
func (b *binds) own(number, account string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.owner[number]; !known && len(b.owner) >= maxOwners {
		clear(b.owner)
	}
	b.owner[number] = account
}

// receiver gives a bind that receives for the account, in turn, and what tells of the
// next new bind. An empty account means the one that owns number, or any where nobody
// does. It is not the bind not if there is another, and nil while there is none.
func (b *binds) receiver(account, number string, not *smpp.Session) (*smpp.Session, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if account == "" {
		account = b.owner[number]
	}
	var all []*smpp.Session
	if account != "" {
		all = b.receive[account]
	} else {
		for _, some := range b.receive {
			all = append(all, some...)
		}
	}
	if len(all) == 0 {
		return nil, b.changed
	}
	b.turn++
	if all[b.turn%len(all)] == not {
		b.turn++
	}
	return all[b.turn%len(all)], b.changed
}

// wait blocks until there is a bind that receives for the account, or ctx ends.
func (b *binds) wait(ctx context.Context, account, number string, not *smpp.Session) (*smpp.Session, <-chan struct{}, error) {
	for {
		s, changed := b.receiver(account, number, not)
		if s != nil {
			return s, changed, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}
