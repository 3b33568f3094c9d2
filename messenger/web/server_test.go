package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/messenger/web"
)

// nowhere is a store with nothing in it, whose log talks without end.
type nowhere struct{}

var errNowhere = errors.New("the store is away")

func (nowhere) Estimate(context.Context, string) (bridge.Estimate, error) {
	return bridge.Estimate{}, errNowhere
}

func (nowhere) Accept(context.Context, bridge.Request) (bridge.Story, error) {
	panic("a defect")
}

func (nowhere) Story(context.Context, string) (bridge.Story, uint64, error) {
	return bridge.Story{}, 0, errNowhere
}

func (nowhere) Conversations(context.Context, addressing.Handle) ([]bridge.Entry, error) {
	return nil, errNowhere
}

func (nowhere) Messages(context.Context, addressing.Handle, addressing.MSISDN, int) ([]bridge.Entry, error) {
	return nil, errNowhere
}

func (nowhere) LogEnd(context.Context) (uint64, error) { return 1, nil }

func (nowhere) Follow(_ context.Context, h addressing.Handle, after uint64, fn func(uint64, bridge.Entry) error) error {
	for {
		after++
		err := fn(after, bridge.Entry{ID: "x", Kind: bridge.EntryMO, Handle: h, Phone: phone, Number: number, Text: strings.Repeat("x", 1000)})
		if err != nil {
			return err
		}
	}
}

func TestNewRefusesBadSettings(t *testing.T) {
	tests := []struct {
		name, want string
		adjust     func(*web.Config)
	}{
		{"plain text for others", "insecure: true", func(c *web.Config) { c.Addr = "0.0.0.0:8080" }},
		{"plain text for all", "insecure: true", func(c *web.Config) { c.Addr = ":8080" }},
		{"short key", "session key", func(c *web.Config) { c.SessionKey = c.SessionKey[:31] }},
		{"no hub", "needs a Hub", func(c *web.Config) { c.Hub = nil }},
		{"bad name", "users[0].name", func(c *web.Config) { c.Users[0].Name = "ann b" }},
		{"bad hash", "users[0].password_hash", func(c *web.Config) { c.Users[0].PasswordHash = "secret" }},
		{"twice", "users[1].name", func(c *web.Config) { c.Users = append(c.Users, web.User{Name: "Ann", PasswordHash: annHash}) }},
		{"token of nobody", "tokens[0].user", func(c *web.Config) { c.Tokens = []web.Token{{User: "eve", Hash: annTokenHash}} }},
		{"token in place of its hash", "tokens[0].hash", func(c *web.Config) { c.Tokens = []web.Token{{User: "ann", Hash: annToken}} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := web.Config{
				Users: []web.User{{Name: "ann", PasswordHash: annHash}}, SessionKey: sessionKey,
				Hub: nowhere{}, Stories: nowhere{}, History: nowhere{}, Log: nowhere{},
			}
			tt.adjust(&cfg)
			_, err := web.New(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New = %v; want it to name %s", err, tt.want)
			}
			if strings.Contains(err.Error(), annToken) {
				t.Error("the error has the token in it")
			}
		})
	}
	handlerOf(t, func(c *web.Config) { c.Addr, c.Insecure = "0.0.0.0:8080", true })
}

func TestDefectAndLossOfTheStoreFailOneRequest(t *testing.T) {
	var log bytes.Buffer
	_, h := handlerOf(t, func(c *web.Config) {
		c.Logger = zerolog.New(&log)
		c.Tokens = []web.Token{{User: "ann", Hash: annTokenHash}}
	})
	for path, want := range map[string]string{
		"/api/v1/messages/x":                          "unavailable",
		"/api/v1/conversations":                       "unavailable",
		"/api/v1/conversations/+33612345678/messages": "unavailable",
	} {
		w := serve(h, "GET", path, "", "Authorization: Bearer "+annToken)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), want) || w.Header().Get("Retry-After") == "" {
			t.Errorf("GET %s = %d %s", path, w.Code, w.Body)
		}
	}
	w := serve(h, "POST", "/api/v1/messages", text("very private"), "Authorization: Bearer "+annToken)
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"internal"`) {
		t.Errorf("a panic = %d %s", w.Code, w.Body)
	}
	if got := log.String(); !strings.Contains(got, "a defect") || strings.Contains(got, "very private") || strings.Contains(got, phone.String()) {
		t.Errorf("log:\n%s", got)
	}
}

func TestPagesAndTheirHeaders(t *testing.T) {
	_, h := handlerOf(t)
	w := serve(h, "GET", "/", "")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>") {
		t.Fatalf("GET / = %d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'self'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if strings.Contains(w.Body.String(), "<style") || strings.Contains(w.Body.String(), "style=") || strings.Contains(w.Body.String(), "<script>") {
		t.Error("the page has an inline script or style, which its policy forbids")
	}
	if again := serve(h, "GET", "/", "", "If-None-Match: "+w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same page again = %d", again.Code)
	}
	for path, want := range map[string]int{"/static/app.js": 200, "/static/index.html": 404, "/static/": 404, "/nothing": 404, "/static/../server.go": 307} {
		if got := serve(h, "GET", path, "").Code; got != want {
			t.Errorf("GET %s = %d; want %d", path, got, want)
		}
	}
	if got := serve(h, "POST", "/", "").Code; got != http.StatusMethodNotAllowed {
		t.Errorf("POST / = %d", got)
	}
}

func TestRunEndsStreamsAndItself(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := handlerOf(t, func(c *web.Config) {
		c.Listener, c.Log, c.Tokens = listener, quiet{}, []web.Token{{User: "ann", Hash: annTokenHash}}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r := &rig{t: t, url: "http://" + listener.Addr().String(), http: client}
	f := r.follow()
	if name, _ := f.next(); name != "ready" {
		t.Fatalf("first event = %s", name)
	}
	cancel()
	for f.lines.Scan() {
		if f.lines.Text() != "" {
			t.Errorf("line after the end: %q", f.lines.Text())
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := f.lines.Err(); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}

// quiet is a log in which nothing happens.
type quiet struct{ nowhere }

func (quiet) Follow(ctx context.Context, _ addressing.Handle, _ uint64, _ func(uint64, bridge.Entry) error) error {
	<-ctx.Done()
	return nil
}

func TestRunSaysWhereItCannotListen(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s, _ := handlerOf(t, func(c *web.Config) { c.Addr = taken.Addr().String() })
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("Run = %v", err)
	}
}

// pipes is a listener for tests in which time is played: a real socket would keep
// the clock from moving.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestStreamsEnd(t *testing.T) {
	tests := []struct {
		name string
		log  web.Log
		slow bool
		// without takes out who reads.
		without bool
	}{
		{name: "slow reader", log: nowhere{}, slow: true},
		{name: "session ends", log: quiet{}},
		{name: "taken out", log: quiet{}, without: true},
	}
	const lifetime = 7 * 24 * time.Hour
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipes{make(chan net.Conn), make(chan struct{})}
				s, h := handlerOf(t, func(c *web.Config) {
					c.Listener, c.Log = p, tt.log
					c.Heartbeat = time.Hour
				})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Run(ctx) }()
				began := time.Now()
				cookie := cookieOf(t, serve(h, "POST", session, rightSignIn).Header())

				client, server := net.Pipe()
				p.conns <- server
				if _, err := client.Write([]byte("GET /api/v1/events HTTP/1.1\r\nHost: h\r\n" + cookie + "\r\nConnection: close\r\n\r\n")); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(client)
				for lines.Scan() {
					if lines.Text() == "event: ready" {
						break
					}
				}
				if tt.slow {
					time.Sleep(time.Minute)
				}
				if tt.without {
					apply, err := s.PreparePeople(nil, nil)
					if err != nil {
						t.Fatal(err)
					}
					apply()
				}
				count := 0
				for lines.Scan() && count < 10_000 { // the log of the slow reader has no end
					count++
				}
				if count == 10_000 {
					t.Error("the stream waited for its reader")
				}
				want := lifetime
				if tt.without {
					want = time.Hour // the next heartbeat
				}
				if !tt.slow && time.Since(began) != want {
					t.Errorf("the stream ended after %s; want %s", time.Since(began), want)
				}
				_ = client.Close()
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
