package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startDemo runs `smsbridge demo` on dir, and gives the URL that it prints. stop ends it
// as Ctrl-C does.
func startDemo(t *testing.T, dir string) (url string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	exited := make(chan int, 1)
	go func() {
		const free = "127.0.0.1:0"
		exited <- execute(ctx, []string{"demo", "--data", dir, "--addr", free, "--smsc-addr", free, "--ops-addr", free},
			&stdio{in: strings.NewReader(""), out: in, err: os.Stderr})
		_ = in.Close()
	}()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if code := <-exited; code != exitOK {
			t.Errorf("the demo ended with %d", code)
		}
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http://") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return line, stop
		}
	}
	t.Fatal("the demo printed no URL")
	return "", nil
}

// browser is one tab of Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		if os.Getenv("SMSBRIDGE_PEERS") == "require" {
			t.Fatal("Chromium is not installed: run internal/peers/install.sh")
		}
		t.Skip("there is no Chromium on this machine: install chromium to test the page")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(1280, 800))
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelTab := chromedp.NewContext(ctx, chromedp.WithListener(func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the page has a defect: %s", thrown.ExceptionDetails.Exception.Description)
		}
	}))
	ctx, cancel := context.WithTimeout(ctx, 4*patience) // of all steps together; each has patience
	t.Cleanup(func() {
		cancel()
		cancelTab()
		cancelAllocator()
	})
	return &browser{t: t, ctx: ctx}
}

func (b *browser) open(url string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatal(err)
	}
}

// sees waits until a JavaScript expression is true. $m and $p in it find an element of
// the messenger and of the phone by a selector, $$m and $$p all.
func (b *browser) sees(expression string) {
	b.t.Helper()
	const find = `const page = (id) => document.getElementById(id)?.contentDocument;
		const $m = (s) => page("messenger")?.querySelector(s), $p = (s) => page("phone")?.querySelector(s);
		const $$m = (s) => [...(page("messenger")?.querySelectorAll(s) ?? [])], $$p = (s) => [...(page("phone")?.querySelectorAll(s) ?? [])];`
	wait := chromedp.Poll[bool]("(() => {"+find+" return Boolean("+expression+"); })()", chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience))
	if _, err := chromedp.Run(b.ctx, wait); err != nil {
		b.picture("failed.png")
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// write puts a text into the composer of $m or $p and sends it.
func (b *browser) write(page, form, text string) {
	b.t.Helper()
	b.sees(fmt.Sprintf(`%[1]s("#text") && (%[1]s("#text").value = %[2]q, %[1]s("#text").dispatchEvent(new Event("input", {bubbles: true})),
		%[1]s(%[3]q).requestSubmit(), true)`, page, text, form))
}

// picture keeps what the tab shows where SMSBRIDGE_PICTURES says.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("SMSBRIDGE_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+name, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// looks keeps pictures of the whole page where SMSBRIDGE_PICTURES says: light, dark, and in a narrow window.
func (b *browser) looks(name string) {
	b.t.Helper()
	dir := os.Getenv("SMSBRIDGE_PICTURES")
	if dir == "" {
		return
	}
	for _, as := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"narrow", "light", 390}} {
		var png []byte
		err := chromedp.Do(b.ctx, chromedp.EmulateViewport(as.width, 900), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: as.scheme}},
			})
			return err
		}))
		if err == nil {
			png, err = chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		}
		if err == nil {
			err = os.WriteFile(dir+"/"+name+"-"+as.name+".png", png, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// said is an expression: one bubble of a page holds exactly this text.
func said(bubbles, text string) string {
	return fmt.Sprintf(`%s.filter((e) => e.textContent === %q).length === 1`, bubbles, text)
}

// phoneThread is an expression: the phone shows a conversation, by itself when a text comes,
// or else once it is chosen.
const phoneThread = `$p("#thread") && (!$p("#thread").hidden || ($p("#thread-list button")?.click(), false))`

// TestDemoInChromium: a text crosses both ways on the demo's page, its ticks come, and
// all is there again after a restart.
func TestDemoInChromium(t *testing.T) {
	const (
		greeting = "Hi! Are we still on for 6 pm? 😀"
		answer   = "Yes, at the café opposite the station"
		long     = "Perfect. I’ll bring the drawings of the second floor and the samples, and Dora may join us a little later. " +
			"If you are early: they know me there, ask for the table in the corner, and order whatever you like."
	)
	b := newBrowser(t)
	dir := t.TempDir()
	url, stop := startDemo(t, dir)
	b.open(url)

	b.sees(`$m("#chat") && !$m("#chat").hidden`)
	b.write("$m", "#composer", greeting)
	b.sees(`$m(".message.mt .mark")?.dataset.status === "delivered"`)
	b.sees(phoneThread)
	b.sees(said(`$$p("#messages .text")`, greeting))
	b.write("$p", "#answer", answer)
	b.sees(said(`$$m(".message.mo .text")`, answer))
	b.sees(fmt.Sprintf(`$m("#text") && ($m("#text").value = %q, $m("#text").dispatchEvent(new Event("input", {bubbles: true})))`, long))
	b.sees(`$m("#cost").textContent.includes("4 SMS") && $m("#cost").textContent.includes("without ’")`)
	b.write("$m", "#composer", long)
	b.sees(`$m("#cost").hidden`)
	b.sees(`$$m(".message.mt .mark").filter((e) => e.dataset.status === "delivered").length === 2`)
	b.picture("demo.png")
	stop()

	url, _ = startDemo(t, dir)
	b.open(url)
	b.sees(said(`$$m(".message.mo .text")`, answer))
	b.sees(`$$m(".message.mt .mark").filter((e) => e.dataset.status === "delivered").length === 2`)
	b.sees(phoneThread)
	b.sees(said(`$$p("#messages .text")`, answer))
	b.write("$p", "#answer", "Still there?")
	b.sees(said(`$$m(".message.mo .text")`, "Still there?"))
}

// TestFaultsInChromium: while a fault is on, which the phone's page switches and counts, a text
// waits; once it is off the text arrives.
func TestFaultsInChromium(t *testing.T) {
	b := newBrowser(t)
	url, _ := startDemo(t, t.TempDir())
	b.open(url)
	b.sees(`$m("#chat") && !$m("#chat").hidden`)
	const fault = `$p("#fault-list input[name=throttled]")`
	b.sees(`$p("#faults-open") && ($p("#faults-open").click(), true)`)
	b.sees(`$p("#faults").open && $$p("#fault-list input").length > 30 && $$p("#fault-list input:checked").length === 0 && $p("#faults-off").disabled`)
	b.sees(fault + ` && (` + fault + `.click(), true)`)
	b.sees(`$p("#faults-open").textContent === "Faults (1)" && ` + fault + `.checked`)
	b.write("$m", "#composer", "when the network has time")
	b.sees(`/throttled · struck \d+ submits?$/.test(` + fault + `.closest("li").textContent)`)
	b.sees(`($p("#fault-list input[name=tls-wrong-name]").click(), true)`)
	b.sees(`$p("#faults-error").textContent.includes("start it with --smsc-tls") && !$p("#fault-list input[name=tls-wrong-name]").checked`)
	b.sees(`($p("#faults").close(), true)`)
	b.picture("faults.png")
	b.sees(`($p("#faults-open").click(), true)`)
	b.sees(`$p("#faults").open && $$p("#fault-list input:checked").length === 1`)
	b.sees(`($p("#faults-off").click(), true)`)
	b.sees(`$p("#faults-open").textContent === "Faults" && $$p("#fault-list input:checked").length === 0 && $p("#faults-error").hidden`)
	b.sees(`($p("#faults form .primary").click(), !$p("#faults").open)`)
	b.sees(`$m(".message.mt .mark")?.dataset.status === "delivered"`)
	b.sees(phoneThread)
	b.sees(said(`$$p("#messages .text")`, "when the network has time"))
}
