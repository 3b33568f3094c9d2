package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/messenger/web"
	"smsbridge/queue"
)

const (
	session     = "/api/v1/session"
	rightSignIn = `{"user":"Ann","password":"correct horse"}`
	wrongSignIn = `{"user":"ann","password":"wrong"}`
)

// cookieOf gives the session cookie of an answer as a request header.
func cookieOf(t testing.TB, h http.Header) string {
	t.Helper()
	c, err := http.ParseSetCookie(h.Get("Set-Cookie"))
	if err != nil {
		t.Fatalf("Set-Cookie %q: %v", h.Get("Set-Cookie"), err)
	}
	return "Cookie: " + c.Name + "=" + c.Value
}

func TestSessionOfABrowser(t *testing.T) {
	r := newRig(t, noWorkers)
	got := r.call("POST", session, rightSignIn, "Authorization:", "Sec-Fetch-Site: same-origin")
	if got.status != http.StatusOK || got.field(t, "user") != "ann" {
		t.Fatalf("POST session = %d %s", got.status, got.body)
	}
	set := got.header.Get("Set-Cookie")
	for _, flag := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=604800"} {
		if !strings.Contains(set, flag) {
			t.Errorf("Set-Cookie %q lacks %s", set, flag)
		}
	}
	cookie := cookieOf(t, got.header)
	if got := r.call("GET", session, "", "Authorization:", cookie); got.status != http.StatusOK || got.field(t, "user") != "ann" {
		t.Errorf("GET session = %d %s", got.status, got.body)
	}
	if got := r.call("POST", "/api/v1/messages", text("hi"), "Authorization:", cookie); got.status != http.StatusAccepted {
		t.Errorf("POST messages = %d %s", got.status, got.body)
	}
	got = r.call("DELETE", session, "", "Authorization:", cookie)
	if got.status != http.StatusNoContent || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("DELETE session = %d, Set-Cookie %q", got.status, got.header.Get("Set-Cookie"))
	}
	if got := r.call("GET", session, ""); got.status != http.StatusOK || got.field(t, "user") != "ann" || got.field(t, "expires_at") != "<nil>" {
		t.Errorf("GET session with a token = %d %s", got.status, got.body)
	}
}

func TestSignInRefusals(t *testing.T) {
	tests := []struct {
		name, body string
		header     []string
		status     int
		reason     string
	}{
		{"wrong password", wrongSignIn, nil, 401, "wrong_credentials"},
		{"unknown name", `{"user":"eve","password":"correct horse"}`, nil, 401, "wrong_credentials"},
		{"empty password", `{"user":"ann","password":""}`, nil, 401, "wrong_credentials"},
		{"name that is none", `{"user":"an n","password":"x"}`, nil, 401, "wrong_credentials"},
		{"huge name", `{"user":"` + strings.Repeat("a", 300) + `","password":"x"}`, nil, 401, "wrong_credentials"},
		{"form of another site", rightSignIn, []string{"Content-Type: text/plain"}, 415, "unsupported_media_type"},
		{"another site", rightSignIn, []string{"Sec-Fetch-Site: cross-site"}, 403, "cross_site"},
	}
	r := newRig(t, noWorkers)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.in(t).call("POST", session, tt.body, append(tt.header, "Authorization:")...)
			if got.status != tt.status || got.field(t, "reason") != tt.reason || got.header.Get("Set-Cookie") != "" {
				t.Errorf("= %d %s; want %d %s", got.status, got.body, tt.status, tt.reason)
			}
		})
	}
}

func TestOverHTTPSTheCookieIsSecure(t *testing.T) {
	r := newRig(t, noWorkers, func(c *web.Config, _ *queue.Config, _ *rig) { c.BehindTLS = true })
	set := r.call("POST", session, rightSignIn, "Authorization:").header.Get("Set-Cookie")
	if !strings.HasPrefix(set, "__Host-smsbridge=") || !strings.Contains(set, "Secure") {
		t.Errorf("Set-Cookie = %q", set)
	}
}

// handlerOf is the handler of a server that reaches no store.
func handlerOf(t testing.TB, adjust ...func(*web.Config)) (*web.Server, http.Handler) {
	t.Helper()
	cfg := web.Config{
		Users: []web.User{{Name: "ann", PasswordHash: annHash}}, SessionKey: sessionKey,
		Hub: nowhere{}, Stories: nowhere{}, History: nowhere{}, Log: nowhere{},
	}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Handler()
}

// serve makes one request without a network, for tests in which time is played.
func serve(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body)) //nolint:noctx // nothing here can be waited for
	req.Header.Set("Content-Type", "application/json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestSessionEnds(t *testing.T) {
	signIn := func(s *web.Server) string {
		w := httptest.NewRecorder()
		if err := s.SignIn(w, "ANN"); err != nil {
			t.Fatal(err)
		}
		return cookieOf(t, w.Header())
	}
	tests := []struct {
		name   string
		after  time.Duration
		then   func(*web.Config) // the configuration after a restart
		status int
	}{
		{"at once", 0, nil, 200},
		{"just before its end", 7*24*time.Hour - 2*time.Second, nil, 200},
		{"at its end", 7 * 24 * time.Hour, nil, 401},
		{"restart", time.Hour, func(*web.Config) {}, 200},
		{"another key", 0, func(c *web.Config) { c.SessionKey = []byte(strings.Repeat("k", 32)) }, 401},
		{"new password", 0, func(c *web.Config) { c.Users[0].PasswordHash = bobHash }, 401},
		{"user removed", 0, func(c *web.Config) { c.Users[0].Name = "bob" }, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, h := handlerOf(t)
				cookie := signIn(s)
				time.Sleep(tt.after)
				if tt.then != nil {
					_, h = handlerOf(t, tt.then)
				}
				if got := serve(h, "GET", session, "", cookie); got.Code != tt.status {
					t.Errorf("GET session = %d %s; want %d", got.Code, got.Body, tt.status)
				}
			})
		})
	}
}

func TestSessionIsRenewedByUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := handlerOf(t)
		cookie := cookieOf(t, serve(h, "POST", session, rightSignIn).Header())
		if got := serve(h, "GET", session, "", cookie); got.Header().Get("Set-Cookie") != "" {
			t.Error("a fresh session was renewed")
		}
		for range 5 {
			time.Sleep(5 * 24 * time.Hour)
			got := serve(h, "GET", session, "", cookie)
			if got.Code != http.StatusOK {
				t.Fatalf("GET session = %d %s", got.Code, got.Body)
			}
			cookie = cookieOf(t, got.Header())
		}
	})
}

func TestTamperedCookie(t *testing.T) {
	s, h := handlerOf(t)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, "ann"); err != nil {
		t.Fatal(err)
	}
	cookie := cookieOf(t, w.Header())
	start := strings.Index(cookie, "=") + 1
	for i := start; i < len(cookie); i++ {
		other := cookie[:i] + map[bool]string{true: "B", false: "A"}[cookie[i] == 'A'] + cookie[i+1:]
		if got := serve(h, "GET", session, "", other); got.Code != http.StatusUnauthorized {
			t.Fatalf("with character %d changed: %d", i-start, got.Code)
		}
	}
	if s.SignIn(httptest.NewRecorder(), "eve") == nil {
		t.Error("SignIn took an unknown user")
	}
}

func TestSignInIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := handlerOf(t)
		try := func(body string) int { return serve(h, "POST", session, body).Code }
		var got []int
		for range 6 {
			got = append(got, try(wrongSignIn))
		}
		if want := []int{401, 401, 401, 401, 401, 429}; !slices.Equal(got, want) {
			t.Fatalf("six wrong attempts = %v; want %v", got, want)
		}
		w := serve(h, "POST", session, rightSignIn)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "15" {
			t.Errorf("the right password = %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if got := try(`{"user":"eve","password":"x"}`); got != http.StatusUnauthorized {
			t.Errorf("another name = %d", got)
		}
		time.Sleep(15 * time.Second)
		if got := try(rightSignIn); got != http.StatusOK {
			t.Errorf("after the wait = %d", got)
		}
		if got := try(wrongSignIn); got != http.StatusUnauthorized {
			t.Errorf("a wrong password after a right one = %d", got)
		}
	})
}

func TestSignInIsLimitedByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := handlerOf(t, func(c *web.Config) { c.BehindTLS = true })
		from := func(name, address string) int {
			// Only the last entry is the proxy's word.
			return serve(h, "POST", session, `{"user":"`+name+`","password":"x"}`, "X-Forwarded-For: 192.0.2.99, "+address).Code
		}
		name := func(i int) string { return "n" + strings.Repeat("x", i) }
		for i := range 50 {
			if got := from(name(i), "2001:db8::1"); got != http.StatusUnauthorized {
				t.Fatalf("attempt %d = %d", i, got)
			}
		}
		if got := from(name(50), "2001:db8::2"); got != http.StatusTooManyRequests {
			t.Errorf("the same network = %d", got)
		}
		if got := from(name(50), "192.0.2.1"); got != http.StatusUnauthorized {
			t.Errorf("another network = %d", got)
		}
	})
}
