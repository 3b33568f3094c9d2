package addressing

import (
	"context"
	"slices"
	"time"
)

// Census is what the records of all phones say together.
type Census struct {
	At   time.Time     // when it was begun
	Took time.Duration // the reading of all records
	// Open counts the conversations that are not over, and Numbers the Numbers that take new ones, by what
	// they are for: UsePool, UseShared and UseDedicated. Of a number that the bridge no longer has, a
	// conversation counts nowhere.
	Open, Numbers map[string]int
	// Optouts counts those of phones and operators, each pair of phone and handle and each phone for all.
	Optouts int
	// PoolTaken counts phones on which no Number of the pool is free any more, be it that a conversation is open or
	// that its pair rests: the next person who writes to them gets a shared Number, or none.
	PoolTaken int
}

// Census counts. It reads every record of a phone, some 100,000 a second, and stops when ctx ends.
func (b *Book) Census(ctx context.Context) (Census, error) {
	c := Census{At: b.now(), Open: make(map[string]int), Numbers: make(map[string]int)}
	began := time.Now()
	pool, _ := b.numbers()
	open := make(map[Number]int)
	err := b.rangeRecords(ctx, func(phone MSISDN, r *Record) bool {
		b.countOpen(r, open)
		c.Optouts += len(r.optouts(phone))
		if b.full(r, phone, pool) {
			c.PoolTaken++
		}
		return true
	})
	if err != nil {
		return Census{}, err
	}
	for _, n := range b.views(open) {
		c.Open[n.Use] += n.Open
		if n.RetiredAt.IsZero() {
			c.Numbers[n.Use]++
		}
	}
	c.Took = time.Since(began)
	return c, nil
}

// full tells whether there are Numbers of pool for a phone, and none that a new person may have.
func (b *Book) full(r *Record, phone MSISDN, pool []Number) bool {
	some := false
	for _, n := range pool {
		switch {
		case !reaches(n, phone) || b.Retired(n):
		case !slices.ContainsFunc(r.held(n), func(e *Entry) bool { return b.now().Before(b.freeFrom(e)) }):
			return false
		default:
			some = true
		}
	}
	return some
}
