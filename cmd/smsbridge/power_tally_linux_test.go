package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// tally is what became of everything.
type tally struct {
	accepted, delivered, unknown, mo int
	lost                             int // accepted, and not in a final state; or taken from the SMSC, and never shown
	untrue                           int // delivered, and not on the phone
	doubled, disordered              int
}

func (y tally) good() bool { return y.lost+y.untrue+y.doubled+y.disordered == 0 }

// end starts the daemon once more, lets it finish, and counts.
func (r *powerRun) end() (y tally) {
	r.t.Helper()
	p := startDaemon(r.t, r.config)
	r.at(p)
	r.finish(p)
	for _, who := range r.people {
		r.count(who, &y)
	}
	return y
}

// finish returns once nothing waits and every message is in a final state, or unknown to
// the daemon. What does not change any more is a loss too. A receipt of a message whose
// answer was lost waits some 15 s before it is given up.
func (r *powerRun) finish(p *process) {
	r.t.Helper()
	const still = 30 * time.Second
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	before, changed := -1, time.Now()
	ended := make(map[string]bool)
	for {
		open := r.waiting(p)
		for _, k := range r.talks {
			for _, id := range k.accepted {
				if ended[id] {
					continue
				}
				m, err := k.who.status(r.t.Context(), id)
				if err != nil {
					r.t.Fatal(err)
				}
				if ended[id] = m.Code == http.StatusNotFound || final[string(m.Status)]; !ended[id] {
					open++
				}
			}
			for _, m := range r.phone(k.phone) {
				if m.State == smsc.Pending {
					open++
				}
			}
		}
		if open != before { // asking for all may itself take longer than still
			before, changed = open, time.Now()
		}
		if open == 0 || time.Since(changed) > still {
			return
		}
		<-tick.C
	}
}

// waiting is how many messages are queued.
func (r *powerRun) waiting(p *process) (n int) {
	r.t.Helper()
	response, err := http.Get(p.ops + "/admin/v1/queue")
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var queue ops.Queue
	if err := json.NewDecoder(response.Body).Decode(&queue); err != nil {
		r.t.Fatal(err)
	}
	for _, row := range queue.Stages {
		if row.Stage != "dead" {
			n += int(row.Messages)
		}
	}
	return n
}

// phone is what a phone has, in order.
func (r *powerRun) phone(number addressing.MSISDN) []smsc.Message {
	return messages(r.t, r.s, number.String())
}

// count compares what a person knows with what the phones know.
func (r *powerRun) count(who *person, y *tally) {
	states, shown := r.shown(who)
	for _, k := range r.talks {
		if k.who != who {
			continue
		}
		arrived := make(map[string]int)
		last := ""
		for _, m := range r.phone(k.phone) {
			name, _, _ := strings.Cut(m.Text, " ")
			if m.Direction != smsc.Received || name != who.name {
				continue
			}
			arrived[m.Text]++
			y.note(r.t, m.Text, &last)
		}
		y.accepted += len(k.accepted)
		for n, id := range k.accepted {
			switch states[id] {
			case "delivered":
				y.delivered++
				if arrived[k.mt(n)] == 0 {
					y.untrue++
				}
			case "unknown":
				y.unknown++
			default:
				y.loss(r.t, fmt.Sprintf("%q, message %s, is %q and arrived %d times", k.mt(n), id, states[id], arrived[k.mt(n)]))
			}
		}
		last = ""
		seen := make(map[string]bool)
		for _, text := range shown[k.phone.String()] {
			seen[text] = true
			y.note(r.t, text, &last)
		}
		y.mo += k.written
		for n := range k.written {
			if !seen[k.mo(n)] {
				y.loss(r.t, fmt.Sprintf("%q", k.mo(n)))
			}
		}
	}
}

// loss counts a text that is lost; the first of them are told.
func (y *tally) loss(t *testing.T, which string) {
	const told = 5
	if y.lost++; y.lost <= told {
		t.Log("lost: " + which)
	}
}

// note counts a text that came twice, or late.
func (y *tally) note(t *testing.T, text string, last *string) {
	switch {
	case text == *last:
		y.doubled++
		t.Logf("twice: %q", text)
	case text < *last:
		y.disordered++
		t.Logf("out of order: %q after %q", text, *last)
	}
	*last = text
}

// shown reads all events of a person: the state of each message, and the texts from each
// phone in order.
func (r *powerRun) shown(who *person) (states map[string]string, texts map[string][]string) {
	// Two, since the first event of all is not read (see events) and may be the only one left.
	const end = "that is all"
	for _, text := range []string{"nearly all", end} {
		if m, err := who.send(r.t.Context(), "+33699999999", text, strings.ReplaceAll(text, " ", "-")); err != nil || m.Code != http.StatusAccepted {
			r.t.Fatalf("%q was not accepted: %+v, %v", text, m, err)
		}
	}
	states, texts = make(map[string]string), make(map[string][]string)
	ids := make(map[string]bool)
	who.events(r.t, func(e event) bool {
		if e.Status != "" && !final[states[e.ID]] {
			states[e.ID] = e.Status
		}
		if e.Direction == "mo" && !ids[e.ID] {
			ids[e.ID] = true
			texts[e.Phone] = append(texts[e.Phone], e.Text)
		}
		return e.Text != end
	})
	return states, texts
}
