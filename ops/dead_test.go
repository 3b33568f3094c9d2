package ops_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// letters is a store of one dead letter.
type letters struct {
	broken error
	by     string // who dealt with it
}

var letter = bridge.Dead{
	ID: "one", Stage: "MT", Reason: bridge.ReasonInternal, Detail: "a defect",
	MT: &bridge.MT{ID: "one", Handle: ann, Phone: phone, Text: "secret"},
}

func (l *letters) DeadLetters(context.Context, int) ([]bridge.Dead, int, error) {
	return []bridge.Dead{letter}, 1, l.broken
}

func (l *letters) DeadLetter(_ context.Context, id string) (bridge.Dead, error) {
	if id != letter.ID {
		return bridge.Dead{}, bridge.ErrNotFound
	}
	return letter, l.broken
}

func (l *letters) Requeue(_ context.Context, _, by string) (string, error) {
	l.by = by
	return "two", l.broken
}

func (l *letters) Drop(_ context.Context, _, by string) error {
	l.by = by
	return l.broken
}

func TestDead(t *testing.T) {
	for _, tt := range []struct {
		name, method, path string
		broken             error
		header             http.Header
		status             int
		want, not          string
	}{
		{name: "a list masks phones", path: "", status: 200, want: phone.Masked(), not: phone.String()},
		{name: "a bad limit", path: "?limit=0", status: 400, want: "1 to 1000"},
		{name: "one without its text", path: "/one", status: 200, want: "a defect", not: "secret"},
		{name: "one with its text", path: "/one?text=true", status: 200, want: "secret"},
		{name: "none", path: "/nobody", status: 404, want: "no such dead letter"},
		{name: "again", method: "POST", path: "/one/requeue", status: 200, want: `"new_id":"two"`},
		{name: "again what was sent", method: "POST", path: "/one/requeue", broken: bridge.ErrNothingToRequeue, status: 409, want: "nothing to send again"},
		{name: "drop", method: "DELETE", path: "/one", status: 200, want: `"action":"drop"`},
		{name: "drop while the store is away", method: "DELETE", path: "/one", broken: errors.New("away"), status: 503, want: "see /readyz"},
		{
			name: "a button on another site's page", method: "POST", path: "/one/requeue", status: 403,
			header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &letters{broken: tt.broken}
			base := serve(t, ops.Config{Dead: l, Undertaker: l})
			request, err := http.NewRequestWithContext(t.Context(), tt.method, base+"/admin/v1/dead"+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = tt.header
			if request.Header == nil {
				request.Header = http.Header{ops.OperatorHeader: {"ed" + strings.Repeat("é", 100)}}
			}
			status, _, body := do(t, request)
			if status != tt.status || !strings.Contains(body, tt.want) || tt.not != "" && strings.Contains(body, tt.not) {
				t.Errorf("%d %s", status, body)
			}
			if status == 200 && tt.method != "" && (!strings.HasPrefix(l.by, "edé") || !strings.HasSuffix(l.by, "é from 127.0.0.1") || len(l.by) > 100) {
				t.Errorf("done by %q", l.by)
			}
			if status == 403 && l.by != "" {
				t.Errorf("done by %q", l.by)
			}
		})
	}
}

// A list says whose a letter is, masked, also where it came raw from an SMSC.
func TestDeadRowOfMO(t *testing.T) {
	for _, tt := range []struct{ name, from, want string }{
		{"a number", "33612345678", "+336*****678"},
		{"a number with a plus", "+33612345678", "+336*****678"},
		{"a name", "Acme", ""},
		{"a short code", "36180", ""},
		{"nobody", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := ops.DeadRowOf(bridge.Dead{Stage: "MO", MO: &bridge.MO{Source: bridge.Address{Addr: tt.from}}})
			if row.Phone != tt.want {
				t.Errorf("phone %q, want %q", row.Phone, tt.want)
			}
		})
	}
}
