package ops_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// trail is an audit trail in memory.
type trail struct {
	mu     sync.Mutex
	all    []bridge.Audit
	broken error
}

func (l *trail) KeepAudit(_ context.Context, a bridge.Audit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.all = append(l.all, a)
	}
	return l.broken
}

func (l *trail) Audits(context.Context, int) ([]bridge.Audit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all, l.broken
}

// ask sends one request to base.
func ask(t *testing.T, base, method, path string, header http.Header) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	status, _, body = do(t, request)
	return status, body
}

// TestChanges: each change is on record before it is made, and each refusal says what to do.
func TestChanges(t *testing.T) {
	const at = "?phone=%2B33612345678"
	for _, tt := range []struct {
		name, method, path string
		header             http.Header
		broken             error
		status             int
		want               string
		audit              string // of the last record
	}{
		{name: "opt out", method: "POST", path: "/optouts" + at + "&handle=web:ann", status: 200, want: `"changed":true`, audit: "optout +33612345678 web:ann"},
		{name: "opt out of everybody", method: "POST", path: "/optouts" + at, status: 200, want: "everybody", audit: "optout +33612345678 everybody"},
		{name: "undo nothing", method: "DELETE", path: "/optouts" + at, status: 200, want: `"changed":false`, audit: "optout_ended +33612345678 everybody"},
		{name: "release", method: "POST", path: "/conversations/release" + at + "&handle=web:ann", status: 200, want: `"changed":true`, audit: "release web:ann +33612345678"},
		{name: "release nothing", method: "POST", path: "/conversations/release" + at + "&handle=web:zoe", status: 404, want: "conversation ls", audit: "release web:zoe +33612345678: not done"},
		{name: "no phone", method: "POST", path: "/optouts?phone=x", status: 400, want: "phone: "},
		{name: "no handle", method: "POST", path: "/optouts" + at + "&handle=irc:x", status: 400, want: "use xmpp, web or matrix"},
		{name: "no record, no change", method: "POST", path: "/optouts" + at, broken: errors.New("away"), status: 503, want: "nothing was changed"},
		{name: "another site's page", method: "POST", path: "/optouts" + at, status: 403, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			book, audits := newBook(t, &memory{}), &trail{broken: tt.broken}
			if _, err := book.Assign(t.Context(), ann, phone); err != nil {
				t.Fatal(err)
			}
			base := serve(t, ops.Config{Book: book, Audit: audits})
			status, body := ask(t, base, tt.method, "/admin/v1"+tt.path, tt.header)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s", status, body)
			}
			last := ""
			if n := len(audits.all); n > 0 {
				a := audits.all[n-1]
				last = a.Action + " " + a.Subject
				if a.Failed != "" {
					last += ": not done"
				}
			}
			if last != tt.audit {
				t.Errorf("on record: %q, want %q", last, tt.audit)
			}
			if tt.status != 200 && tt.status != 404 {
				if all, err := book.Optouts(t.Context(), phone); err != nil || len(all) != 0 {
					t.Errorf("changed all the same: %v, %v", all, err)
				}
			}
		})
	}
}

func TestAudit(t *testing.T) {
	base := serve(t, ops.Config{Audit: &trail{}})
	if status, body := ask(t, base, http.MethodGet, "/admin/v1/audit", nil); status != 200 || !strings.Contains(body, `"audits":[]`) {
		t.Errorf("%d %s", status, body)
	}
	base = serve(t, ops.Config{Audit: &trail{broken: errors.New("away")}})
	if status, body := ask(t, base, http.MethodGet, "/admin/v1/audit", nil); status != 503 || !strings.Contains(body, "see /readyz") {
		t.Errorf("%d %s", status, body)
	}
}
