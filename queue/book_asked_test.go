package queue_test

import (
	"context"
	"errors"
	"maps"
	"sync"

	"pgregory.net/rapid"

	"smsbridge/addressing"
)

// asked is one of several things that happen at once, and what came of it.
type asked struct {
	instance int
	phone    addressing.MSISDN
	handle   addressing.Handle // who writes to the phone; zero: the phone writes
	number   addressing.Number // to which the phone writes
	named    addressing.Handle // whom the phone names there, on the shared Number
	got      addressing.Conversation
	err      error
}

func (a *asked) do(b *addressing.Book) {
	if !a.handle.IsZero() {
		a.got, a.err = b.Assign(context.Background(), a.handle, a.phone)
		return
	}
	text := "hello"
	if !a.named.IsZero() {
		text = "@" + a.named.ID() + " hello"
	}
	answer, err := b.Answer(context.Background(), a.phone, a.number, text)
	a.got, a.err = answer.Conversation, err
}

// atOnce has people write to phones, and phones to people, on both instances at the same time.
func (w *world) atOnce(t *rapid.T) {
	all := make([]*asked, rapid.IntRange(1, 4).Draw(t, "how many"))
	for i := range all {
		a := &asked{instance: rapid.IntRange(0, 1).Draw(t, "instance"), phone: rapid.SampledFrom(w.phones).Draw(t, "phone")}
		if rapid.Bool().Draw(t, "to the phone") {
			a.handle = rapid.SampledFrom(w.people).Draw(t, "handle")
		} else {
			a.number = rapid.SampledFrom([]addressing.Number{bookPool[0], bookPool[1], bookDesk, bookShared}).Draw(t, "number")
			if a.number == bookShared {
				a.named = rapid.SampledFrom(w.people).Draw(t, "named")
			}
		}
		all[i] = a
	}
	var acting sync.WaitGroup
	for _, a := range all {
		acting.Go(func() { a.do(w.instances[a.instance]) })
	}
	acting.Wait()
	before, sharers := maps.Clone(w.owners), maps.Clone(w.sharers)
	for _, a := range all {
		if !a.handle.IsZero() {
			w.assigned(t, a, before)
		}
	}
	for _, a := range all {
		if a.handle.IsZero() {
			w.replied(t, a, before, sharers)
		}
	}
}

func (w *world) assigned(t *rapid.T, a *asked, before map[pair]use) {
	if must := w.stopped[relation{a.phone, a.handle}]; must != errors.Is(a.err, addressing.ErrStopped) {
		t.Fatalf("%v writes to %v: %v; stopped: %v", a.handle, a.phone, a.err, must)
	} else if must {
		return
	}
	if a.err != nil || a.got.Handle != a.handle || a.got.Phone != a.phone { // the shared Number is never full
		t.Fatalf("%v writes to %v: %+v, %v", a.handle, a.phone, a.got, a.err)
	}
	if a.got.Number == bookShared {
		w.sharers[relation{a.phone, a.handle}] = true
		return
	}
	p := pair{a.phone, a.got.Number}
	if was, known := before[p]; known && was.handle != a.handle && w.now.Before(was.free) {
		t.Fatalf("%v is %v's until %v, and was given to %v at %v", p, was.handle, was.free, a.handle, w.now)
	}
	if is := w.owners[p]; is != before[p] && is.handle != a.handle {
		t.Fatalf("%v was given to %v and %v at once", p, is.handle, a.handle)
	}
	w.touched(p, a.handle)
}

// touched: the last use is known to the day.
func (w *world) touched(p pair, h addressing.Handle) {
	w.owners[p] = use{h, w.now.Add(14 * day)}
}

// replied looks at what the phone wrote. A reply opens a conversation again, so that nobody else
// can get its pair at the same moment: it went to whom the pair belongs in the end.
func (w *world) replied(t *rapid.T, a *asked, before map[pair]use, sharers map[relation]bool) {
	p, got := pair{a.phone, a.number}, a.got.Handle
	owner := w.owners[p].handle
	if a.number == bookDesk {
		owner = w.people[0]
	}
	_, known := before[p]
	switch {
	case a.number == bookShared:
		if sharers[relation{a.phone, a.named}] && (a.err != nil || got != a.named) {
			t.Fatalf("what %v wrote to %v went to %v, %v", a.phone, a.named, got, a.err)
		}
		if !got.IsZero() && !w.sharers[relation{a.phone, got}] {
			t.Fatalf("a stranger, %v, got a reply of %v", got, a.phone)
		}
	case a.err != nil:
		if known || a.number == bookDesk || !errors.Is(a.err, addressing.ErrNobody) {
			t.Fatalf("what %v wrote to %v, which is %v's, went to nobody: %v", a.phone, a.number, owner, a.err)
		}
	case got != owner:
		t.Fatalf("what %v wrote to %v, which is %v's, went to %v", a.phone, a.number, owner, got)
	default:
		w.touched(p, got)
	}
}
