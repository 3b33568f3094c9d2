package peers

import (
	_ "embed" // the configuration
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What every [XMPPServer] has: the domain of its people, of its component, and the
// component's secret.
const (
	XMPPDomain      = "localhost"
	ComponentDomain = "sms.localhost"
	ComponentSecret = "s3cret"
)

// XMPPServer is a Prosody with the accounts alice and bob at [XMPPDomain], whose
// passwords are their names, and the external component [ComponentDomain].
type XMPPServer struct {
	// C2S and Component are where clients and the component connect, host:port.
	C2S, Component string

	t       testing.TB
	dir     string
	program string
	process *process
}

//go:embed prosody.cfg.lua
var prosodyConfig []byte

// Prosody starts a server and returns once it listens.
func Prosody(t testing.TB) *XMPPServer {
	t.Helper()
	program, err := exec.LookPath("prosody")
	if err != nil {
		missing(t, "Prosody is not installed")
	}
	s := &XMPPServer{C2S: freeAddress(t), Component: freeAddress(t), t: t, dir: t.TempDir(), program: program}
	accounts := filepath.Join(s.dir, "data", XMPPDomain, "accounts")
	if err := os.MkdirAll(accounts, 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("prosody.cfg.lua", prosodyConfig)
	for _, name := range []string{"alice", "bob"} {
		s.write(filepath.Join("data", XMPPDomain, "accounts", name+".dat"), fmt.Appendf(nil, "return { [\"password\"] = %q; };\n", name))
	}
	s.Start()
	return s
}

// Start starts the server again after Kill, on the same addresses and files.
func (s *XMPPServer) Start() {
	s.t.Helper()
	cmd := exec.Command(s.program, "--config", filepath.Join(s.dir, "prosody.cfg.lua"), "-F")
	cmd.Env = append(os.Environ(), "PEER_DIR="+s.dir, "PEER_C2S="+port(s.t, s.C2S), "PEER_COMPONENT="+port(s.t, s.Component))
	if os.Geteuid() == 0 {
		cmd.Env = append(cmd.Env, "PEER_ROOT=1")
	}
	ready := make(chan struct{})
	var once sync.Once
	waiting := map[string]bool{"c2s": true, "component": true}
	s.process = launch(s.t, cmd, func(line string) {
		for service := range waiting {
			if strings.Contains(line, "Activated service '"+service+"' on [127.0.0.1]") {
				delete(waiting, service)
			}
		}
		if len(waiting) == 0 {
			once.Do(func() { close(ready) })
		}
	})
	s.process.await(s.t, ready, "Prosody")
}

// Kill ends the server as kill -9 does.
func (s *XMPPServer) Kill() { s.process.kill() }

// Log is what the server printed last.
func (s *XMPPServer) Log() string { return s.process.said() }

func (s *XMPPServer) write(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
