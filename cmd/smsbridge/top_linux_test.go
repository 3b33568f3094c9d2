package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsbridge/internal/peers"
)

// terminal is what a command writes to a pseudo-terminal of 80 by 24.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	mu     sync.Mutex
	text   strings.Builder
	more   chan struct{} // something was written; one pending is enough
	closed chan struct{}
}

// onTerminal runs a command line in a process of its own that has a terminal, until the test ends.
func onTerminal(t *testing.T, args ...string) (screen *terminal, keys *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals on this machine: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: defaultWidth, Row: defaultHeight})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &terminal{t: t, cmd: exec.Command(os.Args[0], args...), more: make(chan struct{}, 1), closed: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), asDaemon+"=1", "TERM=xterm-256color")
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // fails only where it is gone
		<-s.closed
	})
	go s.read(master)
	return s, master
}

// read ends when the process has let go of the terminal.
func (s *terminal) read(master *os.File) {
	defer close(s.closed)
	buffer := make([]byte, 4096)
	for {
		n, err := master.Read(buffer)
		if err != nil {
			_ = s.cmd.Wait() // the tests look at ProcessState
			return
		}
		s.mu.Lock()
		s.text.Write(buffer[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// await waits until the words were written. They must be the first on their part of the screen: a
// later frame writes only what differs.
func (s *terminal) await(words string) {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-s.more:
		case <-s.closed:
			s.t.Fatalf("it ended, and wrote %q", text)
		case <-late:
			s.t.Fatalf("%q is not in %q", words, text)
		}
	}
}

// exit waits for the end of the process and gives its code.
func (s *terminal) exit() int {
	s.t.Helper()
	select {
	case <-s.closed:
	case <-time.After(patience):
		s.t.Fatal("it does not end")
	}
	return s.cmd.ProcessState.ExitCode()
}

// TestTop: top --once and top --json are for scripts, and top runs on a terminal of its own until q is pressed.
func TestTop(t *testing.T) {
	_, hashes := people("ann")
	p := startDaemon(t, testConfig(t.TempDir(), peers.FreeAddress(t), hashes, ""))
	screen, keys := onTerminal(t, "top", "--ops", p.ops)
	screen.await("Link main has been down")
	code, out, errs := smsbridge(t, "", "top", "--once", "--ops", p.ops)
	if words := strings.Join(strings.Fields(out), " "); code != exitOK || !strings.Contains(words, "BROKEN Link main has been down") || !strings.Contains(words, "connection refused") || strings.Contains(out, "\x1b") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	code, out, errs = smsbridge(t, "", "top", "--json", "--ops", p.ops)
	var all topAnswers
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitOK || len(all.Links.Links) != 1 || len(all.Queue.Stages) != 4 || len(all.History.At) == 0 {
		t.Errorf("code %d: %s%s, %v", code, out, errs, err)
	}
	p.kill()
	screen.await("NO ANSWER")
	if _, err := keys.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := screen.exit(); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	if code, _, errs := smsbridge(t, "", "top", "--once", "--ops", p.ops); code != exitFailed || !strings.Contains(errs, "is it running") {
		t.Errorf("without a daemon: code %d, %s", code, errs)
	}
}
