package ops

import "net/http"

// router is an [http.ServeMux] that knows its patterns, which docs/openapi-admin.yaml has too.
type router struct {
	*http.ServeMux
	patterns []string
}

// Handle registers a handler, as [http.ServeMux.Handle] does.
func (m *router) Handle(pattern string, handler http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, handler)
}

// HandleFunc registers a handler, as [http.ServeMux.HandleFunc] does.
func (m *router) HandleFunc(pattern string, handler http.HandlerFunc) { m.Handle(pattern, handler) }

// ownSite refuses what a page of another site, open in the operator's browser, asks for: it must
// not press buttons here.
func (s *Server) ownSite(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Check(r); err != nil {
			s.refuse(w, http.StatusForbidden, "a page of another site may not change anything here: use the operators' own page, or smsbridge")
			return
		}
		next.ServeHTTP(w, r)
	})
}
