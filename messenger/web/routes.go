package web

import (
	"context"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"smsbridge/bridge"
)

// A handler of the API answers, or returns an error that becomes a problem document.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one operation of the API.
type route struct {
	method, path string
	serve        handler
}

// routes is the whole API; docs/openapi.yaml has the same list, and a test holds
// the two together.
func (s *Server) routes() []route {
	return []route{
		{"POST", "/api/v1/session", s.signIn},
		{"GET", "/api/v1/session", s.signedIn(s.showSession)},
		{"DELETE", "/api/v1/session", s.signOut},
		{"POST", "/api/v1/messages", s.signedIn(s.postMessage)},
		{"POST", "/api/v1/estimate", s.signedIn(s.postEstimate)},
		{"GET", "/api/v1/messages/{id}", s.signedIn(s.getMessage)},
		{"GET", "/api/v1/conversations", s.signedIn(s.getConversations)},
		{"GET", "/api/v1/conversations/{phone}/messages", s.signedIn(s.getMessages)},
		{"GET", "/api/v1/events", s.signedIn(s.getEvents)},
	}
}

func (s *Server) mux(page http.Handler) http.Handler {
	byPath := map[string]map[string]handler{}
	for _, r := range s.routes() {
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]handler{}
		}
		byPath[r.path][r.method] = r.serve
	}
	mux := http.NewServeMux()
	for path, methods := range byPath {
		mux.Handle(path, s.api(byMethod(methods)))
	}
	mux.Handle("/api/", s.api(func(http.ResponseWriter, *http.Request) error {
		return problem(reasonNotFound, "The API has no such path. docs/openapi.yaml of the bridge lists what there is.")
	}))
	mux.Handle("/", page)
	return mux
}

func byMethod(methods map[string]handler) handler {
	var allowed []string
	for m := range methods {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) error {
		if serve := methods[r.Method]; serve != nil {
			return serve(w, r)
		}
		w.Header().Set("Allow", allow)
		return problem(reasonMethod, "This path takes "+allow+", not "+r.Method+".")
	}
}

// api makes an http.Handler of a handler: it refuses what another site's page
// makes a browser do, and turns errors and panics into problem documents.
func (s *Server) api(serve handler) http.Handler {
	crossSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := crossSite.Check(r); err != nil {
			problem(reasonCrossSite, "Another site's page made this request, so it was refused. Use the bridge's own page.").write(w)
			return
		}
		err := s.guard(serve, w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		p := asProblem(err)
		if p.err != nil {
			s.log.Error().Err(p.err).Str("route", r.Pattern).Str("reason", string(p.reason)).Msg("request failed")
		}
		p.write(w)
	})
}

// guard turns a panic of a handler into a problem: a defect fails one request.
func (s *Server) guard(serve handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
			panic(p)
		}
		s.log.Error().Interface("panic", p).Str("route", r.Pattern).Bytes("stack", debug.Stack()).Msg("request panicked; this is a defect of the bridge")
		err = problem(bridge.ReasonInternal, "The bridge made a mistake with this request. Its operator finds it in the log.")
	}()
	return serve(w, r)
}

// SecurityHeaders lets a page load only what comes from its own origin and be framed
// only by it (CSP Level 3), for the pages of the bridge.
func SecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// observe logs requests at debug level by route, never by path: paths have phone
// numbers in them.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		s.log.Debug().Str("method", r.Method).Str("route", r.Pattern).Int("status", status.status).Dur("took", time.Since(began)).Msg("request")
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// whoKey finds the visitor in a request's context.
type whoKey struct{}

// visitor is who makes a request.
type visitor struct {
	*person
	ends   time.Time // when the session ends; zero for a bearer token
	cookie bool
}

// whileSignedIn is ctx until the visitor's session ends.
func (v visitor) whileSignedIn(ctx context.Context) (context.Context, context.CancelFunc) {
	if v.cookie {
		return context.WithDeadline(ctx, v.ends)
	}
	return context.WithCancel(ctx)
}

func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(whoKey{}).(visitor)
	return v
}

// signedIn lets only requests with a session or a token through to next.
func (s *Server) signedIn(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.authenticate(r)
		if err != nil {
			return err
		}
		return next(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, v)))
	}
}

// authenticate tells who makes a request. A token counts before a cookie.
func (s *Server) authenticate(r *http.Request) (visitor, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if who := s.people.Load().withToken(strings.TrimSpace(token)); who != nil && strings.EqualFold(scheme, "Bearer") {
			return visitor{person: who}, nil
		}
		return visitor{}, problem(reasonUnauthenticated, "The bearer token is not one of this bridge. Ask its operator for one.")
	}
	// More than one cookie may have the name, where another path of the host set one.
	for _, c := range r.CookiesNamed(s.sessions.cookieName()) {
		if who, ends := s.sessions.read(s.people.Load(), c.Value, time.Now()); who != nil {
			return visitor{person: who, ends: ends, cookie: true}, nil
		}
	}
	return visitor{}, problem(reasonUnauthenticated, "Nobody is signed in here, or not any more. Sign in, or send a bearer token.")
}
