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
	"smsbridge/smpp/smsc"
)

// tracesOf are the spans of one trace, by name, once there are these; it checks that each is below
// another, or below outer.
func tracesOf(t *testing.T, c *peers.Collector, id, outer string, want ...string) map[string][]peers.CollectedSpan {
	t.Helper()
	slices.Sort(want)
	var by map[string][]peers.CollectedSpan
	parents := map[string]bool{outer: true}
	c.Until(t, fmt.Sprintf("the spans %v of %s", want, id), func(all []peers.CollectedSpan) bool {
		by = make(map[string][]peers.CollectedSpan)
		var names []string
		for _, s := range all {
			if s.Trace == id {
				by[s.Name], names, parents[s.ID] = append(by[s.Name], s), append(names, s.Name), true
			}
		}
		slices.Sort(names)
		return slices.Equal(names, want)
	})
	for name, all := range by {
		for _, s := range all {
			if !parents[s.Parent] || s.EndTimeUnixNano < s.StartTimeUnixNano || s.Attributes["smsbridge.message_id"] == "" {
				t.Errorf("%s: %+v", name, s)
			}
			if told := s.String(); strings.Contains(told, "33612345678") || strings.Contains(told, "Bonjour") {
				t.Errorf("it tells too much: %s", told)
			}
		}
	}
	return by
}

// TestTraceOverAKill: a program writes with a trace of its own, the daemon is killed while the text waits
// for its SMSC, and the next one goes on: all is one trace, to the receipt, and the answer of the phone another.
func TestTraceOverAKill(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	c := peers.NewCollector(t)
	smscAddr := peers.FreeAddress(t)
	config := testConfig(t.TempDir(), smscAddr, hashes, fmt.Sprintf("traces: {endpoint: %q, instance: one}\ncall_records: {}\n", c.Endpoint))
	const trace, program, phone = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "+33612345678"

	first := startDaemon(t, config)
	body := fmt.Sprintf(`{"to": %q, "text": %q}`, phone, strings.Repeat("Bonjour ", 25))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, first.web+"/api/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+ann.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+trace+"-"+program+"-01")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var m message
	if err := json.NewDecoder(response.Body).Decode(&m); err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %v", response.Status, err)
	}
	tracesOf(t, c, trace, program, "intake")
	if got := (operatorAt{t, first.ops}).traced(m.ID); got.TraceID != trace {
		t.Errorf("while it waits %+v", got)
	}
	first.kill()

	s := startSMSC(t, smsc.Config{Addr: smscAddr, ReceiptDelay: time.Millisecond})
	second := startDaemon(t, config)
	ann.base = second.web
	ann.awaitFinal(t, 1)
	by := tracesOf(t, c, trace, program, "intake", "queue", "submit", "submit_sm", "submit_sm", "receipt", "receipt", "tell")
	intake, submit := by["intake"][0], by["submit"][0]
	if intake.Parent != program || submit.Parent != intake.ID || submit.Attributes["smsbridge.link"] != "main" || submit.Resource["service.instance.id"] != "one" {
		t.Errorf("intake %+v, submit %+v", intake, submit)
	}
	for _, one := range by["submit_sm"] {
		if one.Parent != submit.ID || one.Attributes["smsbridge.smsc_id"] == "" {
			t.Errorf("%+v", one)
		}
	}
	if tell := by["tell"][0]; tell.Attributes["smsbridge.state"] != "delivered" || tell.Attributes["smsbridge.message_id"] != m.ID {
		t.Errorf("%+v", tell)
	}
	o := operatorAt{t, second.ops}
	if got := o.traced(m.ID); got.TraceID != trace || got.State != "delivered" {
		t.Errorf("%+v", got)
	}
	o.does("trace "+m.ID, "trace id", trace)

	if _, err := s.Send(addressing.MustParseMSISDN(phone), messages(t, s, phone)[0].From, "Bonjour aussi"); err != nil {
		t.Fatal(err)
	}
	if !ann.wrote(t, "Bonjour aussi") {
		t.Fatal("the answer did not come")
	}
	var mo string
	c.Until(t, "the answer's delivery", func(all []peers.CollectedSpan) bool {
		i := slices.IndexFunc(all, func(s peers.CollectedSpan) bool { return s.Name == "deliver" })
		if i >= 0 {
			mo = all[i].Trace
		}
		return i >= 0
	})
	answer := tracesOf(t, c, mo, "", "deliver_sm", "dispatch", "deliver")
	id := answer["deliver_sm"][0].Attributes["smsbridge.message_id"]
	if got := o.traced(id); mo == trace || got.TraceID != mo {
		t.Errorf("the answer's trace is %s; %+v", mo, got)
	}
	patiently(t, "the count of the spans", func() bool { return second.metric(t, "smsbridge_ops_spans_sent_total") >= 10 })
	if second.metric(t, "smsbridge_ops_spans_lost_total") != 0 {
		t.Error("spans were lost")
	}
	patiently(t, "the records", func() bool { return second.metric(t, "smsbridge_ops_call_records_written_total") >= 2 })
	for _, r := range records(t, dataDirOf(t, config)) {
		if r.TraceID != map[string]string{"mt": trace, "mo": mo}[string(r.Kind)] {
			t.Errorf("record %+v", r)
		}
	}
}

// TestTracesInPrometheus: Debian's Prometheus has the traces of messages behind the times that they took.
func TestTracesInPrometheus(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	c := peers.NewCollector(t)
	sim := startSMSC(t, smsc.Config{ReceiptDelay: time.Millisecond})
	p := startDaemon(t, testConfig(t.TempDir(), sim.Addr(), hashes, fmt.Sprintf("traces: {endpoint: %q}\n", c.Endpoint)))
	ann.base = p.web
	prometheus := peers.Prometheus(t, strings.TrimPrefix(p.ops, "http://"), []byte("groups: []\n"))
	const phone = "+33612345678"
	m, err := ann.send(t.Context(), phone, "Bonjour", "")
	if err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	ann.awaitFinal(t, 1)
	if _, err := sim.Send(addressing.MustParseMSISDN(phone), messages(t, sim, phone)[0].From, "Bonjour aussi"); err != nil {
		t.Fatal(err)
	}
	if !ann.wrote(t, "Bonjour aussi") {
		t.Fatal("the answer did not come")
	}
	trace := (operatorAt{t, p.ops}).traced(m.ID).TraceID
	for _, metric := range []string{"smsbridge_bridge_mt_sent_seconds_bucket", "smsbridge_bridge_mt_delivered_seconds_bucket"} {
		patiently(t, "the trace at "+metric, func() bool { return prometheus.Traces(metric)[trace] })
	}
	patiently(t, "the trace of the answer", func() bool {
		of := prometheus.Traces("smsbridge_bridge_mo_delivered_seconds_bucket")
		return len(of) == 1 && !of[trace]
	})
}

// dataDirOf is the folder in a configuration of testConfig.
func dataDirOf(t *testing.T, config string) string {
	t.Helper()
	line, _, _ := strings.Cut(config, "\n")
	dir, is := strings.CutPrefix(line, "data_dir: ")
	if !is {
		t.Fatalf("no data_dir in %q", line)
	}
	return dir
}

// TestTracesWithoutACollector: nobody listens where spans go. Messages go on as ever, the metrics
// tell it, and a stop is not held up.
func TestTracesWithoutACollector(t *testing.T) {
	all, hashes := people("ann")
	c := crowd{people: all, phones: 5, perPhone: 10}
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	nobody := peers.FreeAddress(t)
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, fmt.Sprintf("traces: {endpoint: \"http://%s/v1/traces\"}\n", nobody)))
	c.at(p)
	c.write(t)
	if states := c.final(t); states["delivered"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered", states, c.messages())
	}
	if arrived := c.check(t, s); arrived != c.messages() {
		t.Errorf("%d texts arrived; want %d", arrived, c.messages())
	}
	patiently(t, "the metric", func() bool { return p.metric(t, "smsbridge_ops_spans_failing") == 1 })
	p.terminate(t)
	if !strings.Contains(p.stderr.String(), "the collector of traces does not take spans") {
		t.Error("the log does not say why")
	}
}
