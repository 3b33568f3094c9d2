package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/smpp/smsc"
)

var code = addressing.MustParseNumber("36180;phone-context=+33")

// received are the texts that a phone of the simulator got, the oldest first.
func received(t *testing.T, s *smsc.Server, phone addressing.MSISDN) (all []smsc.Message) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/phones/"+phone.String()+"/messages", nil))
	var messages []smsc.Message
	if err := json.Unmarshal(w.Body.Bytes(), &messages); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, m := range messages {
		if m.Direction == smsc.Received {
			all = append(all, m)
		}
	}
	return all
}

// Ten people write to one phone over a pool of three numbers and a shared one. The phone,
// which knows nothing but who its texts say they are from, answers all of them, each where that
// text came from; then it answers nobody by name and is asked.
func TestTenPeopleAndOnePhone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shared addressing.Number
	}{{"a shared long number", shared}, {"a shared short code", code}} {
		t.Run(tt.name, func(t *testing.T) {
			r, simulator := overSMPP(t, options{book: addressing.Config{Pool: numbers(3), Shared: []addressing.Number{tt.shared}}})
			var people []addressing.Handle
			for i := range 10 {
				h := addressing.MustParseHandle(fmt.Sprintf("xmpp:p%d@corp.example", i))
				people = append(people, h)
				r.send(h, phone, "Bonjour, "+h.Name(), "1")
			}
			texts := received(t, simulator, phone)
			if len(texts) != len(people) {
				t.Fatalf("the phone got %d texts", len(texts))
			}
			senders := map[string]int{}
			sharers := map[string]string{} // the name of each, and from where they write
			for _, m := range texts {
				senders[m.From]++
				name := m.Text[strings.LastIndex(m.Text, " ")+1:]
				answer := "answer to " + name
				if strings.HasPrefix(m.Text, "From "+name+": ") {
					sharers[name] = m.From
					answer = "@" + name + " " + answer
				}
				if _, err := simulator.Send(phone, m.From, answer); err != nil {
					t.Fatal(err)
				}
			}
			if len(senders) != 4 || len(sharers) != 7 {
				t.Fatalf("the phone sees the senders %v, and introduced are %v", senders, sharers)
			}
			for _, h := range people {
				if diff := cmp.Diff([]string{"answer to " + h.Name()}, r.told(h, 1)); diff != "" {
					t.Errorf("%s: %s", h, diff)
				}
			}
			askedByCode(t, r, simulator, sharers)
		})
	}
}

// askedByCode: a text that names nobody is asked about, and goes to whom the phone chooses.
func askedByCode(t *testing.T, r *rig, simulator *smsc.Server, sharers map[string]string) {
	t.Helper()
	const chosen = "p8"
	from := sharers[chosen]
	before := len(received(t, simulator, phone))
	if _, err := simulator.Send(phone, from, "and now?"); err != nil {
		t.Fatal(err)
	}
	var question string
	r.mt.until(t, "the question", func([]turn) bool {
		all := received(t, simulator, phone)
		if len(all) > before {
			question = all[before].Text
		}
		return question != ""
	})
	_, choices, _ := strings.Cut(question, "number: ")
	for choice := range strings.SplitSeq(choices, ", ") {
		number, name, _ := strings.Cut(choice, " ")
		if sharers[name] == "" {
			t.Errorf("%q is asked for, who writes from another number", name)
		}
		if name != chosen {
			continue
		}
		if _, err := simulator.Send(phone, from, number); err != nil {
			t.Fatal(err)
		}
	}
	h := addressing.MustParseHandle("xmpp:" + chosen + "@corp.example")
	if diff := cmp.Diff([]string{"answer to " + chosen, "and now?"}, r.told(h, 2)); diff != "" {
		t.Errorf("asked %q: %s", question, diff)
	}
}
