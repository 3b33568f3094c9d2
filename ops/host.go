package ops

import (
	"net"
	"net/http"
	"strings"
)

// ownHost lets in only who asks for this machine by its address or as localhost. A page of another site
// can have its own name answered with 127.0.0.1, and is then, for the browser, of the same origin as
// this listener: only the name tells it apart (DNS rebinding).
func (s *Server) ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwnHost(r.Host) {
			s.refuse(w, http.StatusMisdirectedRequest, "this listener is for this machine alone: ask for it as 127.0.0.1 or localhost; a proxy must not pass the name on by which it is asked")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil
}
