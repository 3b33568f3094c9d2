package smpp_test

import (
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// twoAccounts are the links one and two, each of an account of its own; the first serves while
// it can.
func twoAccounts(t *testing.T) (ls *smpp.Links, one, two *peer) {
	t.Helper()
	a, b := listen(t), listen(t)
	first, second := quick(a.Addr().String()), quick(b.Addr().String())
	first.Name, first.Account, first.DrainTimeout = "one", "one", time.Millisecond
	second.Name, second.Account, second.DrainTimeout = "two", "two", time.Millisecond
	links := []*smpp.Link{newLink(t, first), newLink(t, second)}
	ls = newLinks(t, links...)
	start(t, ls)
	one, two = bindPeer(t, a), bindPeer(t, b)
	for _, l := range links {
		waitStatus(t, l, smpp.LinkBound)
	}
	return ls, one, two
}

// Over a link that an operator holds nothing begins: another takes its messages. What it has
// begun it ends, what was begun over its account waits for it, and it takes MO.
func TestHeldLink(t *testing.T) {
	ls, one, two := twoAccounts(t)
	long := submission("long", strings.Repeat("0123456789", 20)) // two segments
	begun := submit(testContext(t), ls, long)
	first := one.expect(smpp.SubmitSM)
	ls.Hold(smpp.Held{Links: []string{"one", "no such link"}})
	if st := ls.Status(); !st[0].Held || st[0].Status != smpp.LinkBound || st[1].Held {
		t.Errorf("status %+v", st)
	}

	other := submit(testContext(t), ls, submission("m", "hi"))
	two.send(answerWithID(two.expect(smpp.SubmitSM), "other"))
	if got := receive(t, other, "what goes by the other link"); got.Outcome != bridge.OutcomeSent || got.Link != "two" {
		t.Errorf("got %+v", got)
	}

	one.send(answerWithID(first, "a"))
	one.send(answerWithID(one.expect(smpp.SubmitSM), "b"))
	if got := receive(t, begun, "what had begun"); got.Outcome != bridge.OutcomeSent || len(got.SMSCIDs) != 2 {
		t.Errorf("got %+v", got)
	}
	one.send(deliverFrom("33612345678", 9))
	one.expectAnswer(smpp.DeliverSMResp, smpp.StatusOK, 9)

	rest := submission("rest", strings.Repeat("0123456789", 20))
	rest.Done, rest.Link, rest.Account = []string{"a"}, "one", "one"
	pinned := submit(testContext(t), ls, rest)
	waitFor(t, ls, 1)
	one.barrier() // nothing came before it
	ls.Hold(smpp.Held{})
	one.send(answerWithID(one.expect(smpp.SubmitSM), "b"))
	if got := receive(t, pinned, "the rest"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
}

// What waits for a route that is held waits until it is not, and does not expire the sooner for
// it; a hold of all holds what must go by one account as well.
func TestHeldRoutes(t *testing.T) {
	for _, tt := range []struct {
		name string
		held smpp.Held
		rest bool // of a text that was begun
	}{
		{"the route", smpp.Held{Routes: []string{"all"}}, false},
		{"everything", smpp.Held{All: true}, false},
		{"everything, and a text that was begun", smpp.Held{All: true}, true},
		{"all its links", smpp.Held{Links: []string{"one", "two"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ls, one, two := twoAccounts(t)
			ls.Hold(tt.held)
			if held := ls.Routes()[0].Held; held != (tt.held.All || tt.held.Routes != nil) {
				t.Errorf("the route says %t", held)
			}
			s := submission("m", strings.Repeat("0123456789", 20))
			want := 2
			if tt.rest {
				s.Done, s.Link, s.Account = []string{"a"}, "one", "one"
				want = 1
			}
			done := submit(testContext(t), ls, s)
			waitFor(t, ls, 1)
			one.barrier()
			two.barrier()
			ls.Hold(smpp.Held{Routes: []string{"another"}})
			for range want {
				one.send(answerWithID(one.expect(smpp.SubmitSM), "id"))
			}
			if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// An operator has a link bind anew: what is in flight is answered first, and there is no pause.
func TestRebind(t *testing.T) {
	l := listen(t)
	cfg := quick(l.Addr().String())
	cfg.BackoffMin, cfg.BackoffMax = time.Hour, time.Hour
	link := newLink(t, cfg)
	ls := newLinks(t, link)
	stop := start(t, ls)
	p := bindPeer(t, l)
	done := submit(testContext(t), ls, submission("m", "hi"))
	asked := p.expect(smpp.SubmitSM)
	if ls.Rebind("no such link") || !ls.Rebind("one") {
		t.Error("which links there are is not known")
	}
	waitStatus(t, link, smpp.LinkDown)
	p.send(answerWithID(asked, "id"))
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	p = bindPeer(t, l)
	waitStatus(t, link, smpp.LinkBound)
	p.unbound(stop)
}

// A link that waits, even in quarantine, is tried at once, and a bind that then holds ends that.
func TestRebindWhileDown(t *testing.T) {
	l := listen(t)
	cfg := quick(l.Addr().String())
	cfg.BackoffMax = time.Minute // a quarantine is five times as long
	link := newLink(t, cfg)
	ls := newLinks(t, link)
	stop := start(t, ls)
	for range 5 {
		bindPeer(t, l).conn.Close()
	}
	waitStatus(t, link, smpp.LinkQuarantined)
	ls.Rebind("one")
	p := bindPeer(t, l)
	waitStatus(t, link, smpp.LinkBound)
	p.conn.Close()
	p = bindPeer(t, l) // after the shortest wait again
	waitStatus(t, link, smpp.LinkBound)
	p.unbound(stop)
}
