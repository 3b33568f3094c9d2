package addressing_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"smsbridge/addressing"
)

// eraseHandle does all that erases a person.
func (r *renaming) eraseHandle(h addressing.Handle) (names []addressing.Handle) {
	r.t.Helper()
	is, names := r.Directory().Person(h)
	r.must(r.Directory().EraseNames(r.t.Context(), names))
	_, err := r.EraseHandle(r.t.Context(), is, false)
	r.must(err)
	r.must(r.Directory().EraseNotes(r.t.Context(), names, func(_ context.Context, key string) error {
		r.notes.mu.Lock()
		defer r.notes.mu.Unlock()
		delete(r.notes.values, key) // nobody hears of it
		return nil
	}))
	return names
}

// says tells whether a name stands anywhere in the stores.
func (r *renaming) says(name string) bool {
	r.t.Helper()
	records, err := json.Marshal(r.store.records)
	r.must(err)
	found := strings.Contains(string(records), name)
	for key, value := range r.notes.values {
		found = found || strings.Contains(key, name) || strings.Contains(string(value), name)
	}
	return found
}

// TestEraseHandle: of somebody who had two names nothing stays but that their Numbers rest, at all instances;
// whoever had one of the names before or gets it later is another.
func TestEraseHandle(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool})
	old := r.assign(carl)
	r.must(r.Rename(t.Context(), carl, ann, false))
	r.pass(day)
	of := r.assign(bob)
	_, err := r.SetOptout(t.Context(), phone1, ann, true)
	r.must(err)
	pattern, err := addressing.ParsePattern("web:ann")
	r.must(err)
	_, err = r.Directory().Block(t.Context(), pattern, "882")
	r.must(err)
	_, err = r.Directory().Register(t.Context(), "sales", ann)
	r.must(err)
	other := newDirectory(t, r.notes, r.now) // of another instance

	if names := r.eraseHandle(carl); !slices.Equal(names, []addressing.Handle{ann, carl}) {
		t.Errorf("they were called %v", names)
	}
	for _, name := range []string{"web:ann", "xmpp:carl", "sales"} {
		if r.says(name) {
			t.Errorf("%s is still said: %s, %v", name, r.notes.values, r.store.records)
		}
	}
	for _, d := range []*addressing.Directory{r.Directory(), other} {
		if !d.Gone(ann) || !d.Gone(carl) || d.Gone(bob) || len(d.Blocks()) != 0 || len(d.Registered()) != 0 || len(d.Names(ann)) != 1 {
			t.Errorf("an instance says %v, %v, %v, %v", d.GoneHandles(), d.Blocks(), d.Registered(), d.Names(ann))
		}
	}
	r.owner(old, nobody)
	r.owner(of, bob)
	if err := r.Rename(t.Context(), bob, ann, false); !errors.Is(err, addressing.ErrTaken) {
		t.Errorf("the name is given to bob: %v", err)
	}
	if restored, err := r.Directory().Restore(t.Context(), ann); restored || err != nil {
		t.Errorf("it was undone: %v, %v", restored, err)
	}
	r.restart()
	r.owner(old, nobody)
	r.eraseHandle(carl) // nothing is left of them

	if reused, err := r.Directory().Reuse(t.Context(), ann); !reused || err != nil {
		t.Errorf("reused %v, %v", reused, err)
	}
	if r.Directory().Gone(ann) || other.Gone(ann) || !other.Gone(carl) {
		t.Error("the name is not free, or both are")
	}
	if n := r.assign(ann); n == old || n == of {
		t.Errorf("the new one got %v, which rests, or is another's", n)
	}
	r.owner(old, nobody)
}

// TestEraseOneOfAName: of a name that two people have had only the one that has it now is erased.
func TestEraseOneOfAName(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool})
	n := r.assign(ann)
	r.pass(day)
	r.must(r.Rename(t.Context(), ann, carl, false))
	r.pass(day)
	_, err := r.Directory().Reuse(t.Context(), ann)
	r.must(err)
	r.pass(day)
	of := r.assign(ann)
	if names := r.eraseHandle(ann); !slices.Equal(names, []addressing.Handle{ann}) {
		t.Errorf("they were called %v", names)
	}
	r.owner(n, carl)
	r.owner(of, nobody)
}

// TestErasePhone: STOPs stay, and what is written meanwhile is not lost.
func TestErasePhone(t *testing.T) {
	for _, stops := range []int{0, 2} {
		r := newRenaming(t, addressing.Config{Pool: pool})
		n := r.assign(ann)
		if stops > 0 {
			for _, h := range []addressing.Handle{bob, {}} {
				_, err := r.SetOptout(t.Context(), phone1, h, true)
				r.must(err)
			}
		}
		removed := 0
		remove := func(_ context.Context, rev uint64) error {
			if removed++; removed == 1 || r.store.revs[phone1] != rev {
				return addressing.ErrConflict
			}
			delete(r.store.records, phone1)
			delete(r.store.revs, phone1)
			return nil
		}
		if conversations, kept, err := r.ErasePhone(t.Context(), phone1, remove, true); conversations != 1 || kept != stops || err != nil || removed > 0 {
			t.Errorf("it would erase %d, keep %d, %v", conversations, kept, err)
		}
		r.owner(n, ann)
		conversations, kept, err := r.ErasePhone(t.Context(), phone1, remove, false)
		if conversations != 1 || kept != stops || err != nil {
			t.Errorf("erased %d, kept %d, %v", conversations, kept, err)
		}
		r.owner(n, nobody)
		if _, err := r.Assign(t.Context(), bob, phone1); (stops > 0) != errors.Is(err, addressing.ErrStopped) {
			t.Errorf("with %d STOPs: %v", stops, err)
		}
	}
}
