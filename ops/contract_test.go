package ops_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// TestDocument: what docs/openapi-admin.yaml says of acting on links, routes and messages is what a
// server answers, and every one of these operations is asked.
func TestDocument(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../docs/openapi-admin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	base := serve(t, ops.Config{Audit: &trail{}, Control: documented()})
	asked := make(map[string]bool)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/links", 200},
		{"POST", "/links/one/pause", 200},
		{"GET", "/links", 200},
		{"POST", "/links/one/resume", 200},
		{"POST", "/links/one/rebind", 200},
		{"POST", "/links/none/pause", 404},
		{"POST", "/routes/all/pause", 200},
		{"POST", "/routes/all/resume", 200},
		{"POST", "/stages/mt/pause", 200},
		{"POST", "/stages/mt/resume", 200},
		{"POST", "/queue/purge?stage=mt&handle=web:ann&dry_run=true", 200},
		{"POST", "/queue/purge?route=all", 200},
		{"POST", "/queue/purge", 400},
		{"GET", "/messages?phone=%2B33612345678&limit=5", 200},
		{"GET", "/messages", 400},
		{"GET", "/messages/one?text=true", 200},
		{"GET", "/messages/none", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, base+"/admin/v1"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, header, body := do(t, req)
		if status != tt.status {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, status, body)
		}
		req.URL.Scheme, req.URL.Host = "", ""
		where, params, err := router.FindRoute(req)
		if err != nil {
			t.Errorf("%s %s is not in the document: %v", tt.method, tt.path, err)
			continue
		}
		asked[where.Operation.OperationID] = true
		input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: where, Options: &openapi3filter.Options{IncludeResponseStatus: true}}
		if status == http.StatusOK {
			if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
				t.Errorf("%s %s was taken and is not as the document says: %v", tt.method, tt.path, err)
			}
		}
		err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(body))), Options: input.Options,
		})
		if err != nil {
			t.Errorf("the answer of %s %s is not as the document says: %v", tt.method, tt.path, err)
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if slices.Contains(operation.Tags, "acting") && !asked[operation.OperationID] {
				t.Errorf("%s was not asked", operation.OperationID)
			}
		}
	}
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
		Holds:    &holds{},
		Rebind:   func(string) bool { return true },
		Purge:    func(_ context.Context, _ ops.PurgeQuery, _ bool) (int, int, error) { return 3, 1, nil },
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
