package smpp_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// After a throttle answer the link is silent for a while, and what was throttled goes
// before those that came while it was.
func TestThrottled(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Window = 1 })
	done := submit(testContext(t), ls, submission("throttled", "first"))
	asked := p.expect(smpp.SubmitSM)
	later := submit(testContext(t), ls, submission("later", "second"))
	waitFor(t, ls, 1)
	p.send(asked.Answer(smpp.StatusThrottled))
	if got := receive(t, done, "the refusal"); got.Outcome != bridge.OutcomeThrottled {
		t.Fatalf("got %+v", got)
	}
	if st := ls.Status()[0]; st.Status != smpp.LinkPaused {
		t.Errorf("state %+v", st)
	}
	again := submission("throttled", "first")
	again.First = true
	began := time.Now()
	retried := submit(testContext(t), ls, again)
	for _, want := range []string{"first", "second"} {
		asked := p.expect(smpp.SubmitSM)
		if string(asked.Short.Body) != want {
			t.Errorf("%s came, not %s", asked.Short.Body, want)
		}
		p.send(answerWithID(asked, want))
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("the link paused for %s", took)
	}
	receive(t, retried, "the first")
	receive(t, later, "the second")
	if st := ls.Status()[0]; st.Status != smpp.LinkBound {
		t.Errorf("state %+v", st)
	}
}

// waitFor waits until n submissions wait for a link.
func waitFor(t *testing.T, ls *smpp.Links, n int) {
	t.Helper()
	eventually(t, tick, func() bool { return ls.Waiting() == n }, fmt.Sprint(n, " waiting"))
}

// tick paces a look at something that has no event of its own.
func tick() <-chan struct{} {
	ch := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() { close(ch) })
	return ch
}

func TestWaitersGoInOrder(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Window = 1 })
	submit(testContext(t), ls, submission("0", "0"))
	asked := p.expect(smpp.SubmitSM)
	for i := 1; i <= 5; i++ {
		s := submission(fmt.Sprint(i), fmt.Sprint(i))
		s.First = i > 3
		submit(testContext(t), ls, s)
		waitFor(t, ls, i)
	}
	var order string
	for range 5 {
		p.send(answerWithID(asked, "id"))
		asked = p.expect(smpp.SubmitSM)
		order += string(asked.Short.Body)
	}
	p.send(answerWithID(asked, "id"))
	if order != "45123" {
		t.Errorf("they went in the order %s", order)
	}
}

// twoLinks are two links of one account, not bound yet, and their SMSCs.
func twoLinks(t *testing.T, account1, account2 string) (ls *smpp.Links, l1, l2 net.Listener) {
	t.Helper()
	l1, l2 = listen(t), listen(t)
	one, two := quick(l1.Addr().String()), quick(l2.Addr().String())
	one.Account, two.Account, two.Name = account1, account2, "two"
	one.Window, two.Window = 1, 1
	one.DrainTimeout, two.DrainTimeout = time.Millisecond, time.Millisecond
	ls = newLinks(t, newLink(t, one), newLink(t, two))
	start(t, ls)
	return ls, l1, l2
}

func TestFailover(t *testing.T) {
	ls, l1, l2 := twoLinks(t, "a", "a")
	done := submit(testContext(t), ls, submission("m", "to the second, for the first is not bound"))
	p2 := bindPeer(t, l2)
	p2.send(answerWithID(p2.expect(smpp.SubmitSM), "x"))
	if got := receive(t, done, "the result"); got.Link != "two" {
		t.Errorf("got %+v", got)
	}
	p1 := bindPeer(t, l1)
	eventually(t, tick, func() bool { return ls.Status()[0].Status == smpp.LinkBound }, "the first link")
	done = submit(testContext(t), ls, submission("m", "to the first"))
	p1.send(answerWithID(p1.expect(smpp.SubmitSM), "y"))
	if got := receive(t, done, "the result"); got.Link != "one" {
		t.Errorf("got %+v", got)
	}
	p1.conn.Close()
	eventually(t, tick, func() bool { return ls.Status()[0].Status != smpp.LinkBound }, "the fall of the first link")
	done = submit(testContext(t), ls, submission("m", "to the second again"))
	p2.send(answerWithID(p2.expect(smpp.SubmitSM), "z"))
	if got := receive(t, done, "the result"); got.Link != "two" {
		t.Errorf("got %+v", got)
	}
}

// The rest of a message goes by the link of its beginning, or its account.
func TestRestIsPinned(t *testing.T) {
	rest := submission("m", strings.Repeat("0123456789", 20))
	rest.Done = []string{"a"}
	rest.Link, rest.Account = "two", "b"
	for _, test := range []struct {
		name, account1 string
		bound          int // which link is bound
		taken          bool
	}{
		{"its own link", "a", 2, true},
		{"another link of the account", "b", 1, true},
		{"a link of another account", "a", 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ls, l1, l2 := twoLinks(t, test.account1, "b")
			l := l1
			if test.bound == 2 {
				l = l2
			}
			p := bindPeer(t, l)
			eventually(t, tick, func() bool { return ls.Status()[test.bound-1].Status == smpp.LinkBound }, "the link")
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			done := submit(ctx, ls, rest)
			if !test.taken {
				waitFor(t, ls, 1)
				p.barrier()
				cancel()
				if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeNotWritten {
					t.Errorf("got %+v", got)
				}
				return
			}
			p.send(answerWithID(p.expect(smpp.SubmitSM), "b"))
			if got := receive(t, done, "the result"); fmt.Sprint(got.SMSCIDs) != "[a b]" {
				t.Errorf("got %+v", got)
			}
		})
	}
}
