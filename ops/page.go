package ops

import (
	"embed"
	"net/http"

	"smsbridge/internal/pages"
)

//go:embed static
var static embed.FS

// newPage serves the operators' page. It loads nothing but what comes from here, and nobody
// frames it (CSP Level 3).
func newPage() (http.Handler, error) {
	files, err := pages.New(static, "static")
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		files.ServeHTTP(w, r)
	}), nil
}
