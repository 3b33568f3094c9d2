package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browse opens a page of the rig in Chromium, or skips the test where there is none.
func (r *rig) browse(path string) context.Context {
	r.t.Helper()
	var chromium string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			chromium = found
			break
		}
	}
	if chromium == "" {
		r.t.Skip("there is no Chromium on this machine: install chromium to test the page")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(900, 700))
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx, chromedp.WithListener(func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			r.t.Errorf("the page has a defect: %s", thrown.ExceptionDetails.Exception.Description)
		}
	}))
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	r.t.Cleanup(func() {
		cancel()
		cancelBrowser()
		cancelAllocator()
	})
	r.do(ctx, chromedp.Navigate(r.url+path))
	return ctx
}

// proxy puts a front before the rig's server, as its network.
func (r *rig) proxy(front func(w http.ResponseWriter, req *http.Request, next http.Handler)) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { front(w, req, r.server.Handler()) }))
	r.t.Cleanup(s.Close)
	r.url = s.URL
	return s
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func (r *rig) do(ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		r.t.Fatal(err)
	}
}

// fill types into a field what it is to hold.
func (r *rig) fill(ctx context.Context, selector, text string) {
	r.t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("`+selector+`").value = ""`)); err != nil {
		r.t.Fatal(err)
	}
	r.do(ctx, chromedp.SendKeys(selector, text))
}

// sees waits until a JavaScript expression is true of the page.
func (r *rig) sees(ctx context.Context, expression string) {
	r.t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingMutation())); err != nil {
		html, _ := chromedp.Run(ctx, chromedp.OuterHTML("body"))
		r.t.Fatalf("waiting for %s: %v\n%s", expression, err, html)
	}
}

// bubble is an expression: there is one message with this text, in this state.
func bubble(direction, text, status string) string {
	e := `[...document.querySelectorAll(".message.` + direction + `")].filter(m => m.querySelector(".text").textContent === "` + text + `"`
	if status != "" {
		e += ` && m.querySelector(".mark")?.dataset.status === "` + status + `"`
	}
	return e + `).length === 1`
}

func (r *rig) signInOnPage(ctx context.Context) {
	r.t.Helper()
	r.do(ctx, chromedp.WaitVisible(`#sign-in form`))
	r.fill(ctx, "input[name=user]", "ann")
	r.fill(ctx, "input[name=password]", "correct horse\r")
	r.do(ctx, chromedp.WaitVisible(`#app`))
}

func TestPage(t *testing.T) {
	r := newRig(t)
	ctx := r.browse("/")

	r.do(ctx,
		chromedp.WaitVisible(`#sign-in form`),
		chromedp.SendKeys(`input[name=user]`, "ann"),
		chromedp.SendKeys(`input[name=password]`, "wrong\r"),
		chromedp.WaitVisible(`#sign-in .error`),
	)
	r.signInOnPage(ctx)

	r.fill(ctx, "#new-phone", "12\r")
	r.do(ctx, chromedp.WaitVisible(`#new-error`))
	r.fill(ctx, "#new-phone", "06 12 34 56 78\r")
	r.do(ctx, chromedp.WaitVisible(`#chat`))
	r.sees(ctx, `document.querySelector("#chat-name").textContent === "+33612345678"`)

	r.do(ctx, chromedp.SendKeys(`#text`, "Hello <b>phone</b>\r"))
	r.sees(ctx, bubble("mt", "Hello <b>phone</b>", "sent"))
	r.says(said{Receipt: "1"})
	r.sees(ctx, bubble("mt", "Hello <b>phone</b>", "delivered"))

	r.says(said{Text: "Bien reçu 👍"})
	r.sees(ctx, bubble("mo", "Bien reçu 👍", ""))

	r.do(ctx, chromedp.SendKeys(`#text`, "refuse\r"))
	r.sees(ctx, bubble("mt", "refuse", "failed"))
	r.sees(ctx, `document.querySelector(".message.failed .why").textContent.includes("does not know this number")`)

	r.do(ctx, chromedp.SendKeys(`#text`, "a draft"), chromedp.Reload(), chromedp.WaitVisible(`#chat`))
	r.sees(ctx, bubble("mt", "Hello <b>phone</b>", "delivered"))
	r.sees(ctx, bubble("mo", "Bien reçu 👍", ""))
	r.sees(ctx, `document.querySelector("#text").value === "a draft"`)

	r.do(ctx, chromedp.Click(`#sign-out`), chromedp.WaitVisible(`#sign-in form`))
	r.sees(ctx, `localStorage.length === 0 && document.querySelectorAll(".message").length === 0`)
}

// TestPageLosesAndDoublesNothing breaks the network under the page: an answer that is
// lost after the message was stored, and a server that is away.
func TestPageLosesAndDoublesNothing(t *testing.T) {
	var cutAnswers, away atomic.Bool
	r := newRig(t)
	front := r.proxy(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		if cutAnswers.Load() && req.Method == http.MethodPost {
			cutAnswers.Store(false)
			next.ServeHTTP(discard{http.Header{}}, req)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, req)
	})
	ctx := r.browse("/#+33612345678")
	r.signInOnPage(ctx)
	r.do(ctx, chromedp.WaitVisible(`#chat`))

	cutAnswers.Store(true)
	r.do(ctx, chromedp.SendKeys(`#text`, "once\r"))
	r.sees(ctx, bubble("mt", "once", "sent"))

	away.Store(true)
	front.CloseClientConnections()
	r.do(ctx, chromedp.WaitVisible(`#banner`), chromedp.SendKeys(`#text`, "later\r"), chromedp.SendKeys(`#text`, "last\r"))
	r.sees(ctx, bubble("mt", "later", "waiting"))
	away.Store(false)
	r.sees(ctx, bubble("mt", "later", "sent"))
	r.sees(ctx, bubble("mt", "last", "sent"))
	r.sees(ctx, `document.querySelector("#banner").hidden`)

	var list struct{ Messages []struct{ Text string } }
	r.call("GET", "/api/v1/conversations/+33612345678/messages", "").json(t, &list)
	var texts []string
	for _, m := range list.Messages {
		texts = append(texts, m.Text)
	}
	if got := strings.Join(texts, " "); got != "once later last" {
		t.Errorf("the bridge has %q; want each text once, in order", got)
	}
}
