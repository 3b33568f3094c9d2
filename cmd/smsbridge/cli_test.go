package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/configs"
	"smsbridge/messenger/web"
	"smsbridge/ops"
)

// smsbridge runs one command line and gives what it says.
func smsbridge(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	code = execute(t.Context(), args, &stdio{in: strings.NewReader(in), out: &o, err: &e})
	return code, o.String(), e.String()
}

// onePhone is a store of the Book in memory.
type onePhone struct {
	mu      sync.Mutex
	phone   addressing.MSISDN
	records []addressing.Record
}

func (s *onePhone) LoadRecord(_ context.Context, phone addressing.MSISDN) (addressing.Record, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if phone != s.phone || len(s.records) == 0 {
		return addressing.Record{}, 0, nil
	}
	return s.records[len(s.records)-1], uint64(len(s.records)), nil
}

func (s *onePhone) SaveRecord(_ context.Context, phone addressing.MSISDN, r addressing.Record, rev uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev != uint64(len(s.records)) {
		return addressing.ErrConflict
	}
	s.phone, s.records = phone, append(s.records, r)
	return nil
}

func (s *onePhone) RangeRecords(ctx context.Context, fn func(addressing.MSISDN, addressing.Record) bool) error {
	r, _, err := s.LoadRecord(ctx, s.phone)
	if err == nil {
		fn(s.phone, r)
	}
	return err
}

// daemon runs a real ops listener until the test ends, and gives its URL.
func daemon(t *testing.T) string {
	t.Helper()
	noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.Local)
	ann, help := addressing.MustParseHandle("web:ann"), addressing.MustParseHandle("xmpp:help@corp.example")
	book, err := addressing.NewBook(&onePhone{}, addressing.Config{
		Dedicated: map[addressing.Number]addressing.Handle{addressing.MustParseNumber("+33700000009"): help},
		Pool:      []addressing.Number{addressing.MustParseNumber("+33700000001")},
		Now:       func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []addressing.Handle{ann, help} {
		if _, err := book.Assign(t.Context(), h, addressing.MustParseMSISDN("+33612345678")); err != nil {
			t.Fatal(err)
		}
	}
	depths := func(context.Context) ([]ops.QueueDepth, error) {
		return []ops.QueueDepth{
			{Stage: "mt", Messages: 1200, Bytes: 450_000, MaxBytes: 1 << 30, OldestAt: time.Now().Add(-24 * time.Hour)},
			{Stage: "mo"},
		}, nil
	}
	s, err := ops.New(ops.Config{
		Addr: "127.0.0.1:0", Registry: ops.NewRegistry("test", ops.Sources{}), Depths: depths, Book: book, Region: "FR",
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
	})
	return "http://" + s.Addr()
}

func TestQueueLs(t *testing.T) {
	code, out, errs := smsbridge(t, "", "queue", "ls", "--ops", daemon(t))
	want := "STAGE  MESSAGES  SIZE       LIMIT    OLDEST\n" +
		"mt     1200      439.5 KiB  1.0 GiB  24h0m#s\n" +
		"mo     0         0 B        none     -\n"
	out = regexp.MustCompile(`24h0m\d+s`).ReplaceAllString(out, "24h0m#s")
	if diff := cmp.Diff(want, out); diff != "" || code != exitOK || errs != "" {
		t.Errorf("code %d, stderr %q, -want +got:\n%s", code, errs, diff)
	}
}

func TestQueueLsJSON(t *testing.T) {
	t.Setenv("SMSBRIDGE_OPS", daemon(t)+"/") // by the environment, and with a slash too many
	code, out, _ := smsbridge(t, "", "queue", "ls", "--json")
	var got ops.Queue
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || len(got.Stages) != 2 || got.Stages[0].Messages != 1200 {
		t.Errorf("code %d, error %v: %s", code, err, out)
	}
}

func TestLookup(t *testing.T) {
	base := daemon(t)
	const head = "HANDLE                  PHONE         NUMBER        LAST USED (TO THE DAY)  STATE\n"
	const open = "  2030-01-02              open until 2030-04-02 if nobody writes\n"
	const ann = "web:ann                 +33612345678  +33700000001" + open
	const help = "xmpp:help@corp.example  +33612345678  +33700000009" + open
	const annAlone = "HANDLE   PHONE         NUMBER        LAST USED (TO THE DAY)  STATE\nweb:ann  +33612345678  +33700000001" + open
	for _, tc := range []struct{ name, address, want string }{
		{"a phone", "06 12 34 56 78", "+33612345678 is a phone.\n" + head + ann + help},
		{"a phone without", "+33611111111", "+33611111111 is a phone.\nIt has no conversations.\n"},
		{"a handle of the pool", "web:ann", "web:ann is a handle without a number of its own: it has one of the pool, or a shared one, on each phone.\n" + annAlone},
		{"a handle with its own", "xmpp:help@corp.example", "xmpp:help@corp.example is a handle with a number of its own, +33700000009.\n" + head + help},
		{"a number of the pool", "+33700000001", "+33700000001 is a number of the bridge's pool.\n" + annAlone},
		{"a dedicated number", "+33700000009", "+33700000009 is a number of the bridge and belongs to xmpp:help@corp.example.\n" + head + help},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := smsbridge(t, "", "lookup", tc.address, "--ops", base)
			if diff := cmp.Diff(tc.want, out); diff != "" || code != exitOK {
				t.Errorf("code %d, stderr %q, -want +got:\n%s", code, errs, diff)
			}
		})
	}
}

func TestNoDaemon(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	chatty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer chatty.Close()
	for _, tc := range []struct{ name, ops, address, want string }{
		{"nobody there", gone.URL, "web:ann", "no daemon answers at " + gone.URL},
		{"somebody else there", other.URL, "web:ann", "is no smsbridge: it says 404 Not Found"},
		{"somebody else who answers", chatty.URL, "web:ann", "is no smsbridge, or another version of it"},
		{"no URL", "127.0.0.1:9090", "web:ann", "is not a URL such as http://127.0.0.1:9090"},
		{"no host", "http://", "web:ann", "is not a URL such as http://127.0.0.1:9090"},
		{"a refusal", daemon(t), "nonsense", "neither a phone nor one of the bridge's own numbers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := smsbridge(t, "", "lookup", tc.address, "--ops", tc.ops)
			if code != exitFailed || out != "" || !strings.Contains(errs, tc.want) {
				t.Errorf("code %d, stdout %q, stderr %q, want %q", code, out, errs, tc.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	text := strings.Replace(configs.Example, "    #window: 10", "    window: 5000\n    wibble: 1", 1)
	if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(text, "    window: 5000")
	line := 1 + strings.Count(before, "\n")
	code, out, errs := smsbridge(t, "", "check", "--config", wrong)
	for _, want := range []string{
		fmt.Sprintf("%s:%d:13: smsc[0].window: must be 1 to 1000", wrong, line),
		fmt.Sprintf("\n%5d |     window: 5000\n      |             ^\n", line),
		fmt.Sprintf("%s:%d:5: smsc[0].wibble: there is no such setting", wrong, line+1), "\n2 problems, ",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not in %s", want, errs)
		}
	}
	if code != exitFailed || out != "" {
		t.Errorf("code %d, stdout %q", code, out)
	}
}

func TestCheckExample(t *testing.T) {
	code, example, _ := smsbridge(t, "", "check", "--example")
	if code != exitOK || example != configs.Example {
		t.Fatalf("code %d: %s", code, example)
	}
	file := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := smsbridge(t, "", "check", "-c", file)
	if want := file + " is good: 1 link, 2 numbers of the bridge, web at 127.0.0.1:8080.\n"; code != exitOK || out != want {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
	}
	code, _, errs = smsbridge(t, "", "check", "-c", file+".none")
	if code != exitFailed || !strings.Contains(errs, "no such file") {
		t.Errorf("code %d, stderr %q", code, errs)
	}
}

// TestUser takes what the commands print through a configuration, as an operator does.
func TestUser(t *testing.T) {
	code, hash, errs := smsbridge(t, "correct horse\nmore\n", "user", "hash")
	if code != exitOK {
		t.Fatal(errs)
	}
	hash = strings.TrimSpace(hash)
	if ok, err := web.VerifyPassword(hash, "correct horse"); !ok || err != nil {
		t.Errorf("the hash does not match: %v", err)
	}
	code, token, _ := smsbridge(t, "", "user", "token")
	m := regexp.MustCompile(`^token: smsb_\S+\nhash:  (sha256:[0-9a-f]{64})\n$`).FindStringSubmatch(token)
	if code != exitOK || m == nil {
		t.Fatalf("code %d: %s", code, token)
	}
	before, _, _ := strings.Cut(configs.Example, "  users:\n")
	text := fmt.Sprintf("%s  users:\n    - {name: bob, password_hash: %q}\n  tokens:\n    - {user: bob, hash: %q}\n", before, hash, m[1])
	if _, err := configs.Parse("made.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
	if code, _, errs := smsbridge(t, "\n", "user", "hash"); code != exitFailed || !strings.Contains(errs, "empty") {
		t.Errorf("an empty password: code %d, %s", code, errs)
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := smsbridge(t, "", "version")
	if code != exitOK || !regexp.MustCompile(`^smsbridge \S+ go1\.\S+ \S+/\S+\n$`).MatchString(out) {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string // on stdout or stderr
	}{
		{"help", []string{"--help"}, exitOK, "Usage: smsbridge <command>"},
		{"help of a command", []string{"lookup", "--help"}, exitOK, "SMSBRIDGE_OPS"},
		{"nothing", nil, exitUsage, "Try `smsbridge --help`"},
		{"no such command", []string{"sevre"}, exitUsage, "Try `smsbridge --help`"},
		{"no such flag", []string{"queue", "ls", "--wibble"}, exitUsage, "--wibble"},
		{"a file is needed", []string{"serve"}, exitUsage, "--config"},
		{"a bench of nothing", []string{"bench", "queue", "--messages", "0"}, exitUsage, "--messages must be 10 or more, not 0"},
		{"a bench for no time", []string{"bench", "mt", "--time", "0s"}, exitUsage, "--time must be 100ms or more"},
		{"a bench of nothing at once", []string{"bench", "--at-once", "0"}, exitUsage, "--at-once must be 1 or more"},
		{"a bench without a window", []string{"bench", "blocked", "--window", "0"}, exitUsage, "--window must be 1 to 1000"},
		{"a bench of no rounds", []string{"bench", "blocked", "--rounds", "0"}, exitUsage, "--rounds must be 1 or more"},
		{"what to check is needed", []string{"check"}, exitUsage, "--config"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := smsbridge(t, "", tc.args...)
			if code != tc.code || !strings.Contains(out+errs, tc.want) {
				t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}
