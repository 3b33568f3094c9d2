package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/messenger/web"
	"smsbridge/queue"
)

// text is the body of a message to the phone of the tests.
func text(s string) string {
	b, _ := json.Marshal(map[string]string{"to": phone.String(), "text": s})
	return string(b)
}

func TestRefusals(t *testing.T) {
	r := newRig(t, noWorkers)
	if got := r.call("POST", "/api/v1/messages", text("first"), "Idempotency-Key: used"); got.status != http.StatusAccepted {
		t.Fatalf("POST messages = %d %s", got.status, got.body)
	}
	post, messages := "POST", "/api/v1/messages"
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		reason                   string
	}{
		{"bad number", post, messages, `{"to":"ann","text":"hi"}`, nil, 422, "bad_number"},
		{"no number", post, messages, `{"text":"hi"}`, nil, 422, "bad_number"},
		{"empty text", post, messages, text(" \n"), nil, 422, "empty_text"},
		{"too many SMS", post, messages, text(strings.Repeat("x", 5000)), nil, 422, "text_too_long"},
		{"100 kB", post, messages, text(strings.Repeat("x", 100_000)), nil, 422, "text_too_long"},
		{"600 kB", post, messages, text(strings.Repeat("x", 600_000)), nil, 413, "body_too_large"},
		{"not JSON", post, messages, `to=ann`, nil, 400, "malformed"},
		{"two objects", post, messages, text("a") + text("b"), nil, 400, "malformed"},
		{"cut off", post, messages, `{"to":"+336`, nil, 400, "malformed"},
		{"empty body", post, messages, " ", nil, 400, "malformed"},
		{"unknown field", post, messages, `{"to":"+33612345678","txt":"hi"}`, nil, 400, "malformed"},
		{"wrong type", post, messages, `{"to":33612345678,"text":"hi"}`, nil, 400, "malformed"},
		{"not UTF-8", post, messages, "{\"to\":\"+33612345678\",\"text\":\"\xff\"}", nil, 400, "malformed"},
		{"a form", post, messages, text("hi"), []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"no content type", post, messages, text("hi"), []string{"Content-Type:"}, 415, "unsupported_media_type"},
		{"key of another text", post, messages, text("second"), []string{"Idempotency-Key: used"}, 422, "id_reused"},
		{"key with a space", post, messages, text("hi"), []string{"Idempotency-Key: a b"}, 400, "bad_idempotency_key"},
		{"key too long", post, messages, text("hi"), []string{"Idempotency-Key: " + strings.Repeat("k", 129)}, 400, "bad_idempotency_key"},
		{"nobody", post, messages, text("hi"), []string{"Authorization:"}, 401, "unauthenticated"},
		{"unknown token", post, messages, text("hi"), []string{"Authorization: Bearer smsb_x"}, 401, "unauthenticated"},
		{"token of another scheme", post, messages, text("hi"), []string{"Authorization: Basic " + annToken}, 401, "unauthenticated"},
		{"forged cookie", "GET", "/api/v1/session", "", []string{"Authorization:", "Cookie: smsbridge=YW5u.YW5u"}, 401, "unauthenticated"},
		{"another site", post, messages, text("hi"), []string{"Sec-Fetch-Site: cross-site"}, 403, "cross_site"},
		{"another origin", post, messages, text("hi"), []string{"Origin: https://evil.example"}, 403, "cross_site"},
		{"unknown message", "GET", messages + "/x", "", nil, 404, "not_found"},
		{"unknown path", "GET", "/api/v1/nothing", "", nil, 404, "not_found"},
		{"wrong method", "PUT", messages, text("hi"), nil, 405, "method_not_allowed"},
		{"no phone", "GET", "/api/v1/conversations/ann/messages", "", nil, 422, "bad_number"},
		{"limit too high", "GET", "/api/v1/conversations?limit=1001", "", nil, 400, "malformed"},
		{"limit too low", "GET", "/api/v1/conversations/+33612345678/messages?limit=0", "", nil, 400, "malformed"},
		{"bad event id", "GET", "/api/v1/events", "", []string{"Last-Event-ID: x"}, 400, "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.in(t).call(tt.method, tt.path, tt.body, tt.header...)
			if got.status != tt.status || got.field(t, "reason") != tt.reason {
				t.Fatalf("= %d %s; want %d %s", got.status, got.body, tt.status, tt.reason)
			}
			if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("Content-Type = %s", kind)
			}
			if got.field(t, "type") != "urn:smsbridge:problem:"+tt.reason || got.field(t, "status") != fmt.Sprint(tt.status) {
				t.Errorf("the document is %s", got.body)
			}
			if tt.status == http.StatusUnauthorized && got.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if tt.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != "POST" {
				t.Errorf("Allow = %q", got.header.Get("Allow"))
			}
		})
	}
}

func TestFullQueueIsRefusedAndSaysWhenToComeBack(t *testing.T) {
	r := newRig(t, noWorkers, func(_ *web.Config, q *queue.Config, _ *rig) { q.MTMaxMsgs = 1 })
	if got := r.call("POST", "/api/v1/messages", text("one")); got.status != http.StatusAccepted {
		t.Fatalf("POST messages = %d %s", got.status, got.body)
	}
	got := r.call("POST", "/api/v1/messages", text("two"))
	if got.status != http.StatusServiceUnavailable || got.field(t, "reason") != "queue_full" || got.header.Get("Retry-After") != "60" {
		t.Fatalf("POST messages = %d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
	}
}

func TestRepeatIsTheSameMessage(t *testing.T) {
	r := newRig(t, noWorkers)
	var all sync.Map
	var requests sync.WaitGroup
	for i := range 8 {
		requests.Go(func() {
			// The IETF's draft puts quotes around the key.
			got := r.call("POST", "/api/v1/messages", text("once"), []string{"Idempotency-Key: k", `Idempotency-Key: "k"`}[i%2])
			if got.status != http.StatusAccepted {
				t.Errorf("POST messages = %d %s", got.status, got.body)
			}
			all.Store(got.field(t, "id"), true)
		})
	}
	requests.Wait()
	ids := 0
	all.Range(func(any, any) bool { ids++; return true })
	var list struct{ Messages []map[string]any }
	r.call("GET", "/api/v1/conversations/+33612345678/messages", "").json(t, &list)
	if ids != 1 || len(list.Messages) != 1 {
		t.Errorf("%d ids and %d messages; want one", ids, len(list.Messages))
	}
	other := r.call("POST", "/api/v1/messages", text("once"), "Authorization: Bearer "+bobToken, "Idempotency-Key: k")
	if other.status == http.StatusAccepted {
		if _, same := all.Load(other.field(t, "id")); same {
			t.Error("another user's key is the same message")
		}
	}
}

// began keeps which traces messages were to go on in.
type began struct{ parents chan bridge.Trace }

func (b began) Begin(parent bridge.Trace) bridge.Trace { b.parents <- parent; return "" }

func (began) Record(bridge.Span) {}

// A client's own trace goes on with its message; one that cannot be read refuses nothing.
func TestTraceparent(t *testing.T) {
	b := began{make(chan bridge.Trace, 1)}
	r := newRig(t, noWorkers, func(_ *web.Config, _ *queue.Config, r *rig) { r.tracer = b })
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for header, want := range map[string]bridge.Trace{
		"traceparent: " + theirs: theirs, "traceparent: " + theirs + ", " + theirs: "", "traceparent: nonsense": "", "traceparent:": "",
	} {
		if got := r.call("POST", "/api/v1/messages", text("hi"), header); got.status != http.StatusAccepted {
			t.Fatalf("POST messages = %d %s", got.status, got.body)
		}
		if got := <-b.parents; got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func TestMessageEndsInOneStatus(t *testing.T) {
	r := newRig(t)
	f := r.follow()
	if name, data := f.next(); name != "ready" || data["resumed"] != false {
		t.Fatalf("first event = %s %v", name, data)
	}
	tests := []struct{ text, status, reason string }{
		{"hello", "delivered", "<nil>"},
		{"refuse", "failed", "rejected"},
		{"silence", "unknown", "uncertain"},
	}
	for _, tt := range tests {
		t.Run(tt.status, func(t *testing.T) {
			r := r.in(t)
			f.t = t
			got := r.call("POST", "/api/v1/messages", text(tt.text), "Idempotency-Key: "+tt.text)
			id := got.field(t, "id")
			if got.status != http.StatusAccepted || got.header.Get("Location") != "/api/v1/messages/"+id || got.field(t, "phone") != phone.String() {
				t.Fatalf("POST messages = %d %s, Location %q", got.status, got.body, got.header.Get("Location"))
			}
			data := f.until("message", map[string]string{"id": id, "status": "accepted"})
			if data["idempotency_key"] != tt.text || data["text"] != tt.text || data["direction"] != "mt" {
				t.Errorf("message event = %v", data)
			}
			if tt.status == "delivered" {
				f.until("status", map[string]string{"id": id, "status": "sent"})
				r.says(said{Receipt: "1"})
			}
			data = f.until("status", map[string]string{"id": id, "status": tt.status})
			if fmt.Sprint(data["reason"]) != tt.reason || (data["detail"] == nil) != (tt.reason == "<nil>") {
				t.Errorf("status event = %v", data)
			}
			r.eventually(func() bool {
				got = r.call("GET", "/api/v1/messages/"+id, "")
				return got.field(t, "status") == tt.status
			})
			var story struct{ History []struct{ Status string } }
			got.json(t, &story)
			if h := story.History; len(h) < 2 || h[0].Status != "accepted" || h[len(h)-1].Status != tt.status {
				t.Errorf("history = %v", h)
			}
			if other := r.call("GET", "/api/v1/messages/"+id, "", "Authorization: Bearer "+bobToken); other.status != http.StatusNotFound {
				t.Errorf("somebody else got %d %s", other.status, other.body)
			}
		})
	}
	var list struct {
		Conversations []struct{ Last map[string]any }
	}
	r.call("GET", "/api/v1/conversations", "").json(t, &list)
	if len(list.Conversations) != 1 || list.Conversations[0].Last["status"] != "unknown" {
		t.Errorf("conversations = %v", list)
	}
}

// eventually waits for what follows the event that was seen: the status is told
// before it is in the story.
func (r *rig) eventually(done func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if done() {
			return
		}
	}
	r.t.Fatal("it never came to be")
}

// However a number is written, the answer has the one name of the phone; what is none is
// told why.
func TestSpellingsAreAnsweredWithTheAddress(t *testing.T) {
	r := newRig(t, noWorkers)
	for _, to := range []string{"0612345678", "0033 6 12 34 56 78", "+33 (0)6.12.34.56.78", "tel:+33-6-12-34-56-78", "０６１２３４５６７８"} {
		got := r.call("POST", "/api/v1/messages", fmt.Sprintf(`{"to":%q,"text":"hi"}`, to))
		if got.status != 202 || got.field(t, "phone") != phone.String() {
			t.Errorf("to %q: %d %s", to, got.status, got.body)
		}
	}
	for to, says := range map[string]string{"112": "emergency number", "3620": "short number", "+33612": "too few digits"} {
		posted := r.call("POST", "/api/v1/messages", fmt.Sprintf(`{"to":%q,"text":"hi"}`, to))
		read := r.call("GET", "/api/v1/conversations/"+to+"/messages", "")
		for _, got := range []reply{posted, read} {
			if got.status != 422 || !strings.Contains(got.field(t, "detail"), says) {
				t.Errorf("to %q: %d %s; want %q", to, got.status, got.body, says)
			}
		}
	}
}

func TestAnswerArrivesAndIsItsOwners(t *testing.T) {
	r := newRig(t)
	f := r.follow()
	r.says(said{Text: "Merci ! 👍"})
	data := f.until("message", map[string]string{"direction": "mo"})
	if data["text"] != "Merci ! 👍" || data["phone"] != phone.String() || data["number"] != number.String() || data["status"] != nil {
		t.Errorf("message event = %v", data)
	}
	var list struct{ Messages []map[string]any }
	r.call("GET", "/api/v1/conversations/0612345678/messages", "").json(t, &list)
	if len(list.Messages) != 1 || list.Messages[0]["id"] != data["id"] {
		t.Errorf("messages = %v", list.Messages)
	}
	for _, path := range []string{"/api/v1/conversations", "/api/v1/conversations/+33612345678/messages"} {
		if got := r.call("GET", path, "", "Authorization: Bearer "+bobToken); strings.Contains(string(got.body), "Merci") {
			t.Errorf("%s shows bob what is ann's", path)
		}
	}
}

func TestEntriesAreFolded(t *testing.T) {
	r := newRig(t, noWorkers)
	at := time.Now().UTC()
	entry := func(id string, kind bridge.EntryKind, state bridge.State, detail string) {
		t.Helper()
		err := r.store.AppendLog(t.Context(), bridge.Entry{
			V: 1, ID: id, Kind: kind, Handle: ann, Phone: phone, Number: number, At: at, Text: map[bool]string{true: id}[kind != bridge.EntryStatus],
			State: state, Detail: detail,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	entry("lost", bridge.EntryStatus, bridge.Sent, "")
	entry("a", bridge.EntryMT, bridge.Accepted, "")
	entry("a", bridge.EntryStatus, bridge.Accepted, "trying again")
	entry("b", bridge.EntryMT, bridge.Accepted, "")
	entry("c", bridge.EntryMO, "", "")
	entry("c", bridge.EntryStatus, bridge.Sent, "")
	entry("b", bridge.EntryStatus, bridge.Delivered, "")
	entry("b", bridge.EntryStatus, bridge.Sent, "again after a crash")
	entry("b", bridge.EntryStatus, bridge.Failed, "a second end")
	entry("b", bridge.EntryMT, bridge.Accepted, "")
	var list struct {
		Messages []struct{ ID, Status, Detail string }
	}
	r.call("GET", "/api/v1/conversations/+33612345678/messages", "").json(t, &list)
	if got := fmt.Sprint(list.Messages); got != "[{a accepted trying again} {b delivered } {c  }]" {
		t.Errorf("messages = %v", got)
	}
	entry("d", bridge.EntryMT, bridge.Accepted, "")
	list.Messages = nil
	r.call("GET", "/api/v1/conversations/+33612345678/messages?limit=1", "").json(t, &list)
	if got := fmt.Sprint(list.Messages); got != "[{d accepted }]" {
		t.Errorf("the last message = %v", got)
	}
}

func TestEventsResume(t *testing.T) {
	r := newRig(t, noWorkers)
	mo := func(id string) {
		t.Helper()
		err := r.store.AppendLog(t.Context(), bridge.Entry{V: 1, ID: id, Kind: bridge.EntryMO, Handle: ann, Phone: phone, Number: number, Text: id})
		if err != nil {
			t.Fatal(err)
		}
	}
	mo("before")
	first := r.follow()
	mo("one")
	first.until("message", map[string]string{"id": "one"})
	place := first.last
	first.close()
	mo("two")
	mo("three")

	second := r.follow("Last-Event-ID: " + place)
	if name, data := second.next(); name != "ready" || data["resumed"] != true {
		t.Fatalf("first event = %s %v", name, data)
	}
	for _, want := range []string{"two", "three"} {
		if name, data := second.next(); name != "message" || data["id"] != want {
			t.Errorf("event = %s %v; want %s", name, data, want)
		}
	}
	beyond := r.follow("Last-Event-ID: 999999")
	if name, data := beyond.next(); name != "ready" || data["resumed"] != false {
		t.Fatalf("first event = %s %v", name, data)
	}
	mo("four")
	if name, data := beyond.next(); name != "message" || data["id"] != "four" {
		t.Errorf("event = %s %v; want four", name, data)
	}
}

func TestHeartbeat(t *testing.T) {
	r := newRig(t, noWorkers, func(c *web.Config, _ *queue.Config, _ *rig) { c.Heartbeat = time.Millisecond })
	f := r.follow()
	for beats := 0; beats < 3 && f.lines.Scan(); {
		if f.lines.Text() == "event: heartbeat" {
			beats++
		}
	}
	if err := f.lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTooManyStreams(t *testing.T) {
	r := newRig(t, noWorkers)
	for range 30 {
		r.follow()
	}
	got := r.call("GET", "/api/v1/events", "")
	if got.status != http.StatusTooManyRequests || got.field(t, "reason") != "too_many_requests" || got.header.Get("Retry-After") == "" {
		t.Errorf("GET events = %d %s", got.status, got.body)
	}
}
