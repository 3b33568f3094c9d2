package ops_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
)

// contract is docs/openapi-admin.yaml.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

var loadContract = sync.OnceValues(func() (contract, error) {
	for _, page := range []string{"text/html", "text/javascript", "text/css", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(page, openapi3filter.PlainBodyDecoder)
	}
	doc, err := openapi3.NewLoader().LoadFromFile("../docs/openapi-admin.yaml")
	if err != nil {
		return contract{}, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return contract{}, err
	}
	router, err := legacy.NewRouter(doc)
	return contract{doc, router}, err
})

func theContract(t *testing.T) contract {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holdToContract fails the test where an answer, or a request that went well, is not as
// docs/openapi-admin.yaml says; it gives the operation, empty where there is none. Each answer that a test
// of this package gets goes by here. Of requests without a parameter that they need, or with the name
// of another host, only the answer is looked at.
func holdToContract(t *testing.T, request *http.Request, status int, header http.Header, body []byte) (operation string) {
	t.Helper()
	r := request.Clone(context.Background())
	r.URL.Scheme, r.URL.Host = "", ""
	where, params, err := theContract(t).router.FindRoute(r)
	if err != nil {
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return ""
		}
		t.Errorf("%s %s is not in the document: %v", r.Method, r.URL, err)
		return ""
	}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: where, Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if r.GetBody != nil {
		if r.Body, err = r.GetBody(); err != nil {
			t.Fatal(err)
		}
	}
	if status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			t.Errorf("%s %s was taken and is not as the document says: %v", r.Method, r.URL, err)
		}
	}
	if status == http.StatusMisdirectedRequest { // of the listener, not of an operation
		return where.Operation.OperationID
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("the answer of %s %s is not as the document says: %v", r.Method, r.URL, err)
	}
	return where.Operation.OperationID
}

// TestDocumentHasTheRoutes: what is served is in docs/openapi-admin.yaml, and nothing else.
func TestDocumentHasTheRoutes(t *testing.T) {
	server, err := ops.New(whole(t))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	served := ops.Routes(server)
	for i, pattern := range served {
		switch pattern {
		case "GET /{$}":
			served[i] = "GET /"
		case "GET /static/":
			served[i] = "GET /static/{file}"
		}
	}
	var documented []string
	for path, item := range theContract(t).doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("-document +server:\n%s", diff)
	}
}

// TestDocument: every operation of docs/openapi-admin.yaml is asked, of a server that has something to
// say in each field, and answers as it says there.
func TestDocument(t *testing.T) {
	cfg := whole(t)
	for _, h := range []addressing.Handle{ann, bob} {
		if _, err := cfg.Book.Assign(t.Context(), h, phone); err != nil {
			t.Fatal(err)
		}
	}
	base := serve(t, cfg)
	const at = "phone=%2B33612345678"
	asked := make(map[string]bool)
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, ""},
		{"GET", "/static/app.js", 200, ""},
		{"GET", "/static/none.js", 404, ""},
		{"GET", "/livez", 200, ""},
		{"GET", "/readyz", 503, ""},
		{"GET", "/metrics", 200, ""},
		{"GET", "/admin/v1/queue", 200, ""},
		{"GET", "/admin/v1/findings", 200, ""},
		{"GET", "/admin/v1/history", 200, ""},
		{"GET", "/admin/v1/links", 200, ""},
		{"POST", "/admin/v1/links/one/pause", 200, ""},
		{"GET", "/admin/v1/links", 200, ""},
		{"POST", "/admin/v1/links/one/resume", 200, ""},
		{"POST", "/admin/v1/links/one/rebind", 200, ""},
		{"POST", "/admin/v1/links/none/pause", 404, ""},
		{"POST", "/admin/v1/routes/all/pause", 200, ""},
		{"POST", "/admin/v1/routes/all/resume", 200, ""},
		{"POST", "/admin/v1/stages/mt/pause", 200, ""},
		{"GET", "/admin/v1/queue", 200, ""},
		{"GET", "/readyz", 503, ""},
		{"POST", "/admin/v1/stages/mt/resume", 200, ""},
		{"POST", "/admin/v1/queue/purge?stage=mt&handle=web:ann&dry_run=true", 200, ""},
		{"POST", "/admin/v1/queue/purge?route=all", 200, ""},
		{"POST", "/admin/v1/queue/purge", 400, ""},
		{"POST", "/admin/v1/erase?handle=web:ann&dry_run=true", 200, ""},
		{"POST", "/admin/v1/erase?phone=%2B33612345678", 200, ""},
		{"POST", "/admin/v1/erase?phone=%2B33612345678&handle=web:ann", 400, ""},
		{"GET", "/admin/v1/messages?" + at + "&limit=5", 200, ""},
		{"GET", "/admin/v1/messages", 400, ""},
		{"GET", "/admin/v1/messages/one?text=true", 200, ""},
		{"GET", "/admin/v1/messages/none", 404, ""},
		{"GET", "/admin/v1/dead?limit=3", 200, ""},
		{"GET", "/admin/v1/dead?limit=0", 400, ""},
		{"GET", "/admin/v1/dead/one?text=true", 200, ""},
		{"GET", "/admin/v1/dead/none", 404, ""},
		{"POST", "/admin/v1/dead/one/requeue", 200, ""},
		{"DELETE", "/admin/v1/dead/one", 200, ""},
		{"POST", "/admin/v1/optouts?handle=web:ann&" + at, 200, ""},
		{"GET", "/admin/v1/optouts?" + at, 200, ""},
		{"GET", "/admin/v1/lookup?address=%2B33612345678", 200, ""},
		{"GET", "/admin/v1/lookup?address=%2B33612345678&with=web:ann", 200, ""},
		{"GET", "/admin/v1/lookup?address=%2B33612345678&with=%2B33700000001", 200, ""},
		{"GET", "/admin/v1/lookup?address=x", 400, ""},
		{"DELETE", "/admin/v1/optouts?handle=web:ann&" + at, 200, ""},
		{"POST", "/admin/v1/conversations/release?handle=xmpp:bob@corp.example&" + at, 200, ""},
		{"POST", "/admin/v1/numbers?number=%2B33700000002&use=dedicated&handle=web:zoe", 200, ""},
		{"POST", "/admin/v1/numbers/retire?number=%2B33700000002", 200, ""},
		{"GET", "/admin/v1/numbers", 200, ""},
		{"POST", "/admin/v1/registered?handle=web:ann&name=sales", 200, ""},
		{"POST", "/admin/v1/blocks?handles=web:x*&to=%2B44", 200, ""},
		{"POST", "/admin/v1/handles/rename?from=web:ann&to=web:anna", 200, ""},
		{"DELETE", "/admin/v1/handles?handle=web:eve", 200, ""},
		{"GET", "/admin/v1/handles", 200, ""},
		{"GET", "/admin/v1/lookup?address=web:ann", 200, ""},
		{"GET", "/admin/v1/lookup?address=web:anna", 200, ""},
		{"POST", "/admin/v1/handles/restore?handle=web:eve", 200, ""},
		{"POST", "/admin/v1/handles/reuse?handle=web:ann", 200, ""},
		{"POST", "/admin/v1/handles/reuse?handle=nobody", 400, ""},
		{"DELETE", "/admin/v1/registered?name=sales", 200, ""},
		{"DELETE", "/admin/v1/blocks?handles=web:x*&to=%2B44", 200, ""},
		{"POST", "/admin/v1/provision", 200, `{"file":"people.csv","rows":[{"line":2,"kind":"optout","phone":"+33612345678"},{"line":3,"kind":"nothing"}]}`},
		{"POST", "/admin/v1/provision?dry_run=true", 400, `{"rows":[]}`},
		{"POST", "/admin/v1/reload", 200, ""},
		{"POST", "/admin/v1/reload", 422, ""},
		{"GET", "/admin/v1/reload", 200, ""},
		{"GET", "/admin/v1/audit?limit=1000", 200, ""},
	} {
		var body io.Reader
		if tt.body != "" {
			body = strings.NewReader(tt.body)
		}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, base+tt.path, body)
		if err != nil {
			t.Fatal(err)
		}
		if tt.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		status, header, answer := do(t, req)
		if status != tt.status {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, status, answer)
		}
		asked[holdToContract(t, req, status, header, []byte(answer))] = true
	}
	for path, item := range theContract(t).doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !asked[operation.OperationID] {
				t.Errorf("%s %s was not asked", method, path)
			}
		}
	}
}

// whole serves all that there is.
func whole(t *testing.T) ops.Config {
	t.Helper()
	directory, err := addressing.NewDirectory(t.Context(), &notes{values: map[string][]byte{}, revs: map[string]uint64{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	book, err := addressing.NewBook(&memory{records: map[addressing.MSISDN]addressing.Record{}}, addressing.Config{
		Dedicated: map[addressing.Number]addressing.Handle{own: ann}, Pool: []addressing.Number{shared}, Directory: directory,
	})
	if err != nil {
		t.Fatal(err)
	}
	control, dead := documented(), &letters{}
	depths := func(context.Context) ([]ops.QueueDepth, error) {
		return []ops.QueueDepth{{Stage: "mt", Messages: 3, Bytes: 900, MaxBytes: 1000, OldestAt: noon}, {Stage: "mo"}, {Stage: "out"}, {Stage: "dead", Messages: 1, OldestAt: noon}}, nil
	}
	return ops.Config{
		Addr: "127.0.0.1:0", Registry: ops.NewRegistry("test", ops.Sources{}), Book: book, Depths: depths, Audit: &trail{},
		Dead: dead, Undertaker: dead, Control: control, Reloader: &reloads{},
		History: ops.NewHistory(ops.Sources{Depths: depths, Links: control.Links, LinkCounts: control.LinkCounts}),
		Instances: func() []ops.Instance {
			return []ops.Instance{{Name: "a", Since: noon, Here: true, Holds: []string{"lane-0"}}, {Name: "b", Since: noon}}
		},
		Checks: []ops.Check{
			{Name: "queue", Check: func(context.Context) error { return nil }},
			{Name: "links", Check: func(context.Context) error { return io.ErrUnexpectedEOF }},
		},
	}
}

// reloads finds a good file, and then a bad one.
type reloads struct{ n uint64 }

func (r *reloads) Reload(context.Context) ([]ops.SettingChange, error) {
	if r.n++; r.n > 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return []ops.SettingChange{{Setting: "smsc.main.window", From: "10", To: "20"}}, nil
}

func (r *reloads) State() ops.ConfigState {
	return ops.ConfigState{At: noon, Loaded: noon, Error: "line 3", Reloads: 1, Refused: r.n - 1}
}

// documented is a bridge of which there is something to say in each field.
func documented() *ops.Control {
	return &ops.Control{
		Links: func() []ops.LinkState {
			return []ops.LinkState{
				{Name: "one", Pool: "one", Account: "one", Bind: "transceiver", Status: ops.LinkBound, Since: noon, Window: 10, InUse: 1, Rate: 2.5, Binds: 1},
				{Name: "two", Pool: "two", Account: "two", Bind: "receiver", Status: ops.LinkQuarantined, Since: noon, RetryAt: noon, LastError: "refused"},
			}
		},
		LinkCounts: func() []ops.LinkCounts {
			return []ops.LinkCounts{{Name: "one", Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: 7}}}
		},
		Routes: func() []ops.RouteState {
			return []ops.RouteState{{Name: "all", Links: []string{"one"}, Waiting: 1, OldestAt: noon}}
		},
		Holds:  &holds{},
		Rebind: func(string) bool { return true },
		Purge:  func(_ context.Context, _ ops.PurgeQuery, _ bool) (int, int, error) { return 3, 1, nil },
		Erase: func(_ context.Context, q ops.EraseQuery, dry bool) (ops.Erased, error) {
			e := ops.Erased{Subject: q.String(), DryRun: dry, Counts: []ops.ErasedKind{}, Kept: []string{"a STOP"}, Left: 1}
			e.Add("dead letters", 2)
			return e, nil
		},
		Messages: wholeStory{},
	}
}

// wholeStory knows one message, with all that can be known of it.
type wholeStory struct{}

func (wholeStory) Search(context.Context, ops.MessageQuery) ([]ops.MessageRow, error) {
	return []ops.MessageRow{theStory().MessageRow}, nil
}

func (wholeStory) Message(_ context.Context, id string) (ops.Message, error) {
	if id != "one" {
		return ops.Message{}, bridge.ErrNotFound
	}
	return theStory(), nil
}

func theStory() ops.Message {
	row := ops.MessageRow{
		ID: "one", Kind: "mt", At: noon, Handle: ann.String(), Phone: phone.Masked(), Number: own.String(), State: ops.MessageWaiting,
		Reason: bridge.ReasonInternal, Detail: strings.Repeat("x", 3),
	}
	dead := ops.DeadRowOf(letter)
	return ops.Message{
		MessageRow: row, Key: "k", ExpiresAt: noon, WaitsFor: "its turn", Attempts: 1, NextAt: noon, Route: "all", Link: "one", Account: "one",
		Segments: []bridge.Segment{{SMSCID: "a", State: bridge.ReceiptDelivered, Code: "000"}, {}}, Told: true, Queued: []string{"mt", "out"}, Dead: &dead,
		Steps: []ops.MessageStep{{At: noon, State: "accepted"}, {At: noon, State: "waiting", Link: "one", Reason: bridge.ReasonRejected, Detail: "d"}}, Text: "text",
	}
}

// A daemon without a configuration file says so.
func TestNoFileToReload(t *testing.T) {
	base := serve(t, ops.Config{Audit: &trail{}})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if status, body := ask(t, base, method, "/admin/v1/reload", nil); status != http.StatusNotFound || !strings.Contains(body, "without a configuration file") {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
}
