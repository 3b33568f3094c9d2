package bridge_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// write is a message of a person, and what they are told where it is refused.
func (r *rig) write(h addressing.Handle, text, id string) (bridge.Story, string) {
	r.t.Helper()
	s, err := r.Accept(r.t.Context(), bridge.Request{Handle: h, To: phone.String(), Text: text, NetworkID: id})
	if refused, ok := errors.AsType[*bridge.RefusalError](err); ok {
		return s, refused.Text
	}
	r.must(err)
	return s, ""
}

// code asks for a code and reads it off the phone.
func (r *rig) code(h addressing.Handle, id string) string {
	r.t.Helper()
	s, refused := r.write(h, " /Mine ", id)
	if refused != "" {
		r.t.Fatal(refused)
	}
	r.done(r.mt, s.ID)
	for _, sent := range r.carrier.submitted.get() {
		if sent.ID == s.ID {
			return regexp.MustCompile(`^\d{6}`).FindString(sent.Text)
		}
	}
	r.t.Fatal("no code came")
	return ""
}

func (r *rig) refuses(h addressing.Handle, text, id, want string) {
	r.t.Helper()
	if _, got := r.write(h, text, id); !strings.Contains(got, want) {
		r.t.Errorf("%s: %q, want %q", text, got, want)
	}
}

// hears waits until a person has a text.
func (r *rig) hears(h addressing.Handle, text string) {
	r.t.Helper()
	r.messenger.until(r.t, text+" for "+h.String(), func(all []bridge.OUT) bool {
		return slices.ContainsFunc(all, func(m bridge.OUT) bool { return m.Handle == h && m.Text == text })
	})
}

// TestOwnPhone: a person ties their phone by a code, and what it writes first is theirs.
func TestOwnPhone(t *testing.T) {
	all := numbers(3)
	r := newRig(t, options{book: addressing.Config{Pool: all, Inbox: eve}})
	r.refuses(ann, "/mine 123456", "1", "no code")
	code := r.code(ann, "2")
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	r.refuses(ann, "/mine "+wrong, "3", "You may try 4 times more")
	r.refuses(bob, "/mine "+code, "4", "no code") // it is ann's
	r.restart()
	s, refused := r.write(ann, "/mine "+code, "5")
	if refused != "" || s.State != bridge.Delivered {
		t.Fatalf("%s, %+v", refused, s)
	}
	if again, refused := r.write(ann, "/mine "+code, "5"); refused != "" || again.ID != s.ID {
		t.Errorf("the same again: %s, %+v", refused, again)
	}
	r.refuses(ann, "/mine "+code, "6", "no code") // once
	r.hears(ann, "[+33612345678 is yours: what it writes to the bridge first comes to you. /mine off undoes that.]")
	c, err := r.Book.Conversations(t.Context(), phone)
	if err != nil || len(c) != 1 || c[0].Handle != ann {
		t.Fatalf("conversations: %v, %v", c, err)
	}
	free := all[0]
	if free == c[0].Number {
		free = all[1]
	}
	r.fromPhone(phone, free, "a note to myself")
	r.hears(ann, "a note to myself")
	if _, refused := r.write(ann, "/mine off", "7"); refused != "" {
		t.Error(refused)
	}
	if h, err := r.Book.OwnerOfPhone(t.Context(), phone); err != nil || !h.IsZero() {
		t.Errorf("still %v's, %v", h, err)
	}
	// Whoever has the phone decides: bob gets it next, and ann, from whom he takes it, is told.
	if _, err := r.Book.Tie(t.Context(), phone, ann); err != nil {
		t.Fatal(err)
	}
	if _, refused := r.write(bob, "/mine "+r.code(bob, "8"), "9"); refused != "" {
		t.Error(refused)
	}
	r.hears(ann, "[This phone is tied to somebody else now.]")
	if h, err := r.Book.OwnerOfPhone(t.Context(), phone); err != nil || h != bob {
		t.Errorf("%v's, %v", h, err)
	}
}

// TestOwnPhoneBounds: a code holds for ten minutes and five tries, and there are few of them.
func TestOwnPhoneBounds(t *testing.T) {
	r := newRig(t, options{book: addressing.Config{Pool: numbers(2)}})
	code := r.code(ann, "1")
	for i := range 5 {
		r.refuses(ann, "/mine 1", fmt.Sprint("wrong ", i), "not the code")
	}
	r.refuses(ann, "/mine "+code, "right", "no code")
	code = r.code(ann, "2")
	r.clock.pass(11 * time.Minute)
	r.refuses(ann, "/mine "+code, "late", "no code")
	r.code(ann, "3")
	r.refuses(ann, "/mine", "4", "Try again tomorrow")
	r.refuses(bob, "/mine", "5", "Try again tomorrow") // the phone is not to be bothered
	// What only looks like the command is a text.
	if s := r.send(ann, phone, "/mine is the red one", "6"); s.State != bridge.Sent {
		t.Errorf("%+v", s)
	}
}
