package addressing_test

import (
	"errors"
	"testing"

	"smsbridge/addressing"
)

var dora = addressing.MustParseHandle("xmpp:désk@corp.example")

// calls tells who gets a text from phone1 to n, and what of it.
func (r *renaming) calls(n addressing.Number, text string) (addressing.Handle, string) {
	r.t.Helper()
	a, err := r.Answer(r.t.Context(), phone1, n, text)
	if err != nil && !errors.Is(err, addressing.ErrNobody) {
		r.t.Fatal(err)
	}
	if len(a.Choices) > 0 {
		return nobody, "?"
	}
	return a.Conversation.Handle, a.Text
}

// A phone writes first to whom an operator has registered, over what is nobody's on it.
func TestRegistered(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool, Shared: []addressing.Number{sharedNumber}, Inbox: bob})
	d := func() *addressing.Directory { return r.Directory() }
	changed, err := d().Register(t.Context(), "", dora)
	r.must(err)
	if again, err := d().Register(t.Context(), "@Desk", dora); !changed || again || err != nil {
		t.Errorf("registered: %v, again: %v, %v", changed, again, err)
	}
	check := func(name string, n addressing.Number, text string, want addressing.Handle, rest string) {
		t.Helper()
		if got, text := r.calls(n, text); got != want || text != rest {
			t.Errorf("%s: %v got %q, want %v and %q", name, got, text, want, rest)
		}
	}
	check("first contact over a shared number", sharedNumber, "@DESK, are you open?", dora, "are you open?")
	check("the colon calls nobody who has not written", pool[1], "desk: 10", bob, "desk: 10")
	check("a name that nobody has", pool[1], "@nobody hello", bob, "@nobody hello")
	check("nothing but the name", sharedNumber, "@désk", dora, "@désk")
	n := r.assign(carl)
	check("what is somebody's needs no thought", n, "@desk hello", carl, "@desk hello")
	free := pool[0]
	if n == free {
		free = pool[2]
	}
	check("first contact over a number of the pool", free, "@desk hello", dora, "hello")
	r.restart()
	check("after a restart", sharedNumber, "@desk again", dora, "again")

	if _, err := d().Register(t.Context(), "desk", ann); !errors.Is(err, addressing.ErrTaken) {
		t.Errorf("a name of another: %v", err)
	}
	for _, bad := range []string{"two words", "a@b", "#2", "a:b"} {
		if _, err := d().Register(t.Context(), bad, ann); !errors.Is(err, addressing.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A name goes with its person, and ends with them: no stranger gets what is meant for somebody else.
func TestRegisteredGoesWithPerson(t *testing.T) {
	r := newRenaming(t, addressing.Config{Pool: pool, Shared: []addressing.Number{sharedNumber}})
	_, err := r.Directory().Register(t.Context(), "sales", dora)
	r.must(err)
	r.pass(day)
	r.must(r.Rename(t.Context(), dora, ann, false))
	if got, _ := r.calls(sharedNumber, "@sales hello"); got != ann {
		t.Errorf("after the rename %v got it", got)
	}
	r.pass(day)
	r.must(r.Directory().Remove(t.Context(), ann))
	if got, _ := r.calls(sharedNumber, "@sales hello"); got != nobody || len(r.Directory().Registered()) != 0 {
		t.Errorf("after the removal %v got it, registered are %v", got, r.Directory().Registered())
	}
	r.pass(day)
	_, err = r.Directory().Reuse(t.Context(), dora)
	r.must(err)
	if got, _ := r.calls(sharedNumber, "@sales hello"); got != nobody {
		t.Errorf("the new person of the old name got it: %v", got)
	}
	if changed, err := r.Directory().Register(t.Context(), "sales", bob); err != nil || !changed {
		t.Errorf("a name that is free: %v, %v", changed, err)
	}
	changed, err := r.Directory().Unregister(t.Context(), "@Sales")
	r.must(err)
	if again, err := r.Directory().Unregister(t.Context(), "sales"); !changed || again || err != nil {
		t.Errorf("unregistered: %v, again: %v, %v", changed, again, err)
	}
	if got, _ := r.calls(sharedNumber, "@sales hello"); got == bob {
		t.Error("bob got it without the name")
	}
}
