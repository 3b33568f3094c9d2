package addressing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Lookup tells whose a message from phone to n is where that needs no thought: n is
// dedicated, of the pool, or only one handle has it on this phone. It is
// [Book.Answer] for a text that names nobody.
func (b *Book) Lookup(ctx context.Context, phone MSISDN, n Number) (Conversation, error) {
	a, err := b.Answer(ctx, phone, n, "")
	if err == nil && len(a.Choices) > 0 {
		err = fmt.Errorf("%w: %d handles share %s with %s", ErrNobody, len(a.Choices), n, phone.Masked())
	}
	return a.Conversation, err
}

// Answer is whose a text from a phone is: one handle's, or that of one of several.
type Answer struct {
	// Conversation is whose the text is; zero where Choices stand.
	Conversation Conversation
	// Text is without what named the handle.
	Text string
	// Choices are the handles among which the phone must choose, by Index.
	Choices []Conversation
}

// MaxChoices bounds a question: those who wrote last.
const MaxChoices = 9

// Answer tells whose a text from phone to n is. On a shared Number, in this order: the
// handle that it names at its start (@ann, ann: or #2), or the registered one that it calls
// (@sales), or the only open conversation, or the only one there was; else the phone must choose.
// Where there is no conversation yet, whom a text to a Number of the pool calls, or the owner of a dedicated Number gets it, or else the inbox; the error wraps [ErrNobody]
// where there is neither. A reply opens a conversation again that was over: the pair is
// its handle's until it is another's.
func (b *Book) Answer(ctx context.Context, phone MSISDN, n Number, text string) (a Answer, err error) {
	a.Text = text
	a.Conversation, err = b.use(ctx, phone, func(r *Record) (*Entry, error) {
		a.Choices, a.Text = nil, text
		return b.answer(r, phone, n, &a)
	})
	if errors.Is(err, errChoose) {
		return a, nil
	}
	return a, err
}

// answer finds whose a.Text is in the record, and changes a. The entry may be a new one.
func (b *Book) answer(r *Record, phone MSISDN, n Number, a *Answer) (*Entry, error) {
	all := r.over(n)
	if len(all) > 1 || b.Shared(n) {
		if e, rest := named(all, a.Text); e != nil {
			if rest != "" {
				a.Text = rest
			}
			return e, nil
		}
	}
	if e := b.called(r, n, a); e != nil {
		return e, nil
	}
	if len(all) > 1 || b.Shared(n) {
		if all = b.candidates(all); len(all) > 1 {
			for _, e := range all {
				a.Choices = append(a.Choices, e.conversation(phone))
			}
			return nil, errChoose
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	// What is meant for somebody who was removed is no stranger's.
	removed := slices.ContainsFunc(r.held(n), func(e *Entry) bool { return b.now().Before(b.freeFrom(e)) })
	if h := b.firstContact(r, n); !h.IsZero() && !removed {
		return b.add(r, n, h), nil
	}
	return nil, fmt.Errorf("%w: %s from %s", ErrNobody, n, phone.Masked())
}

// called is the conversation with the registered handle whom a.Text calls; nil where it calls
// nobody, or n is somebody's on this phone.
func (b *Book) called(r *Record, n Number, a *Answer) *Entry {
	if b.Retired(n) || !b.Shared(n) && (!b.InPool(n) || len(r.held(n)) > 0) {
		return nil
	}
	h, rest := b.dir.calls(a.Text)
	if h.IsZero() {
		return nil
	}
	if rest != "" {
		a.Text = rest
	}
	if e := r.entry(n, h); e != nil {
		return e
	}
	return b.add(r, n, h)
}

// errChoose ends a look-up without an owner.
var errChoose = errors.New("addressing: the phone must choose")

// firstContact is who gets the text of a phone that nobody has written to over n: whose n is,
// else whose own the phone is, else the inbox.
func (b *Book) firstContact(r *Record, n Number) Handle {
	if b.Retired(n) {
		return Handle{}
	}
	if h, dedicated := b.OwnerOf(n); dedicated {
		return h
	}
	if o := r.Owner; o != nil && !o.Handle.IsZero() && (b.Shared(n) || b.InPool(n)) {
		return o.Handle
	}
	h, set := b.plan().inboxes[n]
	if !set && (b.Shared(n) || b.InPool(n)) {
		h = b.plan().inbox
	}
	now, _ := b.dir.Now(h, b.now())
	return now
}

// candidates are the open conversations, or where none is open all of them, by Index.
func (b *Book) candidates(all []*Entry) []*Entry {
	open := slices.DeleteFunc(slices.Clone(all), func(e *Entry) bool { return !b.open(e) })
	if len(open) > 0 {
		all = open
	}
	slices.SortStableFunc(all, func(x, y *Entry) int { return y.LastUsed.Compare(x.LastUsed) })
	all = all[:min(len(all), MaxChoices)]
	slices.SortStableFunc(all, func(x, y *Entry) int { return cmp.Compare(x.Index, y.Index) })
	return all
}

// named is the conversation that a text names at its start, and the text behind the
// name. A name that two share, or nobody has, names nobody.
func named(all []*Entry, text string) (*Entry, string) {
	text = strings.TrimSpace(text)
	if digits, is := strings.CutPrefix(text, "#"); is {
		number, rest, _ := strings.Cut(digits, " ")
		index, err := strconv.Atoi(strings.TrimRight(number, ":,"))
		if err != nil {
			return nil, ""
		}
		return only(all, func(e *Entry) bool { return e.Index == index }), strings.TrimSpace(rest)
	}
	name, rest, colon := strings.Cut(text, ":")
	if at, is := strings.CutPrefix(text, "@"); is {
		name, rest, _ = strings.Cut(at, " ")
		name = strings.TrimRight(name, ":,")
	} else if !colon || strings.ContainsAny(name, " \n") {
		return nil, ""
	}
	for _, match := range []func(Handle) bool{
		func(h Handle) bool { return folded(h.ID()) == folded(name) || folded(h.String()) == folded(name) },
		func(h Handle) bool { return folded(h.Name()) == folded(name) },
	} {
		if e := only(all, func(e *Entry) bool { return match(e.Handle) }); e != nil {
			return e, strings.TrimSpace(rest)
		}
	}
	return nil, ""
}

// only is the one that matches; nil where none or several do.
func only(all []*Entry, match func(*Entry) bool) *Entry {
	var found *Entry
	for _, e := range all {
		if match(e) {
			if found != nil {
				return nil
			}
			found = e
		}
	}
	return found
}

// Name is what people call the handle: ann of xmpp:ann@corp.example, web:ann and
// matrix:@ann:corp.example.
func (h Handle) Name() string {
	name := strings.TrimPrefix(h.id, "@")
	if i := strings.IndexAny(name, "@:"); i > 0 {
		name = name[:i]
	}
	return name
}

// Introduced notes that the conversation was introduced: its first message is on disk.
func (b *Book) Introduced(ctx context.Context, c Conversation) error {
	return b.change(ctx, c.Phone, func(r *Record) (bool, error) {
		e := r.entry(c.Number, c.Handle)
		if e == nil || e.Introduced {
			return false, nil
		}
		e.Introduced = true
		return true, nil
	})
}
