package addressing

import (
	"context"
	"fmt"
	"time"
)

// Take makes the conversation of h with phone over n, or opens it again, for an operator who
// brings conversations from elsewhere. It tells whether that is new. The error wraps [ErrInvalid] where n cannot be h's on this phone, and [ErrGone] where h is not in use.
func (b *Book) Take(ctx context.Context, h Handle, phone MSISDN, n Number) (changed bool, err error) {
	if b.dir.Gone(h) {
		return false, fmt.Errorf("%w: %s", ErrGone, h)
	}
	switch {
	case !b.Ours(n):
		return false, fmt.Errorf("%w: %s is no number of this bridge; smsbridge number ls lists them", ErrInvalid, n)
	case !b.current(n, h):
		owner, _ := b.OwnerOf(n)
		return false, fmt.Errorf("%w: %s is the own number of %s", ErrInvalid, n, owner)
	case !reaches(n, phone):
		return false, fmt.Errorf("%w: %s means nothing in the country of this phone", ErrInvalid, n)
	}
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		e := r.entry(n, h)
		if changed = e == nil || !b.open(e); !changed {
			return false, nil
		}
		if b.Retired(n) {
			return false, fmt.Errorf("%w: %s is retired; smsbridge number retire --undo takes it back", ErrInvalid, n)
		}
		if e == nil {
			if other := b.holder(r, n); !b.Shared(n) && other != nil {
				return false, fmt.Errorf("%w: %s is with this phone %s's until %s; choose another, or leave the number empty",
					ErrInvalid, n, other.Handle, date(b.freeFrom(other)))
			}
			e = b.add(r, n, h)
		}
		e.LastUsed, e.ReleasedAt = b.now().UTC(), time.Time{}
		return true, nil
	})
	return changed && err == nil, err
}

// holder is who has n on the phone of r, so that it cannot be another's.
func (b *Book) holder(r *Record, n Number) *Entry {
	for _, e := range r.held(n) {
		if b.now().Before(b.freeFrom(e)) {
			return e
		}
	}
	return nil
}

// TakeAny is [Book.Take] over the Number that [Book.Assign] would choose. The error wraps
// [ErrInvalid] also where there is none.
func (b *Book) TakeAny(ctx context.Context, h Handle, phone MSISDN) (changed bool, err error) {
	if b.dir.Gone(h) {
		return false, fmt.Errorf("%w: %s", ErrGone, h)
	}
	err = b.change(ctx, phone, func(r *Record) (bool, error) {
		e := b.ongoing(r, h, phone)
		if changed = e == nil || !b.open(e); !changed {
			return false, nil
		}
		if e == nil {
			n, why := b.choose(r, h, phone)
			if why == "" {
				return false, fmt.Errorf("%w: every number is in use with this phone by other people; add numbers to the pool, or a shared one", ErrInvalid)
			}
			e = b.add(r, n, h)
		}
		e.LastUsed, e.ReleasedAt = b.now().UTC(), time.Time{}
		return true, nil
	})
	return changed && err == nil, err
}
