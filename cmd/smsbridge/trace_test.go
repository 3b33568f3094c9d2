package main

import (
	"encoding/json"
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

// traced is a message as a daemon tells its story.
func (o operatorAt) traced(id string) (m ops.Message) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, "", "trace", id, "--json", "--ops", o.ops)
	if err := json.Unmarshal([]byte(out), &m); code != exitOK || err != nil {
		o.t.Fatalf("trace %s: code %d, %s%s: %v", id, code, out, errs, err)
	}
	return m
}

func states(m ops.Message) (all []string) {
	for _, s := range m.Steps {
		all = append(all, s.State)
	}
	return all
}

// TestTrace: what became of a message is told to its end, and of one that waits what it waits
// for; who wrote it is masked, and what only where it is asked for.
func TestTrace(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, BusyFor: time.Hour})
	p := startDaemon(t, twoSMSCs(t.TempDir(), s.Addr(), peers.FreeAddress(t), hashes))
	ann.base = p.web
	o := operatorAt{t, p.ops}
	const french, busy, british, text = "+33612345678", "+33612300500", "+447700900123", "Bonjour à tous"
	ids := make(map[string]string)
	for _, to := range []string{french, busy, british} {
		m, err := ann.send(t.Context(), to, text, "")
		if err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", to, m, err)
		}
		ids[to] = m.ID
	}
	ann.awaitFinal(t, 1)

	// That the page shows it comes before the record that it was told.
	patiently(t, "the sender is told", func() bool { return o.traced(ids[french]).Told })
	sent := o.traced(ids[french])
	if sent.State != "delivered" || sent.Handle != "web:ann" || len(sent.Segments) != 1 || sent.Segments[0].State != "delivered" || sent.Text != "" ||
		!slices.Equal(states(sent), []string{"accepted", "sent", "delivered"}) || sent.Steps[1].Link != "main" {
		t.Errorf("%+v", sent)
	}
	if bySMSC := o.traced(sent.Segments[0].SMSCID); bySMSC.ID != sent.ID {
		t.Errorf("by the SMSC's id: %+v", bySMSC)
	}
	o.does("trace "+ids[french], "delivered", sent.Segments[0].SMSCID, addressing.MustParseMSISDN(french).Masked(), "sender told  yes")
	o.does("trace --text "+ids[french], text)
	if _, out, _ := smsbridge(t, "", "trace", ids[french], "--ops", o.ops); strings.Contains(out, french) || strings.Contains(out, text) {
		t.Errorf("the phone or the text is told:\n%s", out)
	}

	o.does("queue show "+ids[british], "waiting", "+44", "other is ")
	o.mayNot("queue show nobody", "neither a dead letter nor a message")
	o.mayNot("trace nobody", "no message of that id is known")
	patiently(t, "the refusal for now", func() bool { return o.traced(ids[busy]).Attempts > 0 })
	if m := o.traced(ids[busy]); m.State != ops.MessageWaiting || !strings.HasPrefix(m.WaitsFor, "its next attempt, at ") || len(m.Steps) < 2 || m.Steps[1].Link != "main" || !strings.Contains(m.Steps[1].Detail, "ESME_RSYSERR, 0x08") {
		t.Errorf("%+v", m)
	}
	o.does("queue pause route +44")
	if m := o.traced(ids[british]); m.State != ops.MessageWaiting || !strings.HasPrefix(m.WaitsFor, "route +44 is paused since") || !slices.Equal(m.Queued, []string{"mt"}) {
		t.Errorf("%+v", m)
	}

	if _, err := s.Send(addressing.MustParseMSISDN(french), messages(t, s, french)[0].From, "une réponse"); err != nil {
		t.Fatal(err)
	}
	if !ann.wrote(t, "une réponse") {
		t.Fatal("the answer did not come")
	}
	var list ops.MessageList
	_, out, _ := smsbridge(t, "", "trace", "--phone", french, "--json", "--ops", o.ops)
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Messages) != 2 || list.Messages[0].Kind != "mo" || list.Messages[1].State != "delivered" {
		t.Fatalf("%s: %v", out, err)
	}
	// It is shown before it is written down that it was, and before it leaves the queue.
	patiently(t, "the end of the answer's story", func() bool { return o.traced(list.Messages[0].ID).State == ops.MessageHanded })
	mo := o.traced(list.Messages[0].ID)
	if mo.Account != "main" || mo.Handle != "web:ann" || !slices.Equal(states(mo), []string{"received", "matched"}) {
		t.Errorf("%+v", mo)
	}
	o.does("trace --handle web:ann", ids[french], ids[busy], ids[british], mo.ID, "waiting")
	o.does("trace --handle web:ann --limit 1", mo.ID)
	o.does("trace --handle web:ann --phone "+british, ids[british])
	o.does("trace --handle web:nobody", "There are no messages.")
	o.mayNot("trace", "name the id of a message")
	o.mayNot("trace --phone x", "phone: ")
	o.mayNot("trace --phone "+french+" --limit 1000", "limit must be")

	// A phone to which nobody has written over this number.
	if _, err := s.Send(addressing.MustParseMSISDN("+33612345679"), messages(t, s, french)[0].From, "à personne"); err != nil {
		t.Fatal(err)
	}
	var dead ops.DeadList
	patiently(t, "the dead letter", func() bool {
		_, out, _ := smsbridge(t, "", "queue", "ls", "dead", "--json", "--ops", o.ops)
		return json.Unmarshal([]byte(out), &dead) == nil && len(dead.Letters) == 1
	})
	patiently(t, "the end of its story", func() bool { return o.traced(dead.Letters[0].ID).State == ops.MessageDead })
	if m := o.traced(dead.Letters[0].ID); m.Dead == nil || m.Kind != "mo" || m.Account != "main" {
		t.Errorf("%+v", m)
	}
}
