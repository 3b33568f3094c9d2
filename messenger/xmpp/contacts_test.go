package xmpp_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestPresence(t *testing.T) {
	const to = phone + "@" + domain
	tests := []struct {
		name, typ, from, to string
		want                []string
	}{
		{"subscribe to a phone", "subscribe", ann, to, []string{"subscribed", ""}},
		{"subscribe to the bridge", "subscribe", ann, domain, []string{"subscribed", ""}},
		{"probe", "probe", ann + "/d", to, []string{""}},
		{"unsubscribe", "unsubscribe", ann, to, []string{"unsubscribed"}},
		{"another spelling", "subscribe", ann, "0612345678@" + domain, []string{"unsubscribed"}},
		{"no phone", "probe", ann, "bob@" + domain, []string{"unsubscribed"}},
		{"not permitted", "subscribe", "eve@other.example", to, []string{"unsubscribed"}},
	}
	_, _, st, _ := connect(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st.raw(fmt.Sprintf("<presence type='%s' from='%s' to='%s'/>", tt.typ, tt.from, tt.to))
			bare, _, _ := strings.Cut(tt.from, "/")
			for _, want := range tt.want {
				if e := st.get(); e.XMLName.Local != "presence" || e.Type != want || e.From != tt.to || e.To != bare {
					t.Errorf("got %+v, want %q", e, want)
				}
			}
		})
	}
}

func TestRequests(t *testing.T) {
	const to = phone + "@" + domain
	tests := []struct {
		name, typ, to, payload string
		want                   []string // in the answer; "error" first where it is one
	}{
		{"ping", "get", domain, "<ping xmlns='urn:xmpp:ping'/>", nil},
		{"ping of a phone", "get", to, "<ping xmlns='urn:xmpp:ping'/>", nil},
		{"version", "get", domain, "<query xmlns='jabber:iq:version'/>", []string{"<name>smsbridge</name>", "<version>1.2</version>"}},
		{"disco#info", "get", domain, "<query xmlns='http://jabber.org/protocol/disco#info'/>", []string{`category="gateway" type="sms"`, `var="urn:xmpp:ping"`}},
		{"disco#info of a phone", "get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>", []string{`category="client" type="sms"`, `var="urn:xmpp:receipts"`}},
		{"disco#items", "get", domain, "<query xmlns='http://jabber.org/protocol/disco#items'/>", []string{"disco#items"}},
		{"a node", "get", domain, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", []string{"error", "service-unavailable"}},
		{"something else", "get", to, "<vCard xmlns='vcard-temp'/>", []string{"error", "service-unavailable"}},
		{"a set", "set", domain, "<ping xmlns='urn:xmpp:ping'/>", []string{"error", "service-unavailable"}},
		{"nothing", "get", domain, "", []string{"error", "service-unavailable"}},
		{"nobody", "get", "bob@" + domain, "<ping xmlns='urn:xmpp:ping'/>", []string{"error", "item-not-found"}},
	}
	s := newServer(t)
	cfg := config(s.listener.Addr().String(), newHub())
	cfg.Version = "1.2"
	start(t, cfg)
	st := s.next()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprint("q", i)
			st.raw(fmt.Sprintf("<iq type='%s' id='%s' from='%s/d' to='%s'>%s</iq>", tt.typ, id, ann, tt.to, tt.payload))
			e := st.get()
			typ, want := "result", tt.want
			if len(want) > 0 && want[0] == "error" {
				typ, want = "error", want[1:]
			}
			if e.XMLName.Local != "iq" || e.Type != typ || e.ID != id || e.To != ann+"/d" || e.From != tt.to {
				t.Errorf("got %+v", e)
			}
			for _, part := range want {
				if !strings.Contains(e.Inner, part) {
					t.Errorf("%s is not in %s", part, e.Inner)
				}
			}
		})
	}
}
