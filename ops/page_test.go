package ops_test

import (
	"net/http"
	"strings"
	"testing"

	"smsbridge/ops"
)

// The page is served with a type that browsers take, loads nothing from elsewhere, and is asked
// for again only where it has changed.
func TestPage(t *testing.T) {
	base := serve(t, ops.Config{History: ops.NewHistory(ops.Sources{})})
	for _, tt := range []struct {
		path, contentType, want string
		status                  int
	}{
		{path: "/", status: 200, contentType: "text/html; charset=utf-8", want: "<title>smsbridge operations</title>"},
		{path: "/static/app.js", status: 200, contentType: "text/javascript; charset=utf-8", want: "import"},
		{path: "/static/ops.css", status: 200, contentType: "text/css; charset=utf-8", want: "prefers-color-scheme: dark"},
		{path: "/static/icon.svg", status: 200, contentType: "image/svg+xml", want: "<svg"},
		{path: "/static/index.html", status: 404, want: "not found"},
		{path: "/static/../page.go", status: 404, want: "not found"},
		{path: "/elsewhere", status: 404, want: "not found"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			status, header, body := get(t, base+tt.path)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Fatalf("%d %.200s", status, body)
			}
			if status != http.StatusOK {
				return
			}
			if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy: %s", csp)
			}
			if got := header.Get("Content-Type"); got != tt.contentType {
				t.Errorf("Content-Type: %s", got)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("If-None-Match", header.Get("ETag"))
			if status, _, _ := do(t, request); status != http.StatusNotModified {
				t.Errorf("asked again: %d", status)
			}
		})
	}
}
