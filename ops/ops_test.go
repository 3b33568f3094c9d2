package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store of the Book in memory.
type memory struct {
	mu      sync.Mutex
	records map[addressing.MSISDN]addressing.Record
	broken  error
}

func (m *memory) LoadRecord(_ context.Context, phone addressing.MSISDN) (addressing.Record, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[phone]
	return r, uint64(len(r.Entries)), m.broken
}

func (m *memory) SaveRecord(_ context.Context, phone addressing.MSISDN, r addressing.Record, _ uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[phone] = r
	return m.broken
}

func (m *memory) RangeRecords(_ context.Context, fn func(addressing.MSISDN, addressing.Record) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for phone, r := range m.records {
		if !fn(phone, r) {
			break
		}
	}
	return m.broken
}

var (
	ann    = addressing.MustParseHandle("web:ann")
	bob    = addressing.MustParseHandle("xmpp:bob@corp.example")
	phone  = addressing.MustParseMSISDN("+33612345678")
	own    = addressing.MustParseNumber("+33700000009")
	shared = addressing.MustParseNumber("+33700000001")
	noon   = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
)

func newBook(t *testing.T, store *memory) *addressing.Book {
	t.Helper()
	store.records = make(map[addressing.MSISDN]addressing.Record)
	book, err := addressing.NewBook(store, addressing.Config{
		Dedicated: map[addressing.Number]addressing.Handle{own: ann},
		Pool:      []addressing.Number{shared}, Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// serve runs a Server at a port that the system picks, until the test ends, and gives
// the URL.
func serve(t *testing.T, cfg ops.Config) string {
	t.Helper()
	cfg.Addr, cfg.Logger = "127.0.0.1:0", zerolog.Nop()
	if cfg.Registry == nil {
		cfg.Registry = ops.NewRegistry("test", ops.Sources{})
	}
	if cfg.Book == nil {
		cfg.Book = newBook(t, &memory{})
	}
	if cfg.Depths == nil {
		cfg.Depths = func(context.Context) ([]ops.QueueDepth, error) { return nil, nil }
	}
	s, err := ops.New(cfg)
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
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + s.Addr()
}

func get(t *testing.T, target string) (status int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	holdToContract(t, request, response.StatusCode, response.Header, data)
	return response.StatusCode, response.Header, strings.TrimSpace(string(data))
}

func TestLive(t *testing.T) {
	status, header, body := get(t, serve(t, ops.Config{})+"/livez")
	if status != http.StatusOK || body != `{"live":true}` || header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestReady(t *testing.T) {
	link := ops.LinkState{Name: "main", Status: ops.LinkConnecting, Since: noon, LastError: "connection refused"}
	other := ops.LinkState{Name: "spare", Status: ops.LinkDown}
	bound := ops.LinkState{Name: "spare", Status: ops.LinkPaused}
	links := func(all ...ops.LinkState) ops.Check { return ops.LinksReady(func() []ops.LinkState { return all }) }
	messengers := func(all ...ops.MessengerState) ops.Check {
		return ops.MessengersReady(func() []ops.MessengerState { return all })
	}
	queue := func(err error) ops.Check {
		return ops.Check{Name: "queue", Check: func(context.Context) error { return err }}
	}
	for _, tc := range []struct {
		name   string
		checks []ops.Check
		want   ops.Readiness
	}{
		{"nothing to check", nil, ops.Readiness{Ready: true, Checks: []ops.CheckResult{}}},
		{
			"all well",
			[]ops.Check{queue(nil), links(link, bound), messengers(ops.MessengerState{Network: "xmpp", Connected: true})},
			ops.Readiness{Ready: true, Checks: []ops.CheckResult{{Name: "queue", OK: true}, {Name: "links", OK: true}, {Name: "messengers", OK: true}}},
		},
		{
			"each reason is told",
			[]ops.Check{queue(errors.New("the disk is full")), links(link, other), messengers(ops.MessengerState{Network: "xmpp", Since: noon, LastError: "wrong secret"})},
			ops.Readiness{Checks: []ops.CheckResult{
				{Name: "queue", Reason: "the disk is full"},
				{Name: "links", Reason: "no link is bound: main is connecting since 2030-01-02T12:00:00Z (connection refused); spare is down since the start"},
				{Name: "messengers", Reason: "xmpp is away since 2030-01-02T12:00:00Z (wrong secret)"},
			}},
		},
		{
			"in quarantine",
			[]ops.Check{links(ops.LinkState{Name: "main", Status: ops.LinkQuarantined, Since: noon, RetryAt: noon.Add(5 * time.Minute), LastError: "the peer unbound"})},
			ops.Readiness{Checks: []ops.CheckResult{{
				Name:   "links",
				Reason: "no link is bound: main is quarantined since 2030-01-02T12:00:00Z: the SMSC drops each bind at once; it is tried again at 2030-01-02T12:05:00Z (the peer unbound)",
			}}},
		},
		{"no links", []ops.Check{links()}, ops.Readiness{Checks: []ops.CheckResult{{Name: "links", Reason: "there is no link"}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _, body := get(t, serve(t, ops.Config{Checks: tc.checks})+"/readyz")
			if want := map[bool]int{true: 200, false: 503}[tc.want.Ready]; status != want {
				t.Errorf("status %d, want %d", status, want)
			}
			var got ops.Readiness
			decode(t, body, &got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func decode(t *testing.T, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

func TestQueue(t *testing.T) {
	depths := []ops.QueueDepth{
		{Stage: "mt", Messages: 3, Bytes: 900, MaxBytes: 1 << 30, OldestAt: time.Now().Add(-time.Minute)},
		{Stage: "mo", OldestAt: time.Now().Add(time.Hour)},
		{Stage: "out"},
	}
	_, _, body := get(t, serve(t, ops.Config{Depths: func(context.Context) ([]ops.QueueDepth, error) { return depths, nil }})+"/admin/v1/queue")
	var got ops.Queue
	decode(t, body, &got)
	if len(got.Stages) != 3 {
		t.Fatalf("got %s", body)
	}
	if age := got.Stages[0].OldestAgeSeconds; age < 60 || age > 600 {
		t.Errorf("the oldest is %v s old, want 60", age)
	}
	got.Stages[0].OldestAgeSeconds = 0
	want := []ops.QueueRow{{Stage: "mt", Messages: 3, Bytes: 900, MaxBytes: 1 << 30}, {Stage: "mo"}, {Stage: "out"}}
	if diff := cmp.Diff(want, got.Stages); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	store := &memory{}
	book := newBook(t, store)
	viaOwn, err := book.Assign(t.Context(), ann, phone)
	if err != nil {
		t.Fatal(err)
	}
	viaPool, err := book.Assign(t.Context(), bob, phone)
	if err != nil {
		t.Fatal(err)
	}
	view := func(c addressing.Conversation) addressing.View {
		return addressing.View{
			Conversation: c, Phase: addressing.PhaseOpen, OverAt: noon.Add(90 * 24 * time.Hour), FreeAt: noon.Add(120 * 24 * time.Hour),
			Why: "open until 2030-04-02 if nobody writes",
		}
	}
	both, none := []addressing.View{view(viaOwn), view(viaPool)}, []addressing.View{}
	base := serve(t, ops.Config{Book: book, Region: "FR"})
	for _, tc := range []struct {
		name, address string
		want          ops.Lookup
	}{
		{"a phone", "+33612345678", ops.Lookup{Address: "+33612345678", Kind: "phone", Conversations: both}},
		{"a phone in the home region", " 06 12 34 56 78", ops.Lookup{Address: "+33612345678", Kind: "phone", Conversations: both}},
		{"a phone that nobody knows", "+33611111111", ops.Lookup{Address: "+33611111111", Kind: "phone", Conversations: none}},
		{"a handle with a number", "web:Ann", ops.Lookup{Address: "web:ann", Kind: "handle", Dedicated: own, Conversations: both[:1]}},
		{"a handle without one", "xmpp:bob@corp.example/desk", ops.Lookup{Address: "xmpp:bob@corp.example", Kind: "handle", Conversations: both[1:]}},
		{"a dedicated number", "+33700000009", ops.Lookup{Address: "+33700000009", Kind: "number", Owner: ann, Conversations: both[:1]}},
		{"a number of the pool", "+33700000001", ops.Lookup{Address: "+33700000001", Kind: "number", Pool: true, Conversations: both[1:]}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _, body := get(t, base+"/admin/v1/lookup?address="+url.QueryEscape(tc.address))
			if status != http.StatusOK {
				t.Fatalf("status %d: %s", status, body)
			}
			var got ops.Lookup
			decode(t, body, &got)
			if diff := cmp.Diff(tc.want, got, byString); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// byString compares addresses, whose fields cmp may not see.
var byString = cmp.Comparer(func(a, b fmt.Stringer) bool { return a.String() == b.String() })

func TestLookupMany(t *testing.T) {
	store := &memory{}
	book := newBook(t, store)
	for i := range 1003 {
		if _, err := book.Assign(t.Context(), ann, addressing.MustParseMSISDN(fmt.Sprintf("+336%08d", i))); err != nil {
			t.Fatal(err)
		}
	}
	_, _, body := get(t, serve(t, ops.Config{Book: book})+"/admin/v1/lookup?address=web:ann")
	var got ops.Lookup
	decode(t, body, &got)
	if len(got.Conversations) != 1000 || got.More != 3 {
		t.Errorf("%d conversations and %d more", len(got.Conversations), got.More)
	}
}

func TestRefusals(t *testing.T) {
	store := &memory{}
	book := newBook(t, store)
	broken := errors.New("no answer")
	store.broken = broken
	base := serve(t, ops.Config{Book: book, Depths: func(context.Context) ([]ops.QueueDepth, error) { return nil, broken }})
	for _, tc := range []struct {
		name, path string
		status     int
		detail     string // a part of it
	}{
		{"no address", "/admin/v1/lookup", 400, "is empty"},
		{"no phone", "/admin/v1/lookup?address=nonsense%20address", 400, "write it like +33612345678"},
		{"a name that is not ours", "/admin/v1/lookup?address=Acme", 400, "neither a phone nor one of the bridge's own numbers"},
		{"no region", "/admin/v1/lookup?address=0612345678", 400, "has no country code"},
		{"an unknown network", "/admin/v1/lookup?address=irc:ann", 400, "use xmpp, web or matrix"},
		{"the store is away", "/admin/v1/lookup?address=%2B33612345678", 503, "cannot be read"},
		{"the store is away for a handle", "/admin/v1/lookup?address=web:ann", 503, "cannot be read"},
		{"the queue is away", "/admin/v1/queue", 503, "the queue cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, header, body := get(t, base+tc.path)
			var got ops.Problem
			decode(t, body, &got)
			if status != tc.status || got.Status != status || !strings.Contains(got.Detail, tc.detail) || strings.Contains(got.Detail, "invalid address") {
				t.Errorf("got %d: %s", status, body)
			}
			if ct := header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %s", ct)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := ops.Config{
		Addr: "127.0.0.1:0", Registry: ops.NewRegistry("test", ops.Sources{}), Book: newBook(t, &memory{}),
		Depths: func(context.Context) ([]ops.QueueDepth, error) { return nil, nil },
	}
	first, err := ops.New(good)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	inUse, open, permitted, empty := good, good, good, good
	inUse.Addr = first.Addr()
	open.Addr = "0.0.0.0:0"
	permitted.Addr, permitted.Insecure = "0.0.0.0:0", true
	empty.Book = nil
	for _, tc := range []struct {
		name string
		cfg  ops.Config
		want string // a part of the error; empty for none
	}{
		{"a port in use", inUse, "choose another ops.listen"},
		{"open to all", open, "or set insecure"},
		{"open to all on purpose", permitted, ""},
		{"incomplete", empty, "needs Registry, Depths and Book"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := ops.New(tc.cfg)
			if err == nil {
				err = errors.Join(s.Close(), s.Close())
				if tc.want != "" {
					t.Error("it was not refused")
				}
			}
			if got := fmt.Sprint(err); !strings.Contains(got, tc.want) || tc.want == "" && err != nil {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
