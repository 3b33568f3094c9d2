package peers

import (
	_ "embed" // the configuration
	"errors"
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
	command func() *exec.Cmd
	ready   []string // what it prints by the time that it listens
	process *process
}

//go:embed prosody.cfg.lua
var prosodyConfig []byte

// Prosody starts a server and returns once it listens.
func Prosody(t testing.TB) *XMPPServer {
	t.Helper()
	s := &XMPPServer{C2S: FreeAddress(t), Component: FreeAddress(t), t: t, dir: t.TempDir()}
	var err error
	s.command, err = ProsodyCommand(s.dir, s.C2S, s.Component, "alice", "bob")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		missing(t, "Prosody is not installed")
	case err != nil:
		t.Fatal(err)
	}
	s.ready = []string{"Activated service 'c2s' on [127.0.0.1]", "Activated service 'component' on [127.0.0.1]"}
	s.Start()
	return s
}

// ProsodyCommand writes into dir what a server needs that listens at c2s and component, loopback
// addresses, and has accounts whose passwords are their names. What it returns gives the command
// for each start. The error wraps [exec.ErrNotFound] where Prosody is not installed.
func ProsodyCommand(dir, c2s, component string, accounts ...string) (command func() *exec.Cmd, err error) {
	program, err := exec.LookPath("prosody")
	if err != nil {
		return nil, err
	}
	_, c2sPort, err := net.SplitHostPort(c2s)
	if err != nil {
		return nil, err
	}
	_, componentPort, err := net.SplitHostPort(component)
	if err != nil {
		return nil, err
	}
	people := filepath.Join(dir, "data", XMPPDomain, "accounts")
	if err := os.MkdirAll(people, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prosody.cfg.lua")
	if err := os.WriteFile(config, prosodyConfig, 0o644); err != nil {
		return nil, err
	}
	for _, name := range accounts {
		account := fmt.Appendf(nil, "return { [\"password\"] = %q; };\n", name)
		if err := os.WriteFile(filepath.Join(people, name+".dat"), account, 0o644); err != nil {
			return nil, err
		}
	}
	return func() *exec.Cmd {
		cmd := exec.Command(program, "--config", config, "-F")
		cmd.Env = append(os.Environ(), "PEER_DIR="+dir, "PEER_C2S="+c2sPort, "PEER_COMPONENT="+componentPort)
		if os.Geteuid() == 0 {
			cmd.Env = append(cmd.Env, "PEER_ROOT=1")
		}
		return cmd
	}, nil
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
