package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// TestNATSCommandLineSeesTheSame: what waits in each stage, as our page, our API and our command tell
// it, is what the command line of NATS, which nobody here wrote, reads from the streams.
func TestNATSCommandLineSeesTheSame(t *testing.T) {
	b := newBrowser(t)
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	server := peers.FreeAddress(t)
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, "queue: {listen: "+server+"}\n"))
	ann.base = p.web
	o := operatorAt{t, p.ops}
	// compare asks ours and theirs for the same moment: nothing moves any more.
	compare := func(want map[string]uint64) {
		t.Helper()
		var ours ops.Queue
		patiently(t, fmt.Sprintf("%v to wait", want), func() bool {
			_, out, _ := smsbridge(t, "", "queue", "ls", "--json", "--ops", o.ops)
			if err := json.Unmarshal([]byte(out), &ours); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			for _, stage := range ours.Stages {
				if stage.Messages != want[stage.Stage] {
					return false
				}
			}
			return true
		})
		for _, stage := range ours.Stages {
			var theirs struct {
				State struct{ Messages, Bytes uint64 }
			}
			peers.NATSCommand(t, "nats://"+server, &theirs, "stream", "info", strings.ToUpper(stage.Stage))
			if theirs.State.Messages != stage.Messages || theirs.State.Bytes != stage.Bytes {
				t.Errorf("%s: NATS says %+v, we %+v", stage.Stage, theirs.State, stage)
			}
			b.sees(fmt.Sprintf(`[...document.querySelectorAll("#stages li")].some((e) => e.textContent.includes(%q) && e.querySelector("b").textContent === "%d")`,
				map[string]string{"mt": "To phones", "mo": "From phones", "out": "To messengers", "dead": "Dead letters"}[stage.Stage], theirs.State.Messages))
		}
	}
	b.open(p.ops + "/")
	compare(nil)

	const phone = "+33612345678"
	if m, err := ann.send(t.Context(), phone, "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	ann.awaitFinal(t, 1)
	number := messages(t, s, phone)[0].From
	// One for nobody, then three for ann, which wait.
	if _, err := s.Send(addressing.MustParseMSISDN("+33612345679"), number, "à personne"); err != nil {
		t.Fatal(err)
	}
	compare(map[string]uint64{"dead": 1})
	o.does("queue pause mo")
	o.does("queue pause mt")
	for n := range 3 {
		if _, err := s.Send(addressing.MustParseMSISDN(phone), number, fmt.Sprint("réponse ", n)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 7 {
		if m, err := ann.send(t.Context(), fmt.Sprint("+3361234500", n), "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	compare(map[string]uint64{"mt": 7, "mo": 3, "dead": 1})
	o.does("queue resume mo")
	compare(map[string]uint64{"mt": 7, "dead": 1})
	o.does("queue resume mt")
	compare(map[string]uint64{"dead": 1})
}
