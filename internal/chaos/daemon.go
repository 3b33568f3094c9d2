//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// startWithin bounds a start of the daemon.
const startWithin = time.Minute

// daemon is the process that is broken, and the same after each restart.
type daemon struct {
	process
	name           string
	binary, config string
	env            []string
	island         *island  // nil: it lives where the harness does
	log            *os.File // all that each of them said

	web, ops atomic.Pointer[string] // URLs

	starting sync.Mutex
	starts   []time.Duration // how long each start took until it served
}

// build compiles a program as this module has it, with what else the go command is told.
func build(ctx context.Context, dir, name, pkg string, flags ...string) (binary string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "smsbridge").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module smsbridge; run this inside its repository: %w", err)
	}
	binary = filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", binary}, flags...), pkg)...)
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w\n%s", name, err, out)
	}
	return binary, nil
}

// start runs the daemon and returns once it serves.
func (d *daemon) start(ctx context.Context) error {
	began := time.Now()
	ready, exited, err := d.begin()
	if err != nil {
		return err
	}
	timeout := time.NewTimer(startWithin)
	defer timeout.Stop()
	select {
	case <-ready:
		d.starting.Lock()
		d.starts = append(d.starts, time.Since(began))
		d.starting.Unlock()
		return nil
	case <-exited:
		return fmt.Errorf("daemon %s ended as soon as it was started; its log says why", d.name)
	case <-timeout.C:
		return fmt.Errorf("daemon %s did not serve within %s; its log says more", d.name, startWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startAndKill starts the daemon and kills it after a while, whether or not it serves yet.
func (d *daemon) startAndKill(ctx context.Context, after time.Duration) error {
	if _, _, err := d.begin(); err != nil {
		return err
	}
	defer d.kill()
	return sleep(ctx, after)
}

// begin runs the daemon. ready is closed when it serves, exited when it is gone.
func (d *daemon) begin() (ready, exited chan struct{}, err error) {
	cmd := exec.Command(d.binary, "serve", "--config", d.config) //nolint:noctx // it is killed on purpose, and at the end
	if d.island != nil {                                         // ip becomes the daemon
		cmd = exec.Command("ip", append([]string{"netns", "exec", d.island.name}, cmd.Args...)...) //nolint:noctx // the same
	}
	cmd.Env = append(os.Environ(), d.env...)
	ready = make(chan struct{})
	exited, err = d.launch(cmd, func(stderr io.Reader) { d.read(stderr, ready) })
	return ready, exited, err
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

// settings makes a daemon's configuration. It serves at host.
func (r *run) settings(dataDir, host string) string {
	queue, binds := fmt.Sprintf("min_free: %dMiB", minFree>>20), 2
	if len(r.nodes) > 0 {
		queue, binds = fmt.Sprintf(`url: "%s", replicas: %d, lease_time: %s`, r.natsURL(), min(len(r.nodes), 3), leaseTime), 1
	}
	insecure := host != "127.0.0.1"
	var b strings.Builder
	fmt.Fprintf(&b, `data_dir: %s
drain_timeout: 10s
log: {level: info}
ops: {listen: "%s:0", insecure: %t}
queue: {%s}
numbers:
  region: FR
  pool: [`, dataDir, host, insecure, queue)
	for n := range len(names) + 2 {
		fmt.Fprintf(&b, `"+337000000%02d", `, n)
	}
	fmt.Fprintf(&b, `]
mt: {unknown: %s}
smsc:
  - {name: main, address: "%s", system_id: bridge, password: secret, binds: %d, window: 20, response_timeout: %s, enquire_interval: 2s}
web:
  listen: "%s:0"
  insecure: %t
  users:
`, map[bool]string{true: "resend", false: "fail"}[r.cfg.resend], r.wire.addr(), binds, responseTimeout, host, insecure)
	for _, p := range r.people {
		fmt.Fprintf(&b, "    - {name: %s, password_hash: \"%s\"}\n", p.name, noPassword)
	}
	b.WriteString("  tokens:\n")
	for _, p := range r.people {
		fmt.Fprintf(&b, "    - {user: %s, hash: \"%s\"}\n", p.name, p.hash)
	}
	if r.xmpp != nil {
		b.WriteString(r.xmpp.settings())
	}
	return b.String()
}

// noPassword is the hash of a word that nobody says: people here have tokens.
const noPassword = "$argon2id$v=19$m=65536,t=3,p=1$c21zYnJpZGdlZXhhbXBsZQ$TQ4GzTlCHwpUik0j3qwjvNHKG1yPW2e67xz45JoQyp0"

const (
	// responseTimeout is after which the daemon holds a submit for unanswered.
	responseTimeout = 2 * time.Second
	// leaseTime is after which another instance takes over from one that is silent.
	leaseTime = 3 * time.Second
	// minFree is the daemon's queue.min_free in bytes: the disk of a run is small.
	minFree = 40 << 20
)
