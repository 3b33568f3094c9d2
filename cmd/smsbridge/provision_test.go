package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/ops"
	"smsbridge/queue"
)

// provisioned is the operator's listener over a real store, of which nothing else runs.
func provisioned(t testing.TB) (base string, book *addressing.Book, store *queue.Store) {
	t.Helper()
	store, err := queue.Open(t.Context(), queue.Config{Dir: t.TempDir(), Durability: queue.Process, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := addressing.NewDirectory(t.Context(), store, time.Now)
	if err == nil {
		book, err = addressing.NewBook(store, addressing.Config{
			Directory: dir, Pool: []addressing.Number{addressing.MustParseNumber("+33700000001"), addressing.MustParseNumber("+33700000002")},
			Shared: []addressing.Number{addressing.MustParseNumber("36180;phone-context=+33")},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := ops.New(ops.Config{
		Addr: "127.0.0.1:0", Registry: ops.NewRegistry("test", ops.Sources{}), Book: book, Region: "FR", Audit: store,
		Depths: func(context.Context) ([]ops.QueueDepth, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Addr(), book, store
}

func csvFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProvision: a file is tried, made, and made again, with lines of every kind of mistake,
// each of which is named and none of which keeps the others from being made.
func TestProvision(t *testing.T) {
	base, book, store := provisioned(t)
	numbers := csvFile(t, "kind,number,use,handle\n"+
		"number,+33700000010,pool,\n"+
		"number,+33700000011,,web:ann\n"+
		"number,+33700000012,,web:ann\n"+ // a second one
		"number,+33700000001,pool,\n"+ // in the configuration
		"number,+33700000013,,\n"+
		"number,Acme,pool,\n"+
		"number,,pool,\n")

	run := func(want int, args ...string) (out string) {
		t.Helper()
		code, out, errs := smsbridge(t, "", append([]string{"provision", "--ops", base}, args...)...)
		if code != want {
			t.Fatalf("code %d, stderr %s\n%s", code, errs, out)
		}
		if want == exitFailed && !strings.Contains(errs, "run the file again") {
			t.Errorf("stderr %q", errs)
		}
		return out
	}
	wantOut := func(got string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "\n")+"\n", got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	wrong := []string{
		"line 4, column number: The handle web:ann has a number of its own, +33700000011.",
		"line 5, column number: +33700000001 is in the configuration.",
		"line 6, column use: Say pool or shared, or whose the number is in the column handle.",
		"line 7, column number: Nobody can answer Acme, so it cannot be in the pool.",
		"line 8, column number: Say which, such as +33700000001 or 36180;phone-context=+33.",
	}

	dry := run(exitFailed, "--dry-run", numbers)
	if !strings.HasSuffix(dry, "7 lines: 2 would be made, 0 there already, 5 bad\n") { // line 4 clashes with line 3
		t.Errorf("tried: %s", dry)
	}
	if ann, has := book.Dedicated(addressing.MustParseHandle("web:ann")); has {
		t.Errorf("a try has made %v", ann)
	}
	wantOut(run(exitFailed, numbers), append(wrong, "7 lines: 2 made, 0 there already, 5 bad")...)
	wantOut(run(exitFailed, numbers), append(wrong, "7 lines: 0 made, 2 there already, 5 bad")...)

	people := csvFile(t, "\uFEFFkind;phone;handle;number\r\n"+
		"conversation;+33612345678;web:ann;+33700000011\r\n"+
		"conversation;06 12 34 56 78;web:bob;+33700000010\r\n"+
		"conversation;+33612345678;web:carl;+33700000010\r\n"+ // bob's
		"conversation;+33612345678;web:carl;+33700000011\r\n"+ // ann's own
		"conversation;+33612345678;web:carl;\r\n"+
		"conversation;+4915112345678;web:carl;36180;phone-context=+33\r\n"+ // needs quotation marks
		"conversation;+4915112345678;web:carl;\"36180;phone-context=+33\"\r\n"+
		"optout;+33612345679;;\r\n"+
		"optout;+33612345678;web:dora;\r\n"+
		"optout;12;web:dora;\r\n"+
		"optout;+33612345678;irc:dora;\r\n"+
		"optout;+33612345678;web:dora;+33700000001\r\n"+
		"person;+33612345678;web:dora;\r\n"+
		"conversation;+33612345678;;\r\n"+
		"handle;;web:dora;\r\n"+
		"handle;;xmpp:dora@corp.example;\r\n"+ // of the same name
		"handle;+33612345678;web:ann;\r\n")
	out := run(exitFailed, people)
	for _, want := range []string{
		"line 4, column number: +33700000010 is with this phone web:bob's until ",
		"line 5, column number: +33700000011 is the own number of web:ann.",
		"line 7, column 5: The line has 5 columns, and the first line names 4.",
		"line 8, column number: 36180;phone-context=+33 means nothing in the country of this phone.",
		"line 11, column phone: ", "line 12, column handle: ", "line 13, column number: A line of kind optout has no number: leave it empty.",
		`line 14, column kind: "person" is none of number, conversation, optout and handle.`,
		"line 15, column handle: Say whose conversation it is, such as web:ann.",
		"17 lines: 6 made, 0 there already, 11 bad",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not told %q in\n%s", want, out)
		}
	}
	if again := run(exitFailed, people); !strings.Contains(again, "17 lines: 0 made, 6 there already, 11 bad") {
		t.Errorf("again:\n%s", again)
	}
	for number, handle := range map[string]string{"+33700000011": "web:ann", "+33700000010": "web:bob"} {
		c, err := book.Lookup(t.Context(), addressing.MustParseMSISDN("+33612345678"), addressing.MustParseNumber(number))
		if err != nil || c.Handle.String() != handle {
			t.Errorf("%s is %v's, %v", number, c.Handle, err)
		}
	}
	all, err := book.Optouts(t.Context(), addressing.MustParseMSISDN("+33612345678"))
	if err != nil || len(all) != 1 || all[0].Handle != addressing.MustParseHandle("web:dora") {
		t.Errorf("opt-outs %+v, %v", all, err)
	}
	audits, err := store.Audits(t.Context(), 100)
	if err != nil || len(audits) != 8 { // four runs that made something, each with bad lines
		t.Fatalf("%d on record, %v: %+v", len(audits), err, audits)
	}
	if a := audits[0]; a.Action != "provision" || !strings.HasPrefix(a.Subject, "people.csv, lines 2 to 8, sha256 ") || a.By == "" {
		t.Errorf("on record: %+v", a)
	}
}

// progressLines are what is said every few seconds where that takes long.
var progressLines = regexp.MustCompile(`(?m)^\d+ lines, 0 bad, \d+ a second\n`)

// Many lines go in several requests; those of one phone stay in order, and programs get JSON.
func TestProvisionMany(t *testing.T) {
	base, book, _ := provisioned(t)
	var text strings.Builder
	text.WriteString("kind,phone,handle\n")
	const lines = 2*ops.MaxRows + 500
	for i := range lines {
		fmt.Fprintf(&text, "conversation,+336%08d,web:p%d\n", i/5, i%5)
	}
	code, out, errs := smsbridge(t, text.String(), "provision", "--json", "--ops", base, "-")
	var got provisionSummary
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || progressLines.ReplaceAllString(errs, "") != "" {
		t.Fatalf("code %d, %v, stderr %s: %s", code, err, errs, out)
	}
	if want := (provisionSummary{Lines: lines, Changed: lines}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, i := range []int{0, lines/5 - 1} {
		all, err := book.Conversations(t.Context(), addressing.MustParseMSISDN(fmt.Sprintf("+336%08d", i)))
		if err != nil || len(all) != 5 {
			t.Errorf("phone %d has %+v, %v", i, all, err)
		}
	}
}

// What is no table is told at once, and so is that the daemon is away in the middle.
func TestProvisionRefuses(t *testing.T) {
	base, _, _ := provisioned(t)
	for name, tt := range map[string]struct{ text, ops, want string }{
		"nothing":        {"", base, "must name the columns"},
		"no header":      {"optout,+33612345678\n", base, `has a column "optout"`},
		"no kind":        {"phone,handle\n", base, "names no column kind"},
		"twice":          {"kind,phone,phone\n", base, "names the column phone twice"},
		"nobody answers": {"kind,phone\noptout,+33612345678\n", "http://127.0.0.1:1", "stopped at line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := smsbridge(t, tt.text, "provision", "--ops", tt.ops, "-")
			if code != exitFailed || !strings.Contains(errs, tt.want) {
				t.Errorf("code %d, stderr %q, stdout %q; want %q", code, errs, out, tt.want)
			}
		})
	}
	code, out, _ := smsbridge(t, "kind,phone\noptout,\"+33612345678\noptout,+33612345679\n", "provision", "--ops", base, "-")
	if code != exitFailed || !strings.Contains(out, "The line is no CSV") {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestProgress(t *testing.T) {
	for want, got := range map[string]string{
		"25 %, 1000 lines, 3 bad, 500 a second, 6s left": progress(250, 1000, 1000, 3, 2*time.Second),
		"1 line, 0 bad, 1 a second":                      progress(250, 0, 1, 0, time.Second),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// BenchmarkProvision makes a conversation with each line, each with a phone of its own.
func BenchmarkProvision(b *testing.B) {
	base, _, _ := provisioned(b)
	var text strings.Builder
	text.WriteString("kind,phone,handle,number\n")
	for i := range b.N {
		fmt.Fprintf(&text, "conversation,+336%08d,web:p%d,+33700000001\n", i, i)
	}
	path := csvFile(b, text.String())
	b.ResetTimer()
	std := &stdio{in: strings.NewReader(""), out: &strings.Builder{}, err: &strings.Builder{}}
	if code := execute(b.Context(), []string{"provision", "--ops", base, path}, std); code != exitOK {
		b.Fatalf("code %d: %v", code, std.err)
	}
}
