package peers

import (
	_ "embed" // the configuration
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
	"unicode/utf16"
)

// Gateway is a Kannel that is an SMSC's client: its bearerbox, which is bound, and its
// smsbox. The methods are for one goroutine.
type Gateway struct {
	t       testing.TB
	sendSMS string          // URL
	reports string          // URL, of ours
	events  chan url.Values // what Kannel tells, as it comes
	kept    []url.Values    // what came before it was waited for
	box     *process        // bearerbox
	sms     *process        // smsbox
}

//go:embed kannel.conf
var kannelConfig string

// Kannel starts a gateway that binds to the SMSC at an address, host:port, and returns
// once it is bound.
func Kannel(t testing.TB, smsc, systemID, password string) *Gateway {
	t.Helper()
	for _, program := range []string{"bearerbox", "smsbox"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "Kannel is not installed: there is no "+program)
		}
	}
	host, smscPort, err := net.SplitHostPort(smsc)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{t: t, events: make(chan url.Values, 10_000)}
	events := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		event := r.URL.Query()
		event.Set("kind", strings.Trim(r.URL.Path, "/"))
		g.events <- event
	}))
	t.Cleanup(events.Close)
	g.reports = events.URL + "/report"
	admin, box, sendSMS := FreeAddress(t), FreeAddress(t), FreeAddress(t)
	g.sendSMS = "http://" + sendSMS + "/cgi-bin/sendsms"
	file := kannelFile(t, map[string]string{
		"Admin": portOf(t, admin), "Box": portOf(t, box), "SendSMS": portOf(t, sendSMS), "Events": events.URL,
		"SMSCHost": host, "SMSCPort": smscPort, "SystemID": systemID, "Password": password,
	})
	// smsbox ends where it finds no bearerbox, so that one has to be at work first.
	g.box = launch(t, exec.Command("bearerbox", "-v", "1", file), nil)
	g.await(g.box, admin, ": (online")
	// It panics at a request that comes before it has told bearerbox its name.
	g.sms = launch(t, exec.Command("smsbox", "-v", "1", file), nil)
	g.await(g.sms, admin, "smsbox:tester,")
	return g
}

// await waits until bearerbox says so of itself, as p is to bring about.
func (g *Gateway) await(p *process, admin, says string) {
	g.t.Helper()
	Eventually(g.t, "Kannel's status has "+says, func() bool {
		select {
		case <-p.done:
			g.t.Fatalf("a part of Kannel has ended:\n%s", p.said())
		default:
		}
		_, status, err := fetch("http://" + admin + "/status.txt?password=admin")
		return err == nil && strings.Contains(status, says)
	})
}

func kannelFile(t testing.TB, values map[string]string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kannel.conf")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := template.Must(template.New("kannel.conf").Option("missingkey=error").Parse(kannelConfig)).Execute(file, values); err != nil {
		t.Fatal(err)
	}
	return name
}

// Send sends a text to a phone as sendsms does, in UCS-2 or in the GSM alphabet, and asks
// for reports under the name id, of letters and digits.
func (g *Gateway) Send(id, from, to, text string, ucs2 bool) {
	g.t.Helper()
	coding := "0"
	if ucs2 {
		coding = "2"
	}
	status, answer, err := fetch(g.sendSMS + "?" + url.Values{
		"username": {"tester"}, "password": {"tester"}, "from": {from}, "to": {to},
		"charset": {"utf-8"}, "coding": {coding}, "text": {text},
		// All reports; Kannel puts what it is about in the place of %d.
		"dlr-mask": {"31"}, "dlr-url": {g.reports + "?id=" + id + "&state=%d"},
	}.Encode())
	if err != nil || status != http.StatusAccepted {
		g.t.Fatalf("sendsms of %s: %d %s %v\nsmsbox said:\n%s", id, status, answer, err, g.sms.said())
	}
}

// The reports of Kannel (its user guide, "Delivery reports").
const (
	KannelDelivered = "1"
	KannelFailed    = "2"
	KannelAccepted  = "8" // by the SMSC
	KannelRejected  = "16"
)

// ExpectReport waits for a report on the message that was sent as id.
func (g *Gateway) ExpectReport(id, state string) {
	g.t.Helper()
	g.expect(fmt.Sprintf("report %s on %s", state, id), func(e url.Values) bool {
		return e.Get("kind") == "report" && e.Get("id") == id && e.Get("state") == state
	})
}

// ExpectMO waits for a text from a phone.
func (g *Gateway) ExpectMO(from, to, text string) {
	g.t.Helper()
	g.expect(fmt.Sprintf("%q from %s", text, from), func(e url.Values) bool {
		return e.Get("kind") == "mo" && e.Get("from") == from && e.Get("to") == to && kannelText(e) == text
	})
}

// kannelText reads the octets of an MO: UTF-8, or UTF-16 where the coding is 2.
func kannelText(mo url.Values) string {
	text := mo.Get("text")
	if mo.Get("coding") != "2" {
		return text
	}
	var units []uint16
	for i := 0; i+1 < len(text); i += 2 {
		units = append(units, uint16(text[i])<<8|uint16(text[i+1]))
	}
	return string(utf16.Decode(units))
}

// expect waits for an event and takes it; Kannel tells them in no certain order.
func (g *Gateway) expect(what string, matches func(url.Values) bool) {
	g.t.Helper()
	if i := slices.IndexFunc(g.kept, matches); i >= 0 {
		g.kept = slices.Delete(g.kept, i, i+1)
		return
	}
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		select {
		case e := <-g.events:
			if matches(e) {
				return
			}
			g.kept = append(g.kept, e)
		case <-g.box.done:
			g.t.Fatalf("%s: bearerbox has ended:\n%s", what, g.box.said())
		case <-late.C:
			g.t.Fatalf("%s: it did not come within %s; there came %v\nbearerbox said:\n%s", what, Patience, g.kept, g.box.said())
		}
	}
}

// fetch reads a URL, over a connection that leaves no goroutine behind.
func fetch(address string) (status int, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	request.Close = true
	response, err := (&http.Client{Timeout: Patience}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), err
}
