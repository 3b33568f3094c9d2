package smsc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// request makes one HTTP request and gives status, content type and body.
func request(t *testing.T, method, url, contentType, body string, header ...string) (status int, kind, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), string(text)
}

func TestHTTPErrors(t *testing.T) {
	const good = `{"to":"+33700000001","text":"Hi"}`
	s, _ := start(t, smsc.Config{MaxPending: 2})
	base := web(t, s)
	tests := []struct {
		name, path, contentType, body string
		status                        int
		says                          string
	}{
		{"no phone", "phones/ann/messages", "application/json", good, 400, `"ann" is not the number of a phone`},
		{"a short phone", "phones/12/messages", "application/json", good, 400, "not the number"},
		{"a form", "phones/+33612345678/messages", "text/plain", good, 415, "application/json"},
		{"no JSON", "phones/+33612345678/messages", "application/json", "hello", 400, "cannot be read"},
		{"another field", "phones/+33612345678/messages", "application/json", `{"from":"x"}`, 400, "unknown field"},
		{"to a name", "phones/+33612345678/messages", "application/json", `{"to":"Acme","text":"Hi"}`, 422, `nobody can answer to "Acme"`},
		{"to nobody", "phones/+33612345678/messages", "application/json", `{"text":"Hi"}`, 422, "nobody can answer"},
		{"too few digits", "phones/+33612345678/messages", "application/json", `{"to":"12","text":"Hi"}`, 422, "has 2 digits"},
		{"no text", "phones/+33612345678/messages", "application/json", `{"to":"+33700000001","text":" "}`, 422, "the text is empty"},
		{"a text too long", "phones/+33612345678/messages", "application/json", `{"to":"+33700000001","text":"` + strings.Repeat("a", 40_000) + `"}`, 422, "needs 262 SMS"},
		{"a body too long", "phones/+33612345678/messages", "application/json", `{"to":"+33700000001","text":"` + strings.Repeat("a", 300_000) + `"}`, 413, "shorten it"},
		{"too many at once", "phones/+33612345678/messages", "application/json", `{"to":"+33700000001","text":"` + strings.Repeat("a", 400) + `"}`, 503, "too many messages wait"},
		{"right", "phones/+33612345678/messages", "application/json; charset=utf-8", good, 202, `"state":"pending"`},
		{"right without the plus", "phones/33612345678/messages", "application/json", good, 202, `"phone":"+33612345678"`},
		{"full", "phones/33612345678/messages", "application/json", good, 503, "too many messages wait"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, kind, body := request(t, http.MethodPost, base+tt.path, tt.contentType, tt.body)
			if status != tt.status || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), tt.says) {
				t.Errorf("%d %s", status, body)
			}
			if status >= 400 && kind != "application/problem+json" {
				t.Errorf("an error as %s", kind)
			}
			if strings.Contains(body, "smsc:") {
				t.Errorf("the error names a room: %s", body)
			}
		})
	}
	if status, _, _ := request(t, http.MethodPost, base+"phones/+33612345678/messages", "application/json", good, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("another site's request: %d", status)
	}
}

func TestHTTPReads(t *testing.T) {
	s, stop := start(t, smsc.Config{})
	base := web(t, s)
	if phones := getJSON[[]smsc.Phone](t, base+"phones"); phones == nil || len(phones) != 0 {
		t.Errorf("at first %v", phones)
	}
	if messages := getJSON[[]smsc.Message](t, base+"phones/+33612345678/messages"); messages == nil || len(messages) != 0 {
		t.Errorf("of a new phone %v", messages)
	}
	status, _, body := request(t, http.MethodPost, base+"phones/%2B33612345678/messages", "application/json", `{"to":"36180;phone-context=+33","text":"Hi"}`)
	var sent smsc.Message
	if err := json.Unmarshal([]byte(body), &sent); err != nil || status != http.StatusAccepted || sent.ID == "" || sent.To != "36180" {
		t.Errorf("%d %s", status, body)
	}
	if phones := getJSON[[]smsc.Phone](t, base+"phones"); len(phones) != 1 || phones[0].MSISDN != phone || phones[0].Messages != 1 || phones[0].Last.Text != "Hi" {
		t.Errorf("%+v", phones)
	}
	if magic := getJSON[[]smsc.Fault](t, base+"magic"); len(magic) != len(smsc.Magic()) {
		t.Errorf("%d magic numbers", len(magic))
	}
	if status, kind, page := request(t, http.MethodGet, base, "", ""); status != http.StatusOK || !strings.HasPrefix(kind, "text/html") || strings.Contains(page, `src="/`) {
		t.Errorf("the page: %d %s", status, kind)
	}
	events := watch(t, base)
	stop()
	for range events { // ends when the server does
	}
}

func TestBounds(t *testing.T) {
	s, _ := start(t, smsc.Config{MaxPhones: 2, MaxMessages: 3})
	base := web(t, s)
	c := bind(t, s, nil)
	for i := range 5 {
		c.submit(phone.Digits(), fmt.Sprint(i), 0)
	}
	messages := getJSON[[]smsc.Message](t, base+"phones/"+phone.Digits()+"/messages")
	if len(messages) != 3 || messages[0].Text != "2" || messages[2].Text != "4" {
		t.Errorf("%+v", messages)
	}
	for i := range 2 {
		c.submit(fmt.Sprintf("3360000011%d", i), "a", 0)
	}
	phones := getJSON[[]smsc.Phone](t, base+"phones")
	if len(phones) != 2 || phones[0].MSISDN.Digits() != "33600000111" || phones[1].MSISDN.Digits() != "33600000110" {
		t.Errorf("%+v", phones)
	}
}

// Long messages that never end, and texts that are very long, take no more than their share.
func TestBoundsOfText(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	base := web(t, s)
	c := bind(t, s, nil)
	send := func(short *smpp.Short) {
		short.Source, short.Destination = c.address(ourAddr), c.address(phone.Digits())
		if answer, err := c.session.Request(t.Context(), &smpp.PDU{Command: smpp.SubmitSM, Short: short}); err != nil || answer.Status != smpp.StatusOK {
			t.Fatal(answer, err)
		}
	}
	for i := range 301 {
		send(&smpp.Short{ESMClass: smpp.ESMUDH, Body: []byte{6, 0x08, 4, byte(i >> 8), byte(i), 2, 1, 'a'}})
	}
	messages := getJSON[[]smsc.Message](t, base+"phones/"+phone.Digits()+"/messages")
	if len(messages) != 1 || messages[0].Text != "a" || messages[0].Segments != 1 {
		t.Errorf("%+v", messages)
	}
	const payload = 60_000
	for range 3 {
		send(&smpp.Short{TLVs: []bridge.TLV{{Tag: smpp.TagMessagePayload, Value: []byte(strings.Repeat("b", payload))}}})
	}
	messages = getJSON[[]smsc.Message](t, base+"phones/"+phone.Digits()+"/messages")
	if len(messages) != 1 || len(messages[0].Text) != payload {
		t.Errorf("%d messages", len(messages))
	}
}

// What changes is in the state file soon, so that a crash loses little.
func TestStateFileWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "phones.json")
	s, _ := start(t, smsc.Config{StatePath: path})
	if _, err := s.Send(phone, ours, "soon"); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for timeout := time.After(patience); ; {
		body, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(body), "soon") {
			return
		}
		select {
		case <-poll.C:
		case <-timeout:
			t.Fatalf("the file never had it: %v", err)
		}
	}
}

func TestFullForReceipts(t *testing.T) {
	s, _ := start(t, smsc.Config{MaxPending: 1})
	c := connect(t, s, nil) // nobody takes receipts
	if _, err := c.session.Bind(t.Context(), smpp.BindTransmitter, smpp.Bind{SystemID: "ann"}); err != nil {
		t.Fatal(err)
	}
	if answer := c.submit(phone.Digits(), "one", 1)[0]; answer.Status != smpp.StatusOK {
		t.Error(answer.Status)
	}
	if answer := c.submit(phone.Digits(), "two", 1)[0]; answer.Status != smpp.StatusMsgQFul {
		t.Error(answer.Status)
	}
	if answer := c.submit("12x", "to no number", 1)[0]; answer.Status != smpp.StatusInvDstAdr {
		t.Error(answer.Status)
	}
}

// After a restart phones show what they did, what nobody took is sent again, and
// message ids go on.
func TestStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "phones.json")
	s, stop := start(t, smsc.Config{StatePath: path})
	tx := connect(t, s, nil)
	if _, err := tx.session.Bind(t.Context(), smpp.BindTransmitter, smpp.Bind{SystemID: "ann"}); err != nil {
		t.Fatal(err)
	}
	first := tx.submit(phone.Digits(), "before", 1)[0].MessageID
	waiting, err := s.Send(phone, ours, long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(addressing.MustParseMSISDN("+33600000222"), ours, "the last"); err != nil {
		t.Fatal(err)
	}
	stop()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	s, stop = start(t, smsc.Config{StatePath: path})
	base := web(t, s)
	events := watch(t, base)
	phones := getJSON[[]smsc.Phone](t, base+"phones")
	if len(phones) != 2 || phones[0].Last.Text != "the last" || phones[1].Messages != 2 {
		t.Errorf("%+v", phones)
	}
	c := bind(t, s, nil)
	receipts := 0
	for range waiting.Segments + 2 { // the segments, the other phone's message, the receipt
		if m := c.read(); m.Receipt != nil && m.Receipt.Candidates[0] == first {
			receipts++
		}
	}
	if receipts != 1 {
		t.Errorf("%d receipts", receipts)
	}
	await(t, events, func(m smsc.Message) bool { return m.Text == long && m.State == smsc.Accepted })
	if second := c.submit(phone.Digits(), "after", 0)[0].MessageID; second <= first {
		t.Errorf("the id %s came after %s", second, first)
	}
	stop()

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := smsc.New(smsc.Config{Addr: "127.0.0.1:0", StatePath: path}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	if _, err := smsc.New(smsc.Config{Addr: s.Addr()}); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("a port that is taken: %v", err)
	}
	unused, err := smsc.New(smsc.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := unused.Close(); err != nil {
			t.Error(err)
		}
	}
}
