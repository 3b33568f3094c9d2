package addressing

import (
	"context"
	"errors"
	"fmt"
)

// This file says what the Book would do, and why, and changes nothing.

// Finding is what the Book would do with a text between a handle and a phone.
type Finding struct {
	Handle Handle `json:"handle,omitzero"` // whose the text is, or who writes it; absent: nobody's
	Phone  MSISDN `json:"phone"`
	Number Number `json:"number,omitzero"` // over which it goes; absent: it does not
	Why    string `json:"why"`             // in words
}

// FindReply tells whose a text from phone to n would be that names nobody.
func (b *Book) FindReply(ctx context.Context, phone MSISDN, n Number) (Finding, error) {
	r, _, err := b.load(ctx, phone)
	if err != nil {
		return Finding{}, err
	}
	there, f := len(r.over(n)), Finding{Phone: phone, Number: n}
	if there == 0 && !b.Ours(n) {
		f.Why = fmt.Sprintf("%s is no number of this bridge", n)
		return f, nil
	}
	var a Answer
	e, err := b.answer(&r, phone, n, &a)
	switch {
	case errors.Is(err, errChoose):
		f.Why = fmt.Sprintf("%d people share this number with the phone: it is asked for whom its text is, unless that begins with a name, as @%s, or with #%d",
			len(a.Choices), a.Choices[0].Handle.Name(), a.Choices[0].Index)
	case errors.Is(err, ErrNobody):
		f.Why = "nobody has written to the phone over it, and it has no inbox: the phone is told that nobody got its text"
		if len(r.held(n)) > 0 {
			f.Why = "its handle was removed, and nobody inherits its conversations: the phone is told that nobody got its text"
		} else if b.Retired(n) {
			f.Why = "the number is retired, and nobody has written to the phone over it: the phone is told that nobody got its text"
		}
	case err != nil:
		return Finding{}, err
	default:
		f.Handle, f.Why = e.Handle, b.whyReply(&r, e, phone, there)
	}
	return f, nil
}

// whyReply says why e is whose the text is; there were so many conversations over its Number.
func (b *Book) whyReply(r *Record, e *Entry, phone MSISDN, there int) string {
	owner, dedicated := b.OwnerOf(e.Number)
	own := dedicated && owner == e.Handle
	switch {
	case there == 0 && own:
		return "the number is dedicated to it; nobody has written yet"
	case there == 0 && r.Owner != nil && r.Owner.Handle == e.Handle:
		return "nobody has written to the phone over it, and the phone is its own"
	case there == 0:
		return "nobody has written to the phone over it, and this is its inbox"
	}
	why := "the number is its own on this phone"
	switch {
	case own:
		why = "the number is dedicated to it"
	case b.Shared(e.Number) && b.open(e):
		why = "on a shared number: the only open conversation"
	case b.Shared(e.Number):
		why = "on a shared number: the only conversation that there was"
	}
	return why + "; " + b.view(r, e, phone).Why
}

// FindNumber tells over which Number a text from h to phone would go.
func (b *Book) FindNumber(ctx context.Context, h Handle, phone MSISDN) (Finding, error) {
	r, _, err := b.load(ctx, phone)
	if err != nil {
		return Finding{}, err
	}
	f := Finding{Handle: h, Phone: phone}
	if now, since := b.dir.Now(h, b.now()); now != h {
		f.Why = "the handle was removed on " + date(since)
		if !now.IsZero() {
			f.Why = "the handle is " + now.String() + " since " + date(since)
		}
		return f, nil
	}
	if block, is := b.dir.Blocked(h, phone); is {
		f.Why = "it is blocked since " + date(block.At) + " (" + block.String() + ")"
		return f, nil
	}
	if s := r.refused(h); s != nil {
		f.Why = "the phone has opted out of it on " + date(s.At)
		if s.Handle.IsZero() {
			f.Why = "the phone has opted out of everybody on " + date(s.At)
		}
		return f, nil
	}
	if e := b.ongoing(&r, h, phone); e != nil {
		f.Number, f.Why = e.Number, "there is a conversation over it; "+b.view(&r, e, phone).Why
		return f, nil
	}
	if f.Number, f.Why = b.choose(&r, h, phone); f.Why == "" {
		f.Why = "every number of the bridge is in use with this phone by others: add one"
	}
	return f, nil
}
