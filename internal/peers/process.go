package peers

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/internal/port"
)

// Patience is how long a peer may take for anything; it is long because machines
// that run tests are slow at times.
const Patience = 2 * time.Minute

// missing ends the test: a peer is not installed.
func missing(t testing.TB, why string) {
	t.Helper()
	why += ": run internal/peers/install.sh"
	if os.Getenv("SMSBRIDGE_PEERS") == "require" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// process is a peer that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu   sync.Mutex
	tail []string // the last lines that it printed
}

// keepLines is how many lines of a peer are shown when it fails.
const keepLines = 40

// launch starts cmd and calls line, where it is not nil, with each line that cmd
// prints, from one goroutine. The process is killed when the test ends.
func launch(t testing.TB, cmd *exec.Cmd, line func(string)) *process {
	t.Helper()
	dieWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			p.keep(lines.Text())
			if line != nil {
				line(lines.Text())
			}
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tail) == keepLines {
		p.tail = p.tail[1:]
	}
	p.tail = append(p.tail, line)
}

// said is what the process printed last.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// kill ends the process as kill -9 does, and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// await returns once ready is closed; the test fails if the process ends before.
func (p *process) await(t testing.TB, ready <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ready:
	case <-p.done:
		t.Fatalf("%s ended before it was ready:\n%s", what, p.said())
	case <-time.After(Patience):
		t.Fatalf("%s is not ready after %s:\n%s", what, Patience, p.said())
	}
}

// started is closed once the program has printed each of the phrases; say hears its lines.
func started(phrases []string) (say func(line string), ready <-chan struct{}) {
	waiting := make(map[string]bool)
	for _, p := range phrases {
		waiting[p] = true
	}
	all := make(chan struct{})
	var once sync.Once
	return func(line string) {
		for p := range waiting {
			if strings.Contains(line, p) {
				delete(waiting, p)
			}
		}
		if len(waiting) == 0 {
			once.Do(func() { close(all) })
		}
	}, all
}

// FreeAddress is a loopback address where nobody listens but who is told it, until the test ends.
func FreeAddress(t testing.TB) string {
	t.Helper()
	r, err := port.Reserve("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Release)
	return r.Addr
}
