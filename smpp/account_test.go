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

// pool is n links of one account to one SMSC, bound.
func pool(t *testing.T, n int, change func(*smpp.LinkConfig)) (*smpp.Links, []*peer) {
	t.Helper()
	l := listen(t)
	var links []*smpp.Link
	for i := range n {
		cfg := quick(l.Addr().String())
		cfg.Name, cfg.Pool, cfg.Account = fmt.Sprint("pool-", i+1), "pool", "account"
		cfg.DrainTimeout = time.Millisecond
		if change != nil {
			change(&cfg)
		}
		links = append(links, newLink(t, cfg))
	}
	ls := newLinks(t, links...)
	start(t, ls)
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = bindPeer(t, l)
	}
	for _, link := range links {
		waitStatus(t, link, smpp.LinkBound)
	}
	return ls, peers
}

// arrivals are the submits that come to any of the peers, with who got them.
func arrivals(peers []*peer) <-chan arrival {
	all := make(chan arrival, 100)
	for _, p := range peers {
		go func() {
			for {
				pdu, err := p.read()
				if err != nil {
					return
				}
				if pdu.Command == smpp.SubmitSM {
					all <- arrival{p, pdu, time.Now()}
				}
			}
		}()
	}
	return all
}

type arrival struct {
	peer *peer
	pdu  *smpp.PDU
	at   time.Time
}

// The binds of a pool share the load evenly.
func TestPoolSharesLoad(t *testing.T) {
	ls, peers := pool(t, 3, func(c *smpp.LinkConfig) { c.Window = 2 })
	got := arrivals(peers)
	for i := range 6 {
		submit(testContext(t), ls, submission(fmt.Sprint(i), "hi"))
	}
	count := make(map[*peer]int)
	for range 6 {
		a := receive(t, got, "a submit")
		count[a.peer]++
	}
	for i, p := range peers {
		if count[p] != 2 {
			t.Errorf("bind %d got %d of 6", i, count[p])
		}
	}
	for _, st := range ls.Status() {
		if st.Pool != "pool" || st.Account != "account" || st.WindowUsed != 2 {
			t.Errorf("state %+v", st)
		}
	}
}

// The rate is that of the account, over all its binds and counted in segments.
func TestRateIsOfTheAccount(t *testing.T) {
	ls, peers := pool(t, 2, func(c *smpp.LinkConfig) { c.Rate = 50 })
	got := arrivals(peers)
	began := time.Now()
	submit(testContext(t), ls, submission("long", strings.Repeat("0123456789", 40))) // three segments
	for i := range 4 {
		submit(testContext(t), ls, submission(fmt.Sprint(i), "hi"))
	}
	for range 7 {
		a := receive(t, got, "a submit")
		a.peer.send(answerWithID(a.pdu, "id"))
	}
	if took := time.Since(began); took < 115*time.Millisecond {
		t.Errorf("seven segments at 50 a second took %s", took)
	}
}

// Of a text that the SMSC splits by itself the rate counts the segments that it makes.
func TestRateCountsSegmentsOfAPayload(t *testing.T) {
	ls, peers := pool(t, 2, func(c *smpp.LinkConfig) { c.Rate, c.Text.Long = 50, smpp.LongPayload })
	got := arrivals(peers)
	began := time.Now()
	long := submit(testContext(t), ls, submission("long", strings.Repeat("0123456789", 150))) // ten segments
	first := receive(t, got, "the long one")
	if len(first.pdu.Short.Body) != 0 {
		t.Fatalf("the long one is not a payload: %+v", first.pdu.Short)
	}
	short := submit(testContext(t), ls, submission("short", "hi"))
	next := receive(t, got, "the one behind it")
	if took := next.at.Sub(began); took < 190*time.Millisecond {
		t.Errorf("ten segments at 50 a second took %s", took)
	}
	for _, a := range []arrival{first, next} {
		a.peer.send(answerWithID(a.pdu, "id"))
	}
	receive(t, long, "the result")
	receive(t, short, "the result")
	if st := ls.Stats(); st[0].Segments+st[1].Segments != 11 {
		t.Errorf("counted %d and %d segments", st[0].Segments, st[1].Segments)
	}
}

// A throttle answer on one bind pauses the account. Then the refused message goes out
// first and alone, over whatever bind; the next segment of a long one before new ones.
func TestThrottlePausesTheAccount(t *testing.T) {
	ls, peers := pool(t, 2, func(c *smpp.LinkConfig) { c.Window = 2 })
	got := arrivals(peers)
	long := submit(testContext(t), ls, submission("long", strings.Repeat("0123456789", 40)))
	longPart := receive(t, got, "the first segment of the long one")
	short := submit(testContext(t), ls, submission("short", "refused"))
	refused := receive(t, got, "the short one")
	refused.peer.send(refused.pdu.Answer(smpp.StatusThrottled))
	if r := receive(t, short, "the refusal"); r.Outcome != bridge.OutcomeThrottled {
		t.Fatalf("got %+v", r)
	}
	paused := time.Now()
	for _, st := range ls.Status() {
		if st.Status != smpp.LinkPaused || st.Rate == 0 {
			t.Errorf("state %+v", st)
		}
	}
	longPart.peer.send(answerWithID(longPart.pdu, "a"))
	fresh := submit(testContext(t), ls, submission("new", "new"))
	waitFor(t, ls, 2)
	again := submission("short", "refused")
	again.First = true
	short = submit(testContext(t), ls, again)
	waitFor(t, ls, 3)
	probe := receive(t, got, "the first after the pause")
	if string(probe.pdu.Short.Body) != "refused" || probe.at.Sub(paused) < 200*time.Millisecond {
		t.Errorf("%q came after %s", probe.pdu.Short.Body, probe.at.Sub(paused))
	}
	for _, p := range peers {
		p.send(&smpp.PDU{Command: smpp.EnquireLink, Sequence: 7})
	}
	eventually(t, tick, func() bool { return ls.Status()[0].Status == smpp.LinkBound }, "the end of the pause")
	if ls.Waiting() != 2 || len(got) != 0 {
		t.Errorf("%d wait while the first is out, and %d came", ls.Waiting(), len(got))
	}
	probe.peer.send(answerWithID(probe.pdu, "b"))
	for _, want := range []byte{2, 3} { // the rest of the long one
		next := receive(t, got, "the next segment")
		if next.pdu.Short.ESMClass != smpp.ESMUDH || next.pdu.Short.Body[5] != want || next.peer != longPart.peer {
			t.Errorf("%q came", next.pdu.Short.Body)
		}
		if want == 3 {
			next.peer.send(answerWithID(next.pdu, "c"))
			break
		}
		// The new one may come between: the second is not answered yet.
		next.peer.send(answerWithID(next.pdu, "c"))
		other := receive(t, got, "the new one or the last segment")
		if string(other.pdu.Short.Body) == "new" {
			other.peer.send(answerWithID(other.pdu, "d"))
			continue
		}
		other.peer.send(answerWithID(other.pdu, "c"))
		last := receive(t, got, "the new one")
		last.peer.send(answerWithID(last.pdu, "d"))
		break
	}
	for name, done := range map[string]<-chan bridge.Result{"long": long, "short": short, "new": fresh} {
		if r := receive(t, done, name); r.Outcome != bridge.OutcomeSent {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// An SMSC that goes on throttling gets one submit at a time, less and less often, and the
// message is not lost.
func TestThrottledForLong(t *testing.T) {
	ls, peers := pool(t, 1, nil)
	got := arrivals(peers)
	s := submission("m", "hi")
	var last time.Time
	for i, least := range []time.Duration{0, 250, 500, 1000} {
		done := submit(testContext(t), ls, s)
		a := receive(t, got, "the submit")
		if gap := a.at.Sub(last); gap < least*time.Millisecond-20*time.Millisecond {
			t.Errorf("try %d came after %s", i, gap)
		}
		last = a.at
		a.peer.send(a.pdu.Answer(smpp.StatusMsgQFul))
		if r := receive(t, done, "the refusal"); r.Outcome != bridge.OutcomeThrottled {
			t.Fatalf("got %+v", r)
		}
		s.First = true
	}
	done := submit(testContext(t), ls, s)
	a := receive(t, got, "the last submit")
	a.peer.send(answerWithID(a.pdu, "id"))
	if r := receive(t, done, "the result"); r.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", r)
	}
}

// A submit that gets no answer while the SMSC is tried lets the next one try.
func TestProbeUnanswered(t *testing.T) {
	ls, peers := pool(t, 1, func(c *smpp.LinkConfig) { c.ResponseTimeout = time.Second; c.EnquireInterval = time.Hour })
	got := arrivals(peers)
	done := submit(testContext(t), ls, submission("1", "hi"))
	a := receive(t, got, "the first")
	a.peer.send(a.pdu.Answer(smpp.StatusThrottled))
	receive(t, done, "the refusal")
	one, two := submit(testContext(t), ls, submission("2", "hi")), submit(testContext(t), ls, submission("3", "hi"))
	silent := receive(t, got, "the one that tries")
	next := receive(t, got, "the other")
	if gap := next.at.Sub(silent.at); gap < 500*time.Millisecond {
		t.Errorf("it came %s after the one that has no answer", gap)
	}
	next.peer.send(answerWithID(next.pdu, "id"))
	outcomes := map[bridge.Outcome]int{receive(t, one, "one").Outcome: 1}
	outcomes[receive(t, two, "two").Outcome]++
	if outcomes[bridge.OutcomeUnknown] != 1 || outcomes[bridge.OutcomeSent] != 1 {
		t.Errorf("got %v", outcomes)
	}
}

// What gives up while thousands wait leaves nothing behind.
func TestManyWaiters(t *testing.T) {
	l := listen(t)
	ls := newLinks(t, newLink(t, quick(l.Addr().String())))
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	const many = 2000
	done := make(chan bridge.Result, many)
	same := submission("m", "hi")
	for range many {
		go func() { done <- ls.Submit(ctx, same) }()
	}
	waitFor(t, ls, many)
	cancel()
	for range many {
		if r := receive(t, done, "a result"); r.Outcome != bridge.OutcomeNotWritten {
			t.Fatalf("got %+v", r)
		}
	}
	if ls.Waiting() != 0 {
		t.Errorf("%d wait still", ls.Waiting())
	}
}

// BenchmarkWaiting shows that a freed slot costs the same however many wait.
func BenchmarkWaiting(b *testing.B) {
	for _, waiting := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			ls, ctx := benchLinks(b)
			crowd, cancel := context.WithCancel(ctx)
			left := make(chan struct{}, waiting)
			rest := submission("rest", strings.Repeat("0123456789", 20))
			rest.Done, rest.Account = []string{"x"}, "down" // so it waits for an account that is down
			for range waiting {
				go func() {
					ls.Submit(crowd, rest)
					left <- struct{}{}
				}()
			}
			for ls.Waiting() < waiting {
				time.Sleep(time.Millisecond)
			}
			one := submission("m", "hi")
			for b.Loop() {
				if r := ls.Submit(ctx, one); r.Outcome != bridge.OutcomeSent {
					b.Fatalf("got %+v", r)
				}
			}
			cancel()
			for range waiting {
				<-left
			}
		})
	}
}

// benchLinks are a link to an SMSC that takes all, and one of another account that is down.
func benchLinks(b *testing.B) (*smpp.Links, context.Context) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s := smpp.NewSession(conn, smpp.SessionConfig{Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
			return answerWithID(p, "id")
		})})
		_ = s.Run(ctx)
	}()
	up, down := quick(l.Addr().String()), quick("127.0.0.1:1")
	down.Name, down.Account, down.BackoffMin, down.BackoffMax = "down", "down", time.Hour, time.Hour
	var links []*smpp.Link
	for _, cfg := range []smpp.LinkConfig{up, down} {
		link, err := smpp.NewLink(cfg)
		if err != nil {
			b.Fatal(err)
		}
		links = append(links, link)
	}
	ls, err := smpp.NewLinks(smpp.LinksConfig{Links: links})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = ls.Run(ctx) }()
	b.Cleanup(func() { cancel(); l.Close(); <-ended; <-served })
	return ls, ctx
}
