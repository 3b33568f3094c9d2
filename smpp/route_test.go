package smpp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// operators are simulated SMSCs by account name, each with a bound link; stop ends one.
func operators(t *testing.T, routes []smpp.Route, operator func(context.Context, addressing.MSISDN) string, names ...string) (ls *smpp.Links, stop map[string]func()) {
	t.Helper()
	stop = make(map[string]func())
	var links []*smpp.Link
	for _, name := range names {
		s, err := smsc.New(smsc.Config{Addr: peers.FreeAddress(t), ReceiptDelay: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		stop[name] = start(t, s)
		cfg := quick(s.Addr())
		cfg.Name, cfg.Account = name, name
		links = append(links, newLink(t, cfg))
	}
	ls, err := smpp.NewLinks(smpp.LinksConfig{Links: links, Routes: routes, Operator: operator})
	if err != nil {
		t.Fatal(err)
	}
	start(t, ls)
	for _, l := range links {
		waitStatus(t, l, smpp.LinkBound)
	}
	return ls, stop
}

func to(names ...string) (all []smpp.Target) {
	for _, name := range names {
		all = append(all, smpp.Target{Name: name})
	}
	return all
}

// Messages that wait for the same links have one name, which a bound is counted by.
func TestRouteOf(t *testing.T) {
	routes := []smpp.Route{{Prefix: "33", Targets: to("a")}, {Prefix: "33", Networks: []string{"web"}, Targets: to("b")}, {Prefix: "34", Targets: to("a")}}
	ls, _ := operators(t, routes, nil, "a", "b")
	web, xmpp := addressing.MustParseHandle("web:ann"), addressing.MustParseHandle("xmpp:ann@corp.example")
	names := make(map[string]bool)
	for _, tt := range []struct {
		handle addressing.Handle
		phone  string
		known  bool // the name was there before
	}{
		{web, "+33612345678", false},
		{web, "+33699999999", true},
		{xmpp, "+33612345678", false},
		{xmpp, "+34612345678", false},
		{web, "+34612345679", true},
		{web, "+4915112345678", false},
	} {
		name := ls.RouteOf(tt.handle, addressing.MustParseMSISDN(tt.phone))
		if name == "" || names[name] != tt.known {
			t.Errorf("%s to %s is %q", tt.handle, tt.phone, name)
		}
		names[name] = true
	}
}

// The names of routes say whom they fit, so that what an operator does with one outlives a
// change of their order.
func TestRouteNames(t *testing.T) {
	handle := addressing.MustParseHandle
	ls, _ := operators(t, []smpp.Route{
		{Prefix: "33", Targets: to("b", "a")},
		{Prefix: "33", Networks: []string{"web"}, Targets: to("a")},
		{Prefix: "33", Handles: []addressing.Handle{handle("web:ann"), handle("web:bob")}, Targets: to("a")},
		{Prefix: "33", Targets: to("a")},
		{Operators: []string{"20801", "20802"}, Targets: to("a")},
		{Prefix: "44", Operators: []string{"20801"}, Targets: to("a")},
		{Targets: to("a")},
		{Networks: []string{"xmpp"}, Targets: to("a")},
	}, nil, "a", "b")
	want := []string{"+33", "+33,web", "+33,web:ann+1", "+33#2", "operator:20801+1", "+44,operator:20801", "all", "all,xmpp"}
	var got []string
	for _, r := range ls.Routes() {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "a"}, ls.Routes()[0].Links); diff != "" {
		t.Error(diff)
	}
}

// Which route a message takes, by its destination, its sender and its operator.
func TestRoutes(t *testing.T) {
	handle := addressing.MustParseHandle
	routes := []smpp.Route{
		{Prefix: "33", Targets: to("france")},
		{Prefix: "336", Targets: to("mobile")},
		{Prefix: "33", Networks: []string{"web"}, Targets: to("web")},
		{Prefix: "33", Handles: []addressing.Handle{handle("web:ann")}, Targets: to("ann")},
		{Prefix: "262", Networks: []string{"xmpp"}, Targets: to("reunion")},
		{Operators: []string{"20801", "20802"}, Targets: to("orange")},
		{Prefix: "44", Operators: []string{"20801"}, Targets: to("britain")},
	}
	operator := func(_ context.Context, phone addressing.MSISDN) string {
		return map[string]string{"33700000099": "20801", "33700000098": "20899"}[phone.Digits()]
	}
	ls, _ := operators(t, routes, operator, "france", "mobile", "web", "ann", "reunion", "orange", "britain")
	for _, test := range []struct{ name, handle, phone, want string }{
		{"by prefix", "xmpp:bob@corp.example", "+33700000001", "france"},
		{"by the longest prefix", "xmpp:bob@corp.example", "+33612345678", "mobile"},
		{"the longest prefix goes before the sender", "web:ann", "+33612345678", "mobile"},
		{"by network", "web:bob", "+33700000001", "web"},
		{"by handle", "web:ann", "+33700000001", "ann"},
		{"of its network only", "xmpp:bob@corp.example", "+262692123456", "reunion"},
		{"not for others", "web:bob", "+262692123456", ""},
		{"a ported number", "web:ann", "+33700000099", "orange"},
		{"an operator without a route", "xmpp:bob@corp.example", "+33700000098", "france"},
		{"a prefix with operators, and another operator", "web:bob", "+447700900123", "britain"},
		{"nowhere", "web:bob", "+34600000000", ""},
		{"from nobody, as the bridge itself", "", "+33700000001", "france"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := submission("m", "hi")
			s.Phone = addressing.MustParseMSISDN(test.phone)
			if test.handle != "" {
				s.Handle = handle(test.handle)
			}
			got := ls.Submit(testContext(t), s)
			if test.want == "" {
				if got.Outcome != bridge.OutcomePermanent || got.Reason != bridge.ReasonUnroutable || !strings.Contains(got.Detail, "no connection that serves this number") {
					t.Errorf("got %+v", got)
				}
				return
			}
			if got.Outcome != bridge.OutcomeSent || got.Account != test.want {
				t.Errorf("got %+v, want it over %s", got, test.want)
			}
		})
	}
}

// A link that is down hands its messages to the next of the route, one that waits already
// too, and takes them back.
func TestRouteFailsOver(t *testing.T) {
	ls, stop := operators(t, []smpp.Route{{Targets: to("first", "second")}}, nil, "first", "second")
	send := func(want string) {
		t.Helper()
		if got := ls.Submit(testContext(t), submission("m", "hi")); got.Account != want {
			t.Errorf("got %+v, want it over %s", got, want)
		}
	}
	send("first")
	stop["first"]()
	eventually(t, tick, func() bool { return ls.Status()[0].Status != smpp.LinkBound }, "the fall of the first")
	send("second")
	stop["second"]()
	eventually(t, tick, func() bool { return ls.Status()[1].Status != smpp.LinkBound }, "the fall of the second")
	waiting := submit(testContext(t), ls, submission("m", "hi"))
	waitFor(t, ls, 1)
	again, err := smsc.New(smsc.Config{Addr: addrOf(t, ls, 1), ReceiptDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	start(t, again)
	if got := receive(t, waiting, "the one that waited"); got.Account != "second" {
		t.Errorf("got %+v", got)
	}
}

// addrOf is where a link connects to, as its last error says.
func addrOf(t *testing.T, ls *smpp.Links, i int) string {
	t.Helper()
	var addr string
	eventually(t, tick, func() bool {
		_, rest, found := strings.Cut(ls.Status()[i].LastError, "cannot connect to ")
		addr, _, _ = strings.Cut(rest, ": ")
		return found
	}, "an error with the address")
	return addr
}

// Weights share out what leaves, and what one cannot take the other does.
func TestRouteByWeight(t *testing.T) {
	route := smpp.Route{Targets: []smpp.Target{{Name: "a", Weight: 3}, {Name: "b", Weight: 1}}}
	ls, stop := operators(t, []smpp.Route{route}, nil, "a", "b")
	count := func(n int) map[string]int {
		all := make(map[string]int)
		for i := range n {
			all[ls.Submit(testContext(t), submission(fmt.Sprint(i), "hi")).Account]++
		}
		return all
	}
	if got := count(40); got["a"] != 30 || got["b"] != 10 {
		t.Errorf("shared out %v", got)
	}
	stop["a"]()
	eventually(t, tick, func() bool { return ls.Status()[0].Status != smpp.LinkBound }, "the fall of a")
	if got := count(5); got["b"] != 5 {
		t.Errorf("shared out %v", got)
	}
}

func TestNewLinksRefusesRoutes(t *testing.T) {
	main, back := quick("127.0.0.1:2775"), quick("127.0.0.1:2776")
	main.Name, back.Name, back.Bind = "main", "back", smpp.Receiver
	for says, route := range map[string]smpp.Route{
		"has no links":                     {Prefix: "33"},
		"leads to back, which is no":       {Targets: to("back")},
		"leads to other, which":            {Operators: []string{"1"}, Targets: to("main", "other")},
		"a weight to some of its links on": {Targets: []smpp.Target{{Name: "main", Weight: 1}, {Name: "main"}}},
	} {
		_, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{newLink(t, main), newLink(t, back)}, Routes: []smpp.Route{route}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// lookup is a look-up against a service that answers by serve.
func lookup(t *testing.T, change func(*smpp.PortabilityConfig), serve http.HandlerFunc) *smpp.Portability {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	cfg := smpp.PortabilityConfig{URL: s.URL + "/v1/{msisdn}?key=hidden"}
	if change != nil {
		change(&cfg)
	}
	p, err := smpp.NewPortability(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestPortabilityAnswers(t *testing.T) {
	for _, test := range []struct {
		name, field, answer string
		status              int
		want                string
	}{
		{"text", "", `{"operator": "20801"}`, 200, "20801"},
		{"a number", "", `{"operator": 20801}`, 200, "20801"},
		{"further in", "result.mccmnc", `{"result": {"mccmnc": "20810"}}`, 200, "20810"},
		{"not known", "", `{"error": "no such number"}`, 404, ""},
		{"not in the answer", "", `{}`, 200, ""},
		{"null", "", `{"operator": null}`, 200, ""},
		{"a list", "", `{"operator": ["20801"]}`, 200, ""},
		{"no JSON", "", `<html>`, 200, ""},
		{"no object", "a.b", `{"a": 1}`, 200, ""},
		{"an error", "", `{"operator": "20801"}`, 500, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := lookup(t, func(c *smpp.PortabilityConfig) { c.Field, c.Authorization = test.field, "Bearer x" }, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.String() != "/v1/33612345678?key=hidden" || r.Header.Get("Authorization") != "Bearer x" || r.Method != http.MethodGet {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				w.WriteHeader(test.status)
				_, _ = fmt.Fprint(w, test.answer)
			})
			if got := p.Operator(testContext(t), phone); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Answers are kept, that nobody knows too, the longest unused forgotten first.
func TestPortabilityRemembers(t *testing.T) {
	var asked atomic.Int32
	p := lookup(t, func(c *smpp.PortabilityConfig) { c.MaxEntries = 2 }, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasPrefix(r.URL.Path, "/v1/336") {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, `{"operator": "1"}`)
	})
	a, b, c := phone, addressing.MustParseMSISDN("+33700000001"), addressing.MustParseMSISDN("+33700000002")
	for i, step := range []struct {
		phone addressing.MSISDN
		want  string
		asked int32
	}{{a, "", 1}, {a, "", 1}, {b, "1", 2}, {a, "", 2}, {c, "1", 3}, {a, "", 3}, {b, "1", 4}} {
		if got := p.Operator(testContext(t), step.phone); got != step.want || asked.Load() != step.asked {
			t.Errorf("step %d: %q, asked %d times", i, got, asked.Load())
		}
	}
}

// A service that is down holds up one message, is left alone for a while, and is named in
// the log once, without the phone or the key of the URL.
func TestPortabilityFails(t *testing.T) {
	var log safeBuffer
	var asked atomic.Int32
	release := make(chan struct{})
	p := lookup(t, func(c *smpp.PortabilityConfig) {
		c.Timeout, c.Logger = 50*time.Millisecond, zerolog.New(&log)
	}, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	for range 3 {
		if got := p.Operator(testContext(t), phone); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || strings.Contains(text, "33612345678") || strings.Contains(text, "hidden") {
		t.Errorf("the log has:\n%s", text)
	}
}

func TestNewPortabilityRefuses(t *testing.T) {
	for _, url := range []string{"", "hlr.example.net/{msisdn}", "ftp://hlr.example.net/{msisdn}", "https://hlr.example.net/", "https:///{msisdn}"} {
		if _, err := smpp.NewPortability(smpp.PortabilityConfig{URL: url}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}
