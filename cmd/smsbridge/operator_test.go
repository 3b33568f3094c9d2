package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// operatorAt runs the commands of an operator against a daemon.
type operatorAt struct {
	t   *testing.T
	ops string
}

func (o operatorAt) does(command string, want ...string) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, "", append(strings.Fields(command), "--ops", o.ops)...)
	if code != exitOK {
		o.t.Errorf("%s: code %d, %s", command, code, errs)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			o.t.Errorf("%s: %q is not in\n%s", command, w, out)
		}
	}
}

func (o operatorAt) mayNot(command, want string) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, "", append(strings.Fields(command), "--ops", o.ops)...)
	if code == exitOK || !strings.Contains(errs, want) {
		o.t.Errorf("%s: code %d, %s%s; want %q", command, code, out, errs, want)
	}
}

// wrote tells whether the person has a text from a phone.
func (p *person) wrote(t *testing.T, text string) (found bool) {
	t.Helper()
	p.events(t, func(e event) bool {
		found = e.Direction == "mo" && e.Text == text
		return !found
	})
	return found
}

// said is the conversation as the person reads it.
func (p *person) said(t *testing.T, phone string) (all []string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/api/v1/conversations/"+url.PathEscape(phone)+"/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Messages []event }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	for _, m := range answer.Messages {
		all = append(all, m.Direction+" "+m.Text)
	}
	return all
}

// TestOperator: an operator changes names, numbers and who may write, while a daemon runs and
// over kill -9, and each change is on record.
func TestOperator(t *testing.T) {
	all, hashes := people("ann", "bob", "carl")
	ann, bob, carl := all[0], all[1], all[2]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := strings.Replace(testConfig(t.TempDir(), s.Addr(), hashes, ""), `pool: ["+33700000001", "+33700000002", "+33700000003", "+33700000004", "+33700000005"]`, `pool: ["+33700000001"]`, 1)
	const phone = "+33612345678"
	var o operatorAt
	var p *process
	start := func() {
		p = startDaemon(t, config)
		o = operatorAt{t, p.ops}
		for _, who := range all {
			who.base = p.web
		}
	}
	send := func(who *person, code int, words string) {
		t.Helper()
		if m, err := who.send(t.Context(), phone, "Bonjour", ""); err != nil || m.Code != code || !strings.Contains(m.Detail, words) {
			t.Errorf("%s: %+v, %v; want %d %q", who.name, m, err, code, words)
		}
	}
	start()
	send(ann, http.StatusAccepted, "")
	send(bob, http.StatusConflict, "") // there is one number
	o.does("number add +33700000002", "+33700000002 pool is in use")
	o.mayNot("number add +33700000001", "is in the configuration")
	o.mayNot("number retire +33799999999", "is no number of this bridge")
	// What phones write would be read by nobody, as in the configuration.
	o.mayNot("number add 36180;phone-context=+49", "country_code: 49")
	o.mayNot("number add +33700000009 --for web:bbo", "web:bbo is none of web.users")
	o.mayNot("handle register xmpp:ann@corp.example", "Nobody would read it: nobody serves xmpp:ann@corp.example")
	o.mayNot("handle register web:anne", "web:anne is none of web.users")
	send(bob, http.StatusAccepted, "")
	o.does("number retire +33700000002", "is retired")
	o.does("number ls", "+33700000001  pool  configuration ", "retired", "added ")

	o.mayNot("handle rename web:ann web:bob", "both are one person")
	o.does("handle rename web:ann web:carl", "web:ann web:carl: the first is called the second")
	o.mayNot("handle rename web:ann web:carl", "web:ann is called web:carl since")
	o.mayNot("handle rename web:carl web:carl", "web:carl has that name")
	send(ann, http.StatusForbidden, "not in use")
	o.does("lookup web:ann", "web:ann is called web:carl since")
	o.does("lookup "+phone+" +33700000001", "goes to web:carl: the number is its own on this phone")
	o.does("lookup web:bob "+phone, "goes over +33700000002: there is a conversation over it")

	p.kill()
	start()
	answer := func(to, text string) {
		t.Helper()
		if _, err := s.Send(addressing.MustParseMSISDN(phone), to, text); err != nil {
			t.Fatal(err)
		}
	}
	answer("+33700000001", "pour carl")
	if !carl.wrote(t, "pour carl") {
		t.Error("carl did not get the answer to what he wrote as ann")
	}
	if all := carl.said(t, phone); !slices.Equal(all, []string{"mt Bonjour", "mo pour carl"}) {
		t.Errorf("carl reads %q", all)
	}
	o.does("handle block web:carl --to +336", "web:carl to +336 is blocked")
	send(carl, http.StatusForbidden, "blocked")
	o.does("handle ls", "web:ann", "is web:carl", "may not write to +336")
	o.mayNot("handle block *", "everybody to every phone")
	o.does("handle unblock web:carl --to +336", "is not blocked any more")
	send(carl, http.StatusAccepted, "")
	o.does("optout add "+phone+" web:carl", " web:carl: opted out")
	send(carl, http.StatusForbidden, "STOP")
	o.does("optout ls", "web:carl", "operator")
	o.does("optout rm "+phone+" web:carl", "not opted out any more")
	o.does("conversation release web:carl "+phone, "is over now")
	o.does("conversation ls web:carl", "over since", "resting until")

	o.does("handle rm web:bob", "web:bob is removed")
	o.mayNot("handle rm web:bob", "was removed on")
	send(bob, http.StatusForbidden, "not in use")
	o.does("handle rm web:bob --undo", "is back")
	o.does("handle rm web:bob")
	o.does("handle reuse web:bob", "is free for a new person")
	o.does("handle reuse web:bob", "was neither renamed nor removed")
	if all := bob.said(t, phone); len(all) != 0 {
		t.Errorf("the new bob reads %q of the old one", all)
	}
	o.does("queue audit", "handle_rename", "web:ann web:carl", "not done: ", "number_add", "optout_ended", "release", "handle_reuse")

	_, out, _ := smsbridge(t, "", "number", "ls", "--json", "--ops", p.ops)
	var list ops.NumberList
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Numbers) != 2 || list.Numbers[1].Use != addressing.UsePool || list.Numbers[1].RetiredAt.IsZero() {
		t.Errorf("%s: %v", out, err)
	}
}
