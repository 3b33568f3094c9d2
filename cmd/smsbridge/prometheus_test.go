package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/smpp/smsc"
)

// TestPrometheus: Debian's Prometheus scrapes a daemon, and alerts fire under their fault and are
// quiet again after it. Only the times of the alerts are others: seconds for minutes.
func TestPrometheus(t *testing.T) {
	rules, err := os.ReadFile("../../configs/prometheus-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, quick := range []struct{ find, put string }{
		{`(?m)^        for: \w+\n`, ""}, {`\[\d+m\]`, "[4s]"}, {`} > 300`, "} > 1"},
	} {
		rules = regexp.MustCompile(quick.find).ReplaceAll(rules, []byte(quick.put))
	}
	all, hashes := people("ann")
	ann := all[0]
	sim, stop := stoppableSMSC(t, smsc.Config{Addr: peers.FreeAddress(t), ReceiptDelay: time.Millisecond})
	config := testConfig(t.TempDir(), sim.Addr(), hashes, "")
	p := startDaemon(t, config)
	ann.base = p.web
	o := operatorAt{t, p.ops}
	prometheus := peers.Prometheus(t, strings.TrimPrefix(p.ops, "http://"), rules)
	await := func(alert string, fires bool) {
		t.Helper()
		patiently(t, fmt.Sprintf("%s to fire: %v", alert, fires), func() bool { return prometheus.Firing()[alert] == fires })
	}
	send := func(to, text string) {
		t.Helper()
		if m, err := ann.send(t.Context(), to, text, ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	o.does("link pause main")
	await("SmsbridgeLinkHeld", true)
	send("+33612345678", "waits")
	await("SmsbridgeQueueOld", true)
	o.does("link resume main")
	await("SmsbridgeLinkHeld", false)
	await("SmsbridgeQueueOld", false)

	write("data_dir: [")
	await("SmsbridgeConfigRefused", true)
	write(config)
	await("SmsbridgeConfigRefused", false)

	// The alert is of what came in the last four seconds, which a busy machine may not look at: there is more until
	// it does.
	more := time.NewTicker(time.Second)
	defer more.Stop()
	for n := 0; !prometheus.Firing()["SmsbridgeDeadLetters"]; n++ {
		if _, err := sim.Send(addressing.MustParseMSISDN("+33698765432"), "+33700000005", fmt.Sprint("to nobody ", n)); err != nil {
			t.Fatal(err)
		}
		if n > int(patience/time.Second) {
			t.Fatal("SmsbridgeDeadLetters does not fire")
		}
		<-more.C
	}
	await("SmsbridgeDeadLetters", false)

	fault(t, sim, http.MethodPut, "/faults/throttled")
	send("+33612345678", "is throttled")
	await("SmsbridgeThrottled", true)
	fault(t, sim, http.MethodDelete, "/faults/throttled")
	await("SmsbridgeThrottled", false)

	stop()
	await("SmsbridgeLinkDown", true)
	await("SmsbridgeNoLinkBound", true)
	startSMSC(t, smsc.Config{Addr: sim.Addr(), ReceiptDelay: time.Millisecond})
	await("SmsbridgeNoLinkBound", false)
	await("SmsbridgeLinkDown", false)

	p.kill()
	await("SmsbridgeAway", true)
}
