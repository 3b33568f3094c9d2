package peers

import (
	"cmp"
	_ "embed" // the configuration
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What every [XMPPServer] has: the domain of its people, of its component, and the
// component's secret.
const (
	XMPPDomain      = "localhost"
	ComponentDomain = "sms.localhost"
	ComponentSecret = "s3cret"
)

// XMPPServer is one with the accounts alice and bob at [XMPPDomain], whose passwords are
// their names, and the external component [ComponentDomain].
type XMPPServer struct {
	// C2S and Component are where clients and the component connect, host:port.
	C2S, Component string
	// CAFile vouches for the server where its component port speaks TLS; otherwise empty.
	CAFile string

	t       testing.TB
	dir     string
	behind  string // where the server itself has its component port, if Component is another
	command func() *exec.Cmd
	ready   []string // what it prints by the time that it listens
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
	s := &XMPPServer{C2S: FreeAddress(t), Component: FreeAddress(t), t: t, dir: t.TempDir()}
	accounts := filepath.Join(s.dir, "data", XMPPDomain, "accounts")
	if err := os.MkdirAll(accounts, 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("prosody.cfg.lua", prosodyConfig)
	for _, name := range []string{"alice", "bob"} {
		s.write(filepath.Join("data", XMPPDomain, "accounts", name+".dat"), fmt.Appendf(nil, "return { [\"password\"] = %q; };\n", name))
	}
	s.ready = []string{"Activated service 'c2s' on [127.0.0.1]", "Activated service 'component' on [127.0.0.1]"}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(program, "--config", filepath.Join(s.dir, "prosody.cfg.lua"), "-F")
		cmd.Env = append(os.Environ(), "PEER_DIR="+s.dir, "PEER_C2S="+portOf(t, s.C2S), "PEER_COMPONENT="+portOf(t, cmp.Or(s.behind, s.Component)))
		if os.Geteuid() == 0 {
			cmd.Env = append(cmd.Env, "PEER_ROOT=1")
		}
		return cmd
	}
	s.Start()
	return s
}

// Start starts the server again after Kill, on the same addresses and files, and returns
// once it listens.
func (s *XMPPServer) Start() {
	s.t.Helper()
	cmd := s.command()
	say, ready := started(s.ready)
	s.process = launch(s.t, cmd, say)
	s.process.await(s.t, ready, cmd.Path)
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

func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
