package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// What every [SMSC] lets in.
const (
	SMSCSystemID = "bridge"
	SMSCPassword = "secret"
)

// SMSC is node-smpp as an SMSC. What it can be told stands at the top of
// nodesmpp/smsc.js.
type SMSC struct {
	// Address is where ESMEs bind, host:port.
	Address string
	// Control is the URL that steers it, without a slash at its end.
	Control string

	t       testing.TB
	process *process
}

// Submit is a submit_sm that the SMSC accepted: one segment.
type Submit struct {
	ID   string `json:"id"`
	From string `json:"from"`
	To   string `json:"to"`
	ESM  byte   `json:"esm"`
	DC   byte   `json:"dc"`
	Hex  string `json:"hex"` // short_message, or message_payload
}

// NodeSMPP starts an SMSC and returns once it listens.
func NodeSMPP(t testing.TB) *SMSC {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "Node.js is not installed")
	}
	dir := filepath.Join(root(t), "internal", "peers", "nodesmpp")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "smpp")); err != nil {
		missing(t, "the npm packages of "+dir+" are not installed")
	}
	cmd := exec.Command(node, "smsc.js", "--system-id", SMSCSystemID, "--password", SMSCPassword)
	cmd.Dir = dir
	// Its standard input stays open as long as we live; it ends with it.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s := &SMSC{t: t}
	ready := make(chan struct{})
	var once sync.Once
	s.process = launch(t, cmd, func(line string) {
		var said struct {
			Event         string `json:"event"`
			SMPP, Control int
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Event == "listening" {
			once.Do(func() {
				s.Address = fmt.Sprintf("127.0.0.1:%d", said.SMPP)
				s.Control = fmt.Sprintf("http://127.0.0.1:%d", said.Control)
				close(ready)
			})
		}
	})
	s.process.await(t, ready, "node-smpp")
	return s
}

// Kill ends the SMSC as kill -9 does. It cannot be started again on its addresses.
func (s *SMSC) Kill() { s.process.kill() }

// Post tells the SMSC something, like Post("/mo", map[string]any{"from": ..., "to": ...,
// "text": ...}), and reads its answer into answer, which may be nil.
func (s *SMSC) Post(path string, body, answer any) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.call(http.MethodPost, path, raw, answer)
}

// Submits are the segments that the SMSC has accepted so far, in order.
func (s *SMSC) Submits() []Submit {
	s.t.Helper()
	var all []Submit
	s.call(http.MethodGet, "/submits", nil, &all)
	return all
}

// Bound is how many sessions are bound.
func (s *SMSC) Bound() int {
	s.t.Helper()
	var state struct {
		Bound []struct{} `json:"bound"`
	}
	s.call(http.MethodGet, "/state", nil, &state)
	return len(state.Bound)
}

func (s *SMSC) call(method, path string, body []byte, answer any) {
	s.t.Helper()
	request, err := http.NewRequest(method, s.Control+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	// A connection of its own leaves no goroutine behind.
	request.Close = true
	client := http.Client{Timeout: Patience}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, s.process.said())
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %s %v", path, response.Status, raw, err)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		s.t.Fatalf("%s: %s: %v", path, raw, err)
	}
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("the test does not run inside the module")
		}
		dir = above
	}
}

// Eventually waits until holds returns true: for a state of a peer that nothing
// announces, and that has to be asked for.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("%s: not within %s", what, Patience)
		}
	}
}
