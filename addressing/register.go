package addressing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file is about handles that an operator has registered: phones may write to them first,
// by a name, over a shared Number or one of the pool that nobody has on the phone.

// Registered is a name by which phones write to a handle first: "@sales Are you open?".
type Registered struct {
	Name   string `json:"name"`   // as it is written behind the @; case and accents do not matter
	Handle Handle `json:"handle"` // whose it is today
	// At is when it was registered: it is of who had the handle then, whatever they are called now.
	At time.Time `json:"at"`
}

const noteName = "name "

// maxName bounds a name, in octets: phones have to write it.
const maxName = 64

// checkName makes a name canonical.
func checkName(name string) (string, error) {
	plain := folded(strings.TrimPrefix(name, "@"))
	if plain == "" || len(plain) > maxName || strings.ContainsAny(plain, " \t\n@#:,") {
		return "", fmt.Errorf("%w: %q cannot be a name: one word of at most %d octets, without @ # : and ,", ErrInvalid, name, maxName)
	}
	return plain, nil
}

// Register is [Directory.Register], which it refuses with [ErrInvalid] where nobody would read
// what phones write to h.
func (b *Book) Register(ctx context.Context, name string, h Handle) (bool, error) {
	if err := b.served(h); err != nil {
		return false, err
	}
	return b.dir.Register(ctx, name, h)
}

// Register has phones reach h by name, which may begin with @; an empty one is [Handle.Name]. It
// tells whether that is new. The error wraps [ErrTaken] where the name is another's, and
// [ErrGone] where nobody is called h.
func (d *Directory) Register(ctx context.Context, name string, h Handle) (bool, error) {
	plain, err := d.nameFor(name, h)
	if err != nil {
		return false, err
	}
	return d.change(ctx, noteName+plain, editNote(func(r *Registered) (bool, error) {
		changed, err := d.mayRegister(*r, plain, h)
		if changed {
			*r = Registered{Name: plain, Handle: h, At: d.now().UTC()}
		}
		return changed, err
	}))
}

// nameFor is the canonical name for h.
func (d *Directory) nameFor(name string, h Handle) (string, error) {
	if d.Gone(h) {
		return "", fmt.Errorf("%w: nobody is called %s any more", ErrGone, h)
	}
	if name == "" {
		name = h.Name()
	}
	return checkName(name)
}

// mayRegister tells whether h can have the name, which is r now, and has not.
func (d *Directory) mayRegister(r Registered, name string, h Handle) (bool, error) {
	now := d.current(r)
	if now.IsZero() || now == h {
		return now.IsZero(), nil
	}
	return false, fmt.Errorf("%w: @%s is %s; smsbridge handle unregister %s gives the name free", ErrTaken, name, now, name)
}

// Unregister undoes that. It tells whether the name was registered. Conversations that were
// begun by it go on.
func (d *Directory) Unregister(ctx context.Context, name string) (bool, error) {
	plain, err := checkName(name)
	if err != nil {
		return false, err
	}
	return d.change(ctx, noteName+plain, func(value []byte) ([]byte, bool, error) { return nil, value != nil, nil })
}

// Registered lists the names, in order, without those whose handle was removed.
func (d *Directory) Registered() []Registered {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []Registered
	for _, r := range d.registered {
		if r.Handle, _ = d.follow(r.Handle, r.At); !r.Handle.IsZero() {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(x, y Registered) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// current is whose the registration is today; the zero Handle: nobody's.
func (d *Directory) current(r Registered) Handle {
	if r.Handle.IsZero() {
		return Handle{}
	}
	now, _ := d.Now(r.Handle, r.At)
	return now
}

// calls finds the registered handle that a text calls by its name at the start, @sales, and
// the text behind that. The form with a colon is not for it: who writes "sales: 10" to a
// friend does not call anybody.
func (d *Directory) calls(text string) (h Handle, rest string) {
	name, is := strings.CutPrefix(strings.TrimSpace(text), "@")
	if !is {
		return Handle{}, ""
	}
	end := strings.IndexFunc(name, func(r rune) bool { return strings.ContainsRune(" \t\n:,", r) })
	if end < 0 {
		end = len(name)
	}
	name, rest = folded(name[:end]), strings.TrimLeft(name[end:], " \t\n:,")
	d.mu.RLock()
	r, known := d.registered[name]
	d.mu.RUnlock()
	if !known {
		return Handle{}, ""
	}
	return d.current(r), rest
}

func (d *Directory) applyName(name string, value []byte) error {
	delete(d.registered, name)
	if value == nil {
		return nil
	}
	var r Registered
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	d.registered[name] = r
	return nil
}
