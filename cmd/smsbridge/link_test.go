package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// links are the links and routes of a daemon, as it tells them.
func (o operatorAt) links() (list ops.LinkList) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, "", "link", "ls", "--json", "--ops", o.ops)
	if err := json.Unmarshal([]byte(out), &list); code != exitOK || err != nil {
		o.t.Fatalf("link ls: code %d, %s%s: %v", code, out, errs, err)
	}
	return list
}

// link waits until a link is as it should be.
func (o operatorAt) link(name, what string, holds func(ops.LinkRow) bool) {
	o.t.Helper()
	patiently(o.t, name+" "+what, func() bool {
		all := o.links().Links
		i := slices.IndexFunc(all, func(l ops.LinkRow) bool { return l.Name == name })
		return i >= 0 && holds(all[i])
	})
}

// route waits until a route is as it should be.
func (o operatorAt) route(name, what string, holds func(ops.RouteRow) bool) {
	o.t.Helper()
	patiently(o.t, name+" "+what, func() bool {
		all := o.links().Routes
		i := slices.IndexFunc(all, func(r ops.RouteRow) bool { return r.Name == name })
		return i >= 0 && holds(all[i])
	})
}

func isBound(l ops.LinkRow) bool { return l.Status == ops.LinkBound }

// twoSMSCs is testConfig with a second SMSC, and routes to each.
func twoSMSCs(dir, main, other string, hashes map[string]string) string {
	config := testConfig(dir, main, hashes, `routes:
  - {prefix: "+33", links: [main]}
  - {prefix: "+44", links: [other]}
`)
	return strings.Replace(config, "web:\n", fmt.Sprintf("  - {name: other, address: %q, system_id: bridge, password: secret, window: 20}\nweb:\n", other), 1)
}

// TestPause: an operator pauses a link, a route and a stage: nothing is lost, what can go another
// way does, and a crash resumes nothing.
func TestPause(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	main := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	other := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := twoSMSCs(t.TempDir(), main.Addr(), other.Addr(), hashes)
	config = strings.Replace(config, "links: [main]", "links: [main, other]", 1)
	var o operatorAt
	var p *process
	start := func() {
		p = startDaemon(t, config)
		o, ann.base = operatorAt{t, p.ops}, p.web
	}
	const french, british = "+33612345678", "+447700900123"
	send := func(to, text string) {
		t.Helper()
		if m, err := ann.send(t.Context(), to, text, ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", to, m, err)
		}
	}
	arrives := func(s *smsc.Server, phone string, want ...string) {
		t.Helper()
		patiently(t, fmt.Sprint(want, " on ", phone), func() bool { return slices.Equal(texts(t, s, phone), want) })
	}
	start()
	o.link("main", "is bound", isBound)
	o.link("other", "is bound", isBound)
	send(french, "one")
	arrives(main, french, "one")

	o.does("link pause main", "link main is paused", "stays bound")
	o.does("link pause main", "was paused before")
	o.mayNot("link pause nobody", "there is no link or account of that name")
	send(french, "two")
	arrives(other, french, "two")
	if _, err := main.Send(addressing.MustParseMSISDN(french), messages(t, main, french)[0].From, "une réponse"); err != nil {
		t.Fatal(err)
	}
	if !ann.wrote(t, "une réponse") {
		t.Error("what a phone wrote over a link that is paused did not come")
	}

	p.kill()
	start()
	o.link("main", "is bound and paused", func(l ops.LinkRow) bool { return isBound(l) && l.Held.Held && l.HeldBy != "" })
	o.does("link ls", "paused by")
	o.does("queue pause route +44", "route +44 is paused")
	o.does("queue pause mo", "stage mo is paused")
	send(british, "three")
	o.route("+44", "waits", func(r ops.RouteRow) bool { return r.Waiting == 1 && r.Held.Held })
	if _, err := main.Send(addressing.MustParseMSISDN(french), messages(t, main, french)[0].From, "une autre"); err != nil {
		t.Fatal(err)
	}
	o.does("queue pause mt", "stage mt is paused")
	o.does("queue resume route +44", "route +44 is resumed")
	o.does("queue ls", "mt is paused by", "mo is paused by")
	o.does("link ls", "main", "mt is paused by")
	send(french, "four")
	o.route("+33", "waits", func(r ops.RouteRow) bool { return r.Waiting == 1 })
	if got := texts(t, other, british); len(got) != 0 {
		t.Errorf("%q came while its stage was paused", got)
	}
	o.does("queue resume mt", "is resumed")
	o.does("queue resume mo", "is resumed")
	arrives(other, british, "three")
	arrives(other, french, "two", "four")
	if !ann.wrote(t, "une autre") {
		t.Error("what came while mo was paused did not come after")
	}
	ann.awaitFinal(t, 4)

	o.does("link resume main", "link main is resumed")
	o.does("link rebind main", "link main binds anew")
	o.link("main", "has bound anew", func(l ops.LinkRow) bool { return isBound(l) && l.Binds == 2 && !l.Held.Held })
	send(french, "five")
	arrives(main, french, "one", "five")
	o.does("queue audit", "pause", "link main", "route +44", "stage mt", "resume", "rebind")
	o.mayNot("queue pause route", "name the route")
	o.mayNot("queue pause mt +44", "only a route has a name")
}

// TestLinkLs: a daemon tells how its links are, and what waits for each route since when.
func TestLinkLs(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, twoSMSCs(t.TempDir(), s.Addr(), peers.FreeAddress(t), hashes))
	ann.base = p.web
	o := operatorAt{t, p.ops}
	before := time.Now()
	for _, to := range []string{"+33612345678", "+447700900123", "+447700900124"} {
		if m, err := ann.send(t.Context(), to, "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", to, m, err)
		}
	}
	o.route("+44", "has what waits", func(r ops.RouteRow) bool {
		if r.Waiting != 2 {
			return false
		}
		if r.OldestAt.Before(before.Add(-time.Second)) || r.OldestAt.After(time.Now().Add(time.Second)) {
			t.Errorf("the oldest came at %s", r.OldestAt)
		}
		return slices.Equal(r.Links, []string{"other"})
	})
	o.route("+33", "is empty again", func(r ops.RouteRow) bool { return r.Waiting == 0 && r.OldestAt.IsZero() })
	o.link("main", "has sent one", func(l ops.LinkRow) bool {
		return isBound(l) && l.Submits["sent"] == 1 && l.Segments == 1 && l.Window == 20
	})
	o.link("other", "is down", func(l ops.LinkRow) bool { return l.Status == ops.LinkDown && l.LastError != "" && !l.RetryAt.IsZero() })
	o.does("link ls", "main", "bound", "0 of 20", "no limit", "+44", "refused")
}
