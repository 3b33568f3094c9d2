package addressing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Block keeps handles from writing to phones, by an operator's word. A phone's START does not
// undo it.
type Block struct {
	Handles string `json:"handles"`          // a [Pattern]; * is everybody
	Prefix  string `json:"prefix,omitempty"` // how the phone's E.164 digits begin; empty: all phones
	// At is when it was made: it is about who had the name then.
	At time.Time `json:"at"`

	pattern Pattern
}

// String names what is blocked.
func (b Block) String() string {
	if b.Prefix == "" {
		return b.Handles
	}
	return b.Handles + " to +" + b.Prefix
}

func blockKey(p Pattern, prefix string) string { return noteBlock + p.String() + " " + prefix }

// maxPrefix is as long as a number (ITU-T E.164, 6.1).
const maxPrefix = 15

// ParsePrefix reads a phone or how the numbers of phones begin, such as +882, and gives its
// digits. The error wraps [ErrInvalid].
func ParsePrefix(s string) (string, error) {
	digits := strings.TrimPrefix(strings.NewReplacer(" ", "", "-", "").Replace(s), "+")
	if digits == "" || len(digits) > maxPrefix || !allDigits(digits) || digits[0] == '0' {
		return "", fmt.Errorf("%w: %q is no phone and no beginning of one: write it with its country code, like +33612345678 or +882", ErrInvalid, s)
	}
	return digits, nil
}

// Block keeps the handles of p from writing to phones whose digits begin with prefix; to none
// where that is empty. It tells whether that is new.
func (d *Directory) Block(ctx context.Context, p Pattern, prefix string) (bool, error) {
	return d.change(ctx, blockKey(p, prefix), func(value []byte) ([]byte, bool, error) {
		if value != nil {
			return nil, false, nil
		}
		next, err := json.Marshal(Block{Handles: p.String(), Prefix: prefix, At: d.now().UTC()})
		return next, true, err
	})
}

// Unblock undoes a [Directory.Block] of the same words, also one that was made under an
// earlier name of the handle. It tells whether there was one.
func (d *Directory) Unblock(ctx context.Context, p Pattern, prefix string) (bool, error) {
	keys := []string{blockKey(p, prefix)}
	if h, err := ParseHandle(p.String()); err == nil {
		for _, b := range d.blocksOf(h) {
			if b.Prefix == prefix {
				keys = append(keys, blockKey(b.pattern, prefix))
			}
		}
	}
	found := false
	for _, key := range slices.Compact(keys) {
		changed, err := d.change(ctx, key, func(value []byte) ([]byte, bool, error) { return nil, value != nil, nil })
		if err != nil {
			return found, err
		}
		found = found || changed
	}
	return found, nil
}

// Blocks lists all blocks, in order.
func (d *Directory) Blocks() []Block {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]Block, 0, len(d.blocks))
	for _, b := range d.blocks {
		all = append(all, b)
	}
	slices.SortFunc(all, func(x, y Block) int { return strings.Compare(x.String(), y.String()) })
	return all
}

// Blocked gives a block that keeps h from writing to phone, if there is one.
func (d *Directory) Blocked(h Handle, phone MSISDN) (Block, bool) {
	fits := func(b Block) bool { return strings.HasPrefix(phone.digits, b.Prefix) }
	all := d.BlocksOf(h)
	if i := slices.IndexFunc(all, fits); i >= 0 {
		return all[i], true
	}
	return Block{}, false
}

// BlocksOf lists the blocks that h falls under.
func (d *Directory) BlocksOf(h Handle) []Block {
	all := d.blocksOf(h)
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, b := range d.wide {
		if b.pattern.Match(h) {
			all = append(all, b)
		}
	}
	return all
}

// blocksOf are those of one handle that are of the person who is h today, under whatever name
// they were made.
func (d *Directory) blocksOf(h Handle) []Block {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.exact) == 0 {
		return nil
	}
	var all []Block
	for _, name := range d.names(h) {
		for _, b := range d.exact[name] {
			if now, _ := d.follow(name, b.At); now == h {
				all = append(all, b)
			}
		}
	}
	return all
}

func (d *Directory) applyBlock(key string, value []byte) error {
	if old, was := d.blocks[key]; was {
		delete(d.blocks, key)
		same := func(b Block) bool { return b.pattern == old.pattern && b.Prefix == old.Prefix }
		d.wide = slices.DeleteFunc(d.wide, same)
		if h, err := ParseHandle(old.Handles); err == nil {
			if d.exact[h] = slices.DeleteFunc(d.exact[h], same); len(d.exact[h]) == 0 {
				delete(d.exact, h)
			}
		}
	}
	if value == nil {
		return nil
	}
	var b Block
	err := json.Unmarshal(value, &b)
	if err == nil {
		b.pattern, err = ParsePattern(b.Handles)
	}
	if err != nil {
		return err
	}
	d.blocks[key] = b
	if h, err := ParseHandle(b.Handles); err == nil && !strings.Contains(b.Handles, "*") {
		d.exact[h] = append(d.exact[h], b)
	} else {
		d.wide = append(d.wide, b)
	}
	return nil
}
