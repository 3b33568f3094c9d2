package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/messenger/web"
	"smsbridge/smpp/smsc"
)

// patience bounds every wait of a test, with room for a machine that is busy.
const patience = 2 * time.Minute

// process is a daemon of its own.
type process struct {
	cmd    *exec.Cmd
	config string // its file
	web    string // URL of the web messenger; empty where there is none
	ops    string // URL of the operator's listener
	ready  chan struct{}
	exited chan struct{}
	stderr *output
}

// output is what a process says, a line at a time.
type output struct {
	mu    sync.Mutex
	lines []string
}

func (o *output) add(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// startDaemon runs `smsbridge serve` with a configuration file, and returns once it
// serves. The process is killed at the end of the test if it still runs.
func startDaemon(t *testing.T, config string, flags ...string) *process {
	t.Helper()
	p := launchDaemon(t, config, flags...)
	select {
	case <-p.ready:
	case <-p.exited:
		t.Fatalf("the daemon ended at once:\n%s", p.stderr)
	case <-time.After(patience):
		t.Fatalf("the daemon does not serve:\n%s", p.stderr)
	}
	return p
}

// launchDaemon is startDaemon without the wait.
func launchDaemon(t *testing.T, config string, flags ...string) *process {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smsbridge.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0], append([]string{"serve", "--config", path}, flags...)...), config: path, ready: make(chan struct{}), exited: make(chan struct{}), stderr: &output{}}
	p.cmd.Env = append(os.Environ(), asDaemon+"=1")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the daemon said:\n%s", p.stderr)
		}
	})
	return p
}

// read takes the addresses from the daemon's log, until it exits.
func (p *process) read(stderr io.Reader) {
	defer close(p.exited)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	wanted := 3
	for lines.Scan() {
		p.stderr.add(lines.Text())
		var line struct{ Message, Address, Addr string }
		_ = json.Unmarshal(lines.Bytes(), &line) // what is no JSON is no address
		switch line.Message {
		case "web messenger is open":
			p.web = "http://" + line.Addr
		case "health, metrics and the admin API are served":
			p.ops = "http://" + line.Address
		case "smsbridge is running":
		default:
			continue
		}
		if wanted--; wanted == 0 {
			close(p.ready)
		}
	}
	_ = p.cmd.Wait() // the tests look at ProcessState
}

// kill is kill -9; it returns once the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only where it is gone
	<-p.exited
}

// testConfig is a daemon on dir with one link to an SMSC, and the people of users as
// name to token hash. more is added at the end.
func testConfig(dir, smscAddr string, users map[string]string, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `data_dir: %s
drain_timeout: 10s
ops: {listen: "127.0.0.1:0"}
numbers:
  region: FR
  pool: ["+33700000001", "+33700000002", "+33700000003", "+33700000004", "+33700000005"]
smsc:
  - {name: main, address: "%s", system_id: bridge, password: secret, window: 20}
web:
  listen: 127.0.0.1:0
  users:
`, dir, smscAddr)
	for name := range users {
		fmt.Fprintf(&b, "    - {name: %s, password_hash: \"%s\"}\n", name, demoUsers["ann"])
	}
	b.WriteString("  tokens:\n")
	for name, hash := range users {
		fmt.Fprintf(&b, "    - {user: %s, hash: \"%s\"}\n", name, hash)
	}
	return b.String() + more
}

// person is a user of the API.
type person struct {
	name, token string
	base        string // URL of the web messenger
}

// people makes users and the hashes of their tokens.
func people(names ...string) ([]*person, map[string]string) {
	var all []*person
	hashes := make(map[string]string)
	for _, name := range names {
		token, hash := web.NewToken()
		all = append(all, &person{name: name, token: token})
		hashes[name] = hash
	}
	return all, hashes
}

// message is what the API says of a message, or its refusal.
type message struct {
	Code   int    `json:"-"`
	ID     string `json:"id"`
	Status state  `json:"status"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// state is a message's status; in a refusal the member has the HTTP status (RFC 9457,
// 3.1.3), which Code has already.
type state string

func (s *state) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' {
		return nil
	}
	return json.Unmarshal(b, (*string)(s))
}

func (p *person) call(ctx context.Context, method, path, key string, body any) (message, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return message{}, err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(data))
	if err != nil {
		return message{}, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return message{}, err
	}
	defer response.Body.Close()
	m := message{Code: response.StatusCode}
	return m, json.NewDecoder(response.Body).Decode(&m)
}

// send writes a text to a phone.
func (p *person) send(ctx context.Context, to, text, key string) (message, error) {
	return p.call(ctx, http.MethodPost, "/api/v1/messages", key, map[string]string{"to": to, "text": text})
}

// status asks what became of a message.
func (p *person) status(ctx context.Context, id string) (message, error) {
	return p.call(ctx, http.MethodGet, "/api/v1/messages/"+id, "", nil)
}

// final are the states that no other follows.
var final = map[string]bool{"delivered": true, "failed": true, "expired": true, "unknown": true}

// awaitFinal reads the person's events, from the first on, until each of n messages is
// in a final state, and returns these.
func (p *person) awaitFinal(t *testing.T, n int) map[string]string {
	t.Helper()
	ended := make(map[string]string)
	p.events(t, func(e event) bool {
		if final[e.Status] {
			if before, twice := ended[e.ID]; twice && before != e.Status {
				t.Errorf("%s was %s and is now %s", e.ID, before, e.Status)
			}
			ended[e.ID] = e.Status
		}
		return len(ended) < n
	})
	return ended
}

// event is a server-sent event of the API.
type event struct {
	ID        string `json:"id"`
	Direction string `json:"direction"`
	Phone     string `json:"phone"`
	Text      string `json:"text"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Detail    string `json:"detail"`
}

// events reads events, from the second that is kept on, until more is false.
func (p *person) events(t *testing.T, more func(event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Last-Event-ID", "1") // resume after the very first
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		if !more(e) {
			return
		}
	}
	t.Fatalf("the events ended too early: %v", lines.Err())
}

// startSMSC runs the simulator until the test ends.
func startSMSC(t *testing.T, cfg smsc.Config) *smsc.Server {
	t.Helper()
	s, _ := stoppableSMSC(t, cfg)
	return s
}

// stoppableSMSC is startSMSC that a test may stop before.
func stoppableSMSC(t *testing.T, cfg smsc.Config) (_ *smsc.Server, stop func()) {
	t.Helper()
	cfg.Logger = zerolog.Nop()
	s, err := smsc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// messages are what a phone of the simulator has, oldest first, as its HTTP API says.
func messages(t *testing.T, s *smsc.Server, phone string) (all []smsc.Message) {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/phones/"+phone+"/messages", nil))
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// texts are what a phone of the simulator has received, in order.
func texts(t *testing.T, s *smsc.Server, phone string) (all []string) {
	t.Helper()
	for _, m := range messages(t, s, phone) {
		if m.Direction == smsc.Received {
			all = append(all, m.Text)
		}
	}
	return all
}

// metric is the value of a metric without labels.
func (p *process) metric(t *testing.T, name string) float64 {
	t.Helper()
	response, err := http.Get(p.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, is := strings.CutPrefix(lines.Text(), name+" "); is {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
