package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// manager is the end of systemd: what the daemon says to it.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// listenAsSystemd gives the processes that the test starts a NOTIFY_SOCKET.
func listenAsSystemd(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return &manager{t: t, conn: conn}
}

// hears waits for a message with all of want in it, and gives it.
func (m *manager) hears(want ...string) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("%q was never said: %v", want, err)
		}
		said := string(buf[:n])
		missing := false
		for _, w := range want {
			missing = missing || !strings.Contains(said, w)
		}
		if !missing {
			return said
		}
	}
}

// systemd is told that the daemon serves, that it works although its SMSC is away, and that it stops.
func TestSystemdIsTold(t *testing.T) {
	m := listenAsSystemd(t)
	t.Setenv("WATCHDOG_USEC", "400000")
	_, hashes := people("ann")
	p := startDaemon(t, testConfig(t.TempDir(), "127.0.0.1:1", hashes, ""))
	m.hears("READY=1", "STATUS=")
	for range 3 {
		m.hears("WATCHDOG=1")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1", "EXTEND_TIMEOUT_USEC=20000000")
	<-p.exited
}

// A daemon that starts or stops is not taken for a stuck one, although no workers run then.
func TestStartIsNotStuck(t *testing.T) {
	m := listenAsSystemd(t)
	t.Setenv("WATCHDOG_USEC", "600000000")
	_, hashes := people("ann")
	p := startDaemon(t, testConfig(t.TempDir(), "127.0.0.1:1", hashes, ""))
	m.hears("READY=1")
	p.terminate(t)
	if said := p.stderr.String(); strings.Contains(said, "stuck") {
		t.Error(said)
	}
}

// A daemon whose workers do not run is stuck, whatever else answers.
func TestStuckIsNoticed(t *testing.T) {
	a, err := newApp(t.Context(), demoConfig(t.TempDir(), "127.0.0.1:0", "127.0.0.1:1"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := a.working(t.Context(), patience); err == nil || !strings.Contains(err.Error(), "no workers") {
		t.Errorf("it is taken for working: %v", err)
	}
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.working(t.Context(), patience); err != nil {
		t.Errorf("a store that is not well is no reason to restart: %v", err)
	}
}

// The unit is one that systemd takes.
func TestSystemdUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	unit, err := os.ReadFile("../../configs/smsbridge.service")
	if err != nil {
		t.Fatal(err)
	}
	unit = bytes.ReplaceAll(unit, []byte("/usr/bin/smsbridge"), []byte("/bin/true")) // it looks for the program
	path := filepath.Join(t.TempDir(), "smsbridge.service")
	if err := os.WriteFile(path, unit, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", path).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("smsbridge.service:")) {
		t.Errorf("%v\n%s", err, out)
	}
}
