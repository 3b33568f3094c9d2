package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// purge runs `smsbridge queue purge` and gives how many messages it gave up.
func (o operatorAt) purge(answer string, flags ...string) (n int) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, answer, append([]string{"queue", "purge", "--ops", o.ops}, flags...)...)
	if _, err := fmt.Sscanf(out, "%d message", &n); code != exitOK || err != nil {
		o.t.Fatalf("purge %s: code %d, %s%s", flags, code, out, errs)
	}
	return n
}

// waiting waits until the stage mt holds n messages.
func (o operatorAt) waiting(n int) {
	o.t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^mt +%d `, n))
	patiently(o.t, fmt.Sprint(n, " messages in mt"), func() bool {
		_, out, _ := smsbridge(o.t, "", "queue", "ls", "--ops", o.ops)
		return line.MatchString(out)
	})
}

// TestPurge: an operator gives up what waits, of a person, to a phone and for a route; each sender
// is told, nothing of it is sent, and what was not meant goes on in order.
func TestPurge(t *testing.T) {
	all, hashes := people("ann", "bob")
	ann, bob := all[0], all[1]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, BusyFor: time.Hour})
	away := peers.FreeAddress(t)
	p := startDaemon(t, twoSMSCs(t.TempDir(), s.Addr(), away, hashes))
	ann.base, bob.base = p.web, p.web
	o := operatorAt{t, p.ops}
	const british = "+447700900123"
	send := func(who *person, to, text string) {
		t.Helper()
		if m, err := who.send(t.Context(), to, text, ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", to, m, err)
		}
	}
	for n := range 3 {
		send(ann, british, fmt.Sprint("ann ", n))
		send(bob, british, fmt.Sprint("bob ", n))
	}
	send(bob, "+447700900124", "bob elsewhere")
	send(ann, "+33612300500", "is refused for now")
	patiently(t, "the refusal for now", func() bool {
		_, out, _ := smsbridge(t, "", "trace", "--phone", "+33612300500", "--ops", o.ops)
		return strings.Contains(out, "ESME_RSYSERR") || strings.Contains(out, "technical problem")
	})
	o.waiting(8)

	if code, _, errs := smsbridge(t, "no\n", "queue", "purge", "--handle", "web:ann", "--ops", o.ops); code == exitOK || !strings.Contains(errs, "4 messages (mt of web:ann) will not be sent") || !strings.Contains(errs, "nothing was purged") {
		t.Errorf("code %d: %s", code, errs)
	}
	o.waiting(8)
	o.mayNot("queue purge --yes", "say which messages")
	o.mayNot("queue purge --yes --all --handle web:ann", "say which messages")
	o.does("queue purge --handle web:nobody", "No message waits that fits (mt of web:nobody).")
	o.mayNot("queue purge --yes --route +99", "there is no route of that name")
	if n := o.purge("purge\n", "--handle", "web:ann"); n != 4 {
		t.Errorf("%d of ann's were given up", n)
	}
	ended := make(map[string]bool)
	ann.events(t, func(e event) bool {
		if final[e.Status] {
			if ended[e.ID] = true; e.Status != "failed" || e.Reason != "purged" || !strings.Contains(e.Detail, "The operator of the bridge has removed it") {
				t.Errorf("ann is told %+v", e)
			}
		}
		return len(ended) < 4
	})
	o.waiting(4)
	o.route("+44", "has bob's", func(r ops.RouteRow) bool { return r.Waiting == 4 })
	o.route("+33", "has none", func(r ops.RouteRow) bool { return r.Waiting == 0 })
	if n := o.purge("", "--yes", "--phone", "+447700900124"); n != 1 {
		t.Errorf("%d to a phone were given up", n)
	}
	if n := o.purge("", "--yes", "--handle", "web:ann"); n != 0 {
		t.Errorf("%d of ann's were given up again", n)
	}
	send(ann, british, "ann later")

	other := startSMSC(t, smsc.Config{Addr: away, ReceiptDelay: time.Millisecond})
	o.does("link rebind other")
	patiently(t, "the rest", func() bool { return len(texts(t, other, british)) == 4 })
	var ofBob []string
	for _, text := range texts(t, other, british) {
		if strings.HasPrefix(text, "bob") {
			ofBob = append(ofBob, text)
		} else if text != "ann later" {
			t.Errorf("%q was sent", text)
		}
	}
	if !slices.Equal(ofBob, []string{"bob 0", "bob 1", "bob 2"}) || len(texts(t, other, "+447700900124")) != 0 {
		t.Errorf("sent were %q, and %q", ofBob, texts(t, other, "+447700900124"))
	}
	o.waiting(0)
	o.does("queue audit", "purged", "mt of web:ann: 4 messages", "mt to +447700900124: 1 messages")
}

// TestPurgeWhileSending: of messages that are being sent each is sent or given up, and its sender
// told which; none is both, also where the daemon is killed right after.
func TestPurgeWhileSending(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) { purgeWhileSending(t, killed) })
	}
}

func purgeWhileSending(t *testing.T, killed bool) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	config := strings.Replace(testConfig(t.TempDir(), s.Addr(), hashes, ""), "window: 20}", "window: 20, rate: 50}", 1)
	p := startDaemon(t, config)
	ann.base = p.web
	o := operatorAt{t, p.ops}
	o.does("queue pause mt")
	const n = 100
	ids := make(map[string]string) // by phone
	var mu sync.Mutex
	var sending sync.WaitGroup
	for i := range n {
		sending.Go(func() {
			m, err := ann.send(t.Context(), phoneOf(i), "hello", "")
			if err != nil || m.Code != http.StatusAccepted {
				t.Errorf("%+v, %v", m, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[phoneOf(i)] = m.ID
		})
	}
	sending.Wait()
	o.does("queue resume mt")
	purged := o.purge("", "--yes", "--all")
	if killed {
		p.kill()
		p = startDaemon(t, config)
		ann.base, o = p.web, operatorAt{t, p.ops}
	}
	ended := ann.awaitFinal(t, n)
	failed := 0
	for phone, id := range ids {
		sent := len(texts(t, s, phone))
		switch {
		case ended[id] == "delivered" && sent == 1:
		case ended[id] == "failed" && sent == 0:
			failed++
		case ended[id] == "unknown" && killed: // its answer was on its way
		default:
			t.Errorf("%s is %s, and was sent %d times", id, ended[id], sent)
		}
	}
	if failed != purged {
		t.Errorf("%d were given up, and %d have failed", purged, failed)
	}
	t.Logf("%d of %d were given up", purged, n)
	o.waiting(0)
}
