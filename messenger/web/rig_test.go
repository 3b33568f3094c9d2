package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/messenger/web"
	"smsbridge/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; nothing waits that long unless it is broken.
const patience = 2 * time.Minute

// The password hashes are cheap: what a real one costs has a test of its own.
const (
	annHash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$lnizTRNgy0D3lJD4Xlm+A2aXibz3GSvOOHAXUwm1P0Y" // correct horse
	bobHash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$UdXPjUKzrLFah1wY7rhIGORJ4O81V4VkPG2pbrYcZtU" // battery staple
)

var (
	annToken, annTokenHash = web.NewToken()
	bobToken, bobTokenHash = web.NewToken()
	sessionKey             = bytes.Repeat([]byte{7}, 32)
	ann                    = addressing.MustParseHandle("web:ann")
	phone                  = addressing.MustParseMSISDN("+33612345678")
	number                 = addressing.MustParseNumber("+33700000001")
)

// rig is the web messenger over the real hub and the real queue; only the SMSC is
// played, by operator.
type rig struct {
	t      testing.TB
	store  *queue.Store
	hub    *bridge.Hub
	op     *operator
	server *web.Server
	url    string
	http   *http.Client
	tracer bridge.Tracer // of the hub; nil: none
}

type option func(*web.Config, *queue.Config, *rig)

// noWorkers leaves messages in the queue.
func noWorkers(_ *web.Config, _ *queue.Config, r *rig) { r.op = nil }

func newRig(t testing.TB, options ...option) *rig {
	t.Helper()
	r := &rig{t: t, op: &operator{}, http: &http.Client{Transport: &http.Transport{}}}
	storeConfig := queue.Config{Dir: t.TempDir(), Durability: queue.Process, MinFree: -1, RetryMin: time.Millisecond}
	cfg := web.Config{
		Users:  []web.User{{Name: "ann", PasswordHash: annHash}, {Name: "bob", PasswordHash: bobHash}},
		Tokens: []web.Token{{User: "ann", Hash: annTokenHash}, {User: "bob", Hash: bobTokenHash}},
		Region: "FR", SessionKey: sessionKey,
	}
	for _, o := range options {
		o(&cfg, &storeConfig, r)
	}
	var err error
	if r.store, err = queue.Open(t.Context(), storeConfig); err != nil {
		t.Fatal(err)
	}
	// A log that has begun: only then is there a place in it to start from.
	err = r.store.AppendLog(t.Context(), bridge.Entry{V: 1, ID: "first", Kind: bridge.EntryMO, Handle: addressing.MustParseHandle("web:carl"), Phone: phone, Number: number})
	if err != nil {
		t.Fatal(err)
	}
	book, err := addressing.NewBook(r.store, addressing.Config{Pool: []addressing.Number{number}, Inbox: ann})
	if err != nil {
		t.Fatal(err)
	}
	carrier := r.op
	if carrier == nil {
		carrier = &operator{}
	}
	r.hub, err = bridge.New(bridge.Config{Region: "FR", Networks: map[string]bridge.Messenger{"web": nil}}, bridge.Ports{
		Queue: r.store, Journal: r.store, Archive: r.store, Parts: r.store, Marks: r.store, Carrier: carrier, Reader: carrier, Book: book, Tracer: r.tracer,
	})
	if err != nil {
		t.Fatal(err)
	}
	carrier.hub = r.hub
	cfg.Hub, cfg.Stories, cfg.History, cfg.Log = r.hub, r.store, r.store, r.store
	if r.server, err = web.New(cfg); err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(r.server.Handler())
	r.url = served.URL
	stop := r.work()
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		served.Close()
		stop()
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// in is the rig for a subtest.
func (r *rig) in(t testing.TB) *rig {
	sub := *r
	sub.t = t
	return &sub
}

// work runs the workers of the queue until the function that it returns is called.
func (r *rig) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	if r.op != nil {
		workers.Go(func() { r.check(r.store.RunMT(ctx, r.hub.DispatchMT)) })
		workers.Go(func() { r.check(r.store.RunMO(ctx, r.hub.DispatchMO)) })
	}
	return func() { cancel(); workers.Wait() }
}

func (r *rig) check(err error) {
	if err != nil {
		r.t.Error(err)
	}
}

// operator plays the SMSC: what a text says is what becomes of it.
type operator struct {
	hub *bridge.Hub
	mu  sync.Mutex
	ids int
}

func (o *operator) Estimate(text string) (bridge.Estimate, error) {
	return bridge.Estimate{Encoding: "gsm7", Segments: (len(text) + 159) / 160}, nil
}

func (o *operator) Submit(ctx context.Context, s bridge.Submission) bridge.Result {
	if err := s.Attempt(ctx, "link", "account"); err != nil {
		return bridge.Result{Outcome: bridge.OutcomeNotWritten, Err: err}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids++
	id := fmt.Sprint(o.ids)
	switch s.Text {
	case "refuse":
		return bridge.Result{Outcome: bridge.OutcomePermanent, Detail: "The operator does not know this number"}
	case "silence":
		return bridge.Result{Outcome: bridge.OutcomeUnknown, Detail: "No answer came"}
	}
	return bridge.Result{Link: "link", Account: "account", Total: 1, SMSCIDs: []string{id}, Outcome: bridge.OutcomeSent}
}

// said is the body of the operator's short messages.
type said struct {
	Receipt string `json:"receipt"` // the id that it is for
	Text    string `json:"text"`
}

func (o *operator) ReadMO(m bridge.MO) (bridge.Short, error) {
	var body said
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return bridge.Short{}, err
	}
	short := bridge.Short{Phone: phone, Number: number, Text: body.Text}
	if body.Receipt != "" {
		short.Receipt = &bridge.Receipt{Candidates: []string{body.Receipt}, State: bridge.ReceiptDelivered}
	}
	return short, nil
}

func (o *operator) JoinMO([]bridge.MO) (string, error) { return "", nil }

// says lets the operator hand over a text of the phone, or the receipt of its n-th message.
func (r *rig) says(body said) {
	r.t.Helper()
	r.op.mu.Lock()
	r.op.ids++
	id := fmt.Sprintf("mo-%d", r.op.ids)
	r.op.mu.Unlock()
	encoded, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	m := bridge.MO{ID: id, Account: "account", Session: "s", Source: bridge.Address{Addr: phone.Digits()}, Body: encoded, ReceivedAt: time.Now()}
	if body.Receipt != "" {
		m.ESMClass = 0x04
	}
	if err := r.hub.StoreMO(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
}

// reply is an answer of the API, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

func (r reply) field(t testing.TB, name string) string {
	t.Helper()
	var all map[string]any
	r.json(t, &all)
	return fmt.Sprint(all[name])
}

// call makes a request as ann, unless a header says otherwise, and holds it and its
// answer to docs/openapi.yaml.
func (r *rig) call(method, path, body string, header ...string) reply {
	r.t.Helper()
	req := r.request(method, path, body, header...)
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	holdToContract(r.t, r.request(method, path, body, header...), res, read)
	return reply{res.StatusCode, res.Header, read}
}

// request makes a request; headers are "Name: value", and one without a value is not sent.
func (r *rig) request(method, path, body string, header ...string) *http.Request {
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+annToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Del(name)
		if value = strings.TrimSpace(value); value != "" {
			req.Header.Set(name, value)
		}
	}
	return req
}

// feed is an open event stream.
type feed struct {
	t      testing.TB
	res    *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
	last   string // the id of the last event that had one
}

// follow opens the event stream. It is closed at the end of the test.
func (r *rig) follow(header ...string) *feed {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	res, err := r.http.Do(r.request("GET", "/api/v1/events", "", header...).WithContext(ctx)) //nolint:bodyclose // close closes it
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	f := &feed{t: r.t, res: res, lines: bufio.NewScanner(res.Body), cancel: cancel}
	r.t.Cleanup(f.close)
	if res.StatusCode != http.StatusOK {
		r.t.Fatalf("GET events = %s", res.Status)
	}
	return f
}

func (f *feed) close() {
	f.cancel()
	_ = f.res.Body.Close()
}

// next waits for the next event but heartbeats.
func (f *feed) next() (name string, data map[string]any) {
	f.t.Helper()
	for f.lines.Scan() {
		field, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch field {
		case "id":
			f.last = value
		case "event":
			name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				f.t.Fatalf("%v in %s", err, value)
			}
			holdEventToContract(f.t, name, []byte(value))
		case "":
			if name != "" && name != "heartbeat" {
				return name, data
			}
			name, data = "", nil
		}
	}
	f.t.Fatalf("the event stream ended: %v", f.lines.Err())
	return "", nil
}

// until waits for an event with these fields.
func (f *feed) until(name string, fields map[string]string) map[string]any {
	f.t.Helper()
	for {
		got, data := f.next()
		match := got == name
		for k, v := range fields {
			match = match && fmt.Sprint(data[k]) == v
		}
		if match {
			return data
		}
	}
}
