package smpp_test

import (
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// change puts links and routes in place of what ls has.
func change(t *testing.T, ls *smpp.Links, cfg smpp.LinksConfig) {
	t.Helper()
	c, err := ls.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Apply()
}

// Of two links one stays as it is, bound. The other ends what it has in flight and unbinds,
// and only then does that bind which takes its place. It goes on with its counts.
func TestChangeOfOneLink(t *testing.T) {
	a, b := listen(t), listen(t)
	first, second := quick(a.Addr().String()), quick(b.Addr().String())
	first.Name, first.Account = "one", "one"
	second.Name, second.Account = "two", "two"
	stays := newLink(t, first)
	toTwo := []smpp.Route{{Targets: []smpp.Target{{Name: "two"}}}}
	ls, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{stays, newLink(t, second)}, Routes: toTwo})
	if err != nil {
		t.Fatal(err)
	}
	start(t, ls)
	one, two := bindPeer(t, a), bindPeer(t, b)
	waitStatus(t, stays, smpp.LinkBound)
	inFlight := submit(testContext(t), ls, submission("m", "over two"))
	pdu := two.expect(smpp.SubmitSM)

	second.Window = 3
	change(t, ls, smpp.LinksConfig{Links: []*smpp.Link{stays, newLink(t, second)}, Routes: toTwo})
	waiting := submit(testContext(t), ls, submission("n", "waits for the next two"))
	waitFor(t, ls, 1)
	two.send(answerWithID(pdu, "id"))
	if r := receive(t, inFlight, "what was in flight"); r.Outcome != bridge.OutcomeSent {
		t.Errorf("what was in flight: %+v", r)
	}
	two.send(two.expect(smpp.Unbind).Answer(smpp.StatusOK))
	two.expectEOF()
	two = bindPeer(t, b)
	two.send(answerWithID(two.expect(smpp.SubmitSM), "id2"))
	if r := receive(t, waiting, "what waited"); r.Outcome != bridge.OutcomeSent || r.Link != "two" {
		t.Errorf("what waited: %+v", r)
	}

	one.barrier()
	st := ls.Status()
	if st[0].Binds != 1 || st[0].Status != smpp.LinkBound || st[1].Binds != 2 || st[1].Window != 3 {
		t.Errorf("status %+v", st)
	}
	if n := ls.Stats()[1].Submits[bridge.OutcomeSent]; n != 2 {
		t.Errorf("the second link has counted %d, want those of the one before it as well", n)
	}
}

// What waits for a link that cannot be reached goes by the new routes, the rest of a long
// message as well; what no route fits any more is told so.
func TestChangeMovesWhatWaits(t *testing.T) {
	b := listen(t)
	down, up := quick("127.0.0.1:1"), quick(b.Addr().String())
	down.Name, down.Account, down.BackoffMin = "down", "down", time.Hour
	up.Name, up.Account = "up", "up"
	old := newLink(t, down)
	ls := newLinks(t, old)
	start(t, ls)
	fresh := submit(testContext(t), ls, submission("m", "hi"))
	rest := submission("rest", strings.Repeat("0123456789", 20))
	rest.Done, rest.Link, rest.Account = []string{"a"}, "down", "down"
	begun := submit(testContext(t), ls, rest)
	waitFor(t, ls, 2)

	change(t, ls, smpp.LinksConfig{Links: []*smpp.Link{newLink(t, up)}})
	peer := bindPeer(t, b)
	for range 2 {
		peer.send(answerWithID(peer.expect(smpp.SubmitSM), "id"))
	}
	for name, done := range map[string]<-chan bridge.Result{"fresh": fresh, "begun": begun} {
		if r := receive(t, done, name); r.Outcome != bridge.OutcomeSent || r.Link != "up" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := ls.Routes(); len(r) != 1 || r[0].Links[0] != "up" {
		t.Errorf("routes %+v", r)
	}
}

// The rate of an account changes while its links stay.
func TestChangeOfRate(t *testing.T) {
	a := listen(t)
	cfg := quick(a.Addr().String())
	cfg.Rate = 7
	link := newLink(t, cfg)
	ls := newLinks(t, link)
	start(t, ls)
	bindPeer(t, a)
	waitStatus(t, link, smpp.LinkBound)
	for _, rate := range []float64{40, 0, 3} {
		change(t, ls, smpp.LinksConfig{Links: []*smpp.Link{link}, Rates: map[string]float64{link.Account(): rate}})
		if st := link.State(); st.Rate != rate || st.Status != smpp.LinkBound || st.Binds != 1 {
			t.Errorf("at %g: %+v", rate, st)
		}
	}
}

// A change that is wrong is refused, and changes nothing.
func TestChangeRefused(t *testing.T) {
	a := listen(t)
	link := newLink(t, quick(a.Addr().String()))
	ls := newLinks(t, link)
	for _, cfg := range []smpp.LinksConfig{
		{Links: []*smpp.Link{link, link}},
		{Links: []*smpp.Link{link}, Routes: []smpp.Route{{Targets: []smpp.Target{{Name: "nobody"}}}}},
	} {
		if _, err := ls.Prepare(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	if r := ls.Routes(); len(r) != 1 || r[0].Name != "all" {
		t.Errorf("routes %+v", r)
	}
}
