package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// TestRefusals: what cannot be sent is refused with a clear error, at once or when the
// operator says so, and nothing else stops.
func TestRefusals(t *testing.T) {
	all, hashes := people("ann")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, ""))
	ann := all[0]
	ann.base = p.web

	tests := []struct {
		name, to, text string
		code           int
		reason         string
	}{
		{"bad number", "06123", "hello", http.StatusUnprocessableEntity, "bad_number"},
		{"a word for a number", "bob", "hello", http.StatusUnprocessableEntity, "bad_number"},
		{"empty", "+33612345678", " \n", http.StatusUnprocessableEntity, "empty_text"},
		{"100 kB", "+33612345678", strings.Repeat("0123456789", 10_000), http.StatusUnprocessableEntity, "text_too_long"},
		{"more segments than allowed", "+33612345678", strings.Repeat("x", 1600), http.StatusUnprocessableEntity, "text_too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ann.send(t.Context(), tt.to, tt.text, "")
			if err != nil || m.Code != tt.code || m.Reason != tt.reason || m.Detail == "" {
				t.Errorf("%+v, %v; want %d %s and a detail", m, err, tt.code, tt.reason)
			}
		})
	}
	for _, tt := range []struct{ name, to, status, reason string }{
		{"refused by the operator", "+33612300404", "failed", "rejected"},
		{"not delivered by the operator", "+33612300410", "failed", "undeliverable"},
		{"expired at the operator", "+33612300419", "expired", "expired"},
		{"not refused", "+33612345678", "delivered", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ann.send(t.Context(), tt.to, "hello", "")
			if err != nil || m.Code != http.StatusAccepted {
				t.Fatalf("%+v, %v", m, err)
			}
			ann.events(t, func(e event) bool {
				if e.ID != m.ID || !final[e.Status] {
					return true
				}
				if e.Status != tt.status || e.Reason != tt.reason || (e.Detail == "") != (tt.reason == "") {
					t.Errorf("%+v; want %s %s", e, tt.status, tt.reason)
				}
				return false
			})
		})
	}
}

// TestNoRoute: a message that no route serves fails at once with a clear error, and those
// of served numbers, before and behind it, go on.
func TestNoRoute(t *testing.T) {
	all, hashes := people("ann")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, "routes:\n  - {prefix: +33, links: [main]}\n"))
	ann := all[0]
	ann.base = p.web

	want := make(map[string]string) // by message id
	for _, tt := range []struct{ to, status string }{
		{"+33612345678", "delivered"}, {"+34612345678", "failed"}, {"+33612345679", "delivered"}, {"+34612345678", "failed"},
	} {
		m, err := ann.send(t.Context(), tt.to, "hello", "")
		if err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", tt.to, m, err)
		}
		want[m.ID] = tt.status
	}
	for id, status := range want {
		ann.events(t, func(e event) bool {
			if e.ID != id || !final[e.Status] {
				return true
			}
			if e.Status != status {
				t.Errorf("%+v; want %s", e, status)
			}
			if status == "failed" && (e.Reason != "unroutable" || !strings.Contains(e.Detail, "no connection that serves this number")) {
				t.Errorf("the sender is told %+v", e)
			}
			return false
		})
	}
	if got := texts(t, s, "+34612345678"); len(got) != 0 {
		t.Errorf("the phone without a route got %q", got)
	}
	empty := regexp.MustCompile(`(?im)^mt +0 `)
	peers.Eventually(t, "nothing waits", func() bool {
		_, out, _ := smsbridge(t, "", "queue", "ls", "--ops", p.ops)
		return empty.MatchString(out)
	})
}

// TestQueueFull: a full queue refuses at once and says so; what it holds stays, and there
// is room again once that is sent.
func TestQueueFull(t *testing.T) {
	all, hashes := people("ann")
	smscAddr := peers.FreeAddress(t)
	p := startDaemon(t, testConfig(t.TempDir(), smscAddr, hashes, "queue: {max_bytes: {mt: 1MiB}}\n"))
	ann := all[0]
	ann.base = p.web
	text := strings.Repeat("<", 1500) // six octets each in the queue's JSON: few segments fill it
	accepted := 0
	for {
		m, err := ann.send(t.Context(), phoneOf(accepted), text, fmt.Sprint(accepted))
		if err != nil {
			t.Fatal(err)
		}
		if m.Code == http.StatusAccepted {
			accepted++
			continue
		}
		if m.Code != http.StatusServiceUnavailable || m.Reason != "queue_full" || m.Detail == "" {
			t.Fatalf("after %d messages: %+v; want 503 queue_full and a detail", accepted, m)
		}
		break
	}
	startSMSC(t, smsc.Config{Addr: smscAddr, ReceiptDelay: time.Millisecond})
	if ended := ann.awaitFinal(t, accepted); len(ended) < accepted {
		t.Errorf("%d of %d messages ended", len(ended), accepted)
	}
	if m, err := ann.send(t.Context(), phoneOf(0), text, "again"); err != nil || m.Code != http.StatusAccepted {
		t.Errorf("with room again: %+v, %v", m, err)
	}
}

// TestDrain: SIGTERM ends the daemon in time, and what it was told stays queued.
func TestDrain(t *testing.T) {
	all, hashes := people("ann")
	smscAddr := peers.FreeAddress(t)
	config := testConfig(t.TempDir(), smscAddr, hashes, "")
	p := startDaemon(t, config)
	ann := all[0]
	ann.base = p.web
	m, err := ann.send(t.Context(), "+33612345678", "hello", "")
	if err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	receiveEnd(t, p) // without drain_timeout it would wait for the SMSC, which comes after this
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s := startSMSC(t, smsc.Config{Addr: smscAddr, ReceiptDelay: time.Millisecond})
	ann.base = startDaemon(t, config).web
	ann.events(t, func(e event) bool { return e.ID != m.ID || e.Status != "delivered" })
	if got := texts(t, s, "+33612345678"); len(got) != 1 || got[0] != "hello" {
		t.Errorf("the phone got %q", got)
	}
}

// TestDeadLetters: what belongs to nobody is listed, shown without its text, and put back
// or given up by command, on record.
func TestDeadLetters(t *testing.T) {
	all, hashes := people("ann")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, ""))
	ann := all[0]
	ann.base = p.web
	m, err := ann.send(t.Context(), "+33612345678", "hello", "")
	if err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	ann.events(t, func(e event) bool { return e.ID != m.ID || e.Status != "delivered" })
	phone := s.Handler()
	for _, from := range []string{"+33612300001", "+33612300002"} {
		answer := httptest.NewRecorder()
		body := strings.NewReader(`{"to": "+33700000001", "text": "secret words"}`)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/phones/"+from+"/messages", body)
		request.Header.Set("Content-Type", "application/json")
		phone.ServeHTTP(answer, request)
		if answer.Code/100 != 2 {
			t.Fatalf("the phone cannot write: %d %s", answer.Code, answer.Body)
		}
	}
	var list ops.DeadList
	for end := time.Now().Add(patience); list.Total != 2; {
		if code, out, errs := smsbridge(t, "", "queue", "ls", "dead", "--json", "--ops", p.ops); code != exitOK || json.Unmarshal([]byte(out), &list) != nil {
			t.Fatalf("code %d, %s%s", code, out, errs)
		}
		if time.Now().After(end) {
			t.Fatalf("the dead letters are %+v", list)
		}
	}
	first, second := list.Letters[0].ID, list.Letters[1].ID
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
		not  string
	}{
		{"list", []string{"ls", "dead"}, exitOK, []string{first, second, "unroutable"}, ""},
		{"show", []string{"show", first}, exitOK, []string{"stage MO", "reason unroutable", "account main"}, "736563726574"},
		{"show all", []string{"show", first, "--text"}, exitOK, []string{"octets 736563726574"}, ""},
		{"requeue", []string{"requeue", first}, exitOK, []string{first + " is queued again as " + first + "-again"}, ""},
		{"drop", []string{"drop", second}, exitOK, []string{second + " is dropped"}, ""},
		{"drop what is gone", []string{"drop", second}, exitFailed, []string{"there is no such dead letter"}, ""},
		{"on record", []string{"audit"}, exitOK, []string{"requeue " + first, "drop " + second, "from 127.0.0.1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := smsbridge(t, "", append(append([]string{"queue"}, tt.args...), "--ops", p.ops)...)
			out = strings.Join(strings.Fields(out), " ") // the columns have the width that they need
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) || code != tt.code || tt.not != "" && strings.Contains(out, tt.not) {
					t.Errorf("code %d, want %q in:\n%s%s", code, want, out, errs)
				}
			}
		})
	}
}
