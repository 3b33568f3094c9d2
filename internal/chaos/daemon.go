package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// startWithin bounds a start of the daemon.
const startWithin = time.Minute

// daemon is the process that is broken, and the same after each restart.
type daemon struct {
	binary, config string
	env            []string
	log            *os.File // all that each of them said

	web, ops atomic.Pointer[string] // URLs

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	starts []time.Duration // how long each start took until it served
}

// build compiles the daemon as it is in this module, with what else the go command is told.
func build(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "smsbridge").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module smsbridge; run this inside its repository: %w", err)
	}
	binary := filepath.Join(dir, "smsbridge")
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", binary}, flags...), "./cmd/smsbridge")...)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the daemon does not build: %w\n%s", err, out)
	}
	return binary, nil
}

// start runs the daemon and returns once it serves.
func (d *daemon) start(ctx context.Context) error {
	began := time.Now()
	ready, exited, err := d.launch()
	if err != nil {
		return err
	}
	timeout := time.NewTimer(startWithin)
	defer timeout.Stop()
	select {
	case <-ready:
		d.mu.Lock()
		d.starts = append(d.starts, time.Since(began))
		d.mu.Unlock()
		return nil
	case <-exited:
		return errors.New("the daemon ended as soon as it was started; its log says why")
	case <-timeout.C:
		return fmt.Errorf("the daemon did not serve within %s; its log says more", startWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startAndKill starts the daemon and kills it after a while, whether or not it serves yet.
func (d *daemon) startAndKill(ctx context.Context, after time.Duration) error {
	if _, _, err := d.launch(); err != nil {
		return err
	}
	defer d.kill()
	return sleep(ctx, after)
}

// launch runs the daemon. ready is closed when it serves, exited when it is gone.
func (d *daemon) launch() (ready, exited chan struct{}, err error) {
	cmd := exec.Command(d.binary, "serve", "--config", d.config) //nolint:noctx // it is killed on purpose, and by close
	cmd.Env = append(os.Environ(), d.env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ready, exited = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(exited)
		d.read(stderr, ready)
		_ = cmd.Wait() // it was killed, or its last words are in the log
	}()
	d.mu.Lock()
	d.cmd, d.exited = cmd, exited
	d.mu.Unlock()
	return ready, exited, nil
}

// read keeps what the daemon says, and takes the addresses that it serves from it.
func (d *daemon) read(stderr io.Reader, ready chan<- struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	wanted := 3
	for lines.Scan() {
		_, _ = d.log.Write(append(lines.Bytes(), '\n')) // for people; nothing depends on it
		var line struct{ Message, Address, Addr string }
		_ = json.Unmarshal(lines.Bytes(), &line) // what is no JSON is no address
		switch line.Message {
		case "web messenger is open":
			url := "http://" + line.Addr
			d.web.Store(&url)
		case "health, metrics and the admin API are served":
			url := "http://" + line.Address
			d.ops.Store(&url)
		case "smsbridge is running":
		default:
			continue
		}
		if wanted--; wanted == 0 {
			close(ready)
		}
	}
}

// url is where an URL of the daemon is now; empty before it first served.
func url(p *atomic.Pointer[string]) string {
	if u := p.Load(); u != nil {
		return *u
	}
	return ""
}

// pid of the process that runs now.
func (d *daemon) pid() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.Process.Pid
}

// kill is kill -9; it returns once the process is gone.
func (d *daemon) kill() {
	d.mu.Lock()
	cmd, exited := d.cmd, d.exited
	d.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill() // fails only where it is gone
	<-exited
}

// signal tells the process something.
func (d *daemon) signal(s syscall.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd.Process.Signal(s)
}

// gone is closed when the process that runs now ends.
func (d *daemon) gone() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.exited
}

// settings makes the daemon's configuration.
func (r *run) settings(dataDir, smscAddr string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `data_dir: %s
drain_timeout: 10s
log: {level: info}
ops: {listen: "127.0.0.1:0"}
queue: {min_free: %dMiB}
numbers:
  region: FR
  pool: [`, dataDir, minFree>>20)
	for n := range len(names) + 2 {
		fmt.Fprintf(&b, `"+337000000%02d", `, n)
	}
	fmt.Fprintf(&b, `]
mt: {unknown: %s}
smsc:
  - {name: main, address: "%s", system_id: bridge, password: secret, binds: 2, window: 20, response_timeout: %s, enquire_interval: 2s}
web:
  listen: 127.0.0.1:0
  users:
`, map[bool]string{true: "resend", false: "fail"}[r.cfg.resend], smscAddr, responseTimeout)
	for _, p := range r.people {
		fmt.Fprintf(&b, "    - {name: %s, password_hash: \"%s\"}\n", p.name, noPassword)
	}
	b.WriteString("  tokens:\n")
	for _, p := range r.people {
		fmt.Fprintf(&b, "    - {user: %s, hash: \"%s\"}\n", p.name, p.hash)
	}
	return b.String()
}

// noPassword is the hash of a word that nobody says: people here have tokens.
const noPassword = "$argon2id$v=19$m=65536,t=3,p=1$c21zYnJpZGdlZXhhbXBsZQ$TQ4GzTlCHwpUik0j3qwjvNHKG1yPW2e67xz45JoQyp0"

const (
	// responseTimeout is after which the daemon holds a submit for unanswered.
	responseTimeout = 2 * time.Second
	// minFree is the daemon's queue.min_free in bytes: the disk of a run is small.
	minFree = 40 << 20
)
