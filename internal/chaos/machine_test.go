//go:build linux

package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests are of what the machine must be able to do; they skip where it cannot.

func TestDiskFillsAndFreezes(t *testing.T) {
	d, err := newDisk(t.TempDir())
	if err != nil {
		t.Skip("this machine cannot: ", err)
	}
	t.Cleanup(func() {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(d.dir, "file")
	write := func() error { return os.WriteFile(file, make([]byte, 1<<20), 0o600) }
	if err := d.fill(0); err != nil {
		t.Fatal(err)
	}
	if err := write(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing to a full disk: %v", err)
	}
	if err := errors.Join(d.empty(), write()); err != nil {
		t.Errorf("writing to one that was emptied: %v", err)
	}
	if err := d.freeze(); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- write() }()
	select {
	case err := <-written:
		t.Errorf("a write to a frozen disk came back with %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := errors.Join(d.thaw(), <-written); err != nil {
		t.Error(err)
	}
}

func TestIslandIsCutOff(t *testing.T) {
	mainland, remove, err := newMainland()
	if err != nil {
		t.Skip("this machine cannot: ", err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	i, err := newIsland(0, mainland)
	if err != nil {
		t.Skip("this machine cannot: ", err)
	}
	t.Cleanup(func() {
		if err := i.remove(); err != nil {
			t.Error(err)
		}
	})
	listener, err := net.Listen("tcp", net.JoinHostPort(mainland, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	// Whoever lives there says a word once a second, until the other end is gone.
	script := "exec 3<>/dev/tcp/" + host + "/" + port + "; while echo word >&3; do sleep 0.05; done"
	there := exec.CommandContext(t.Context(), "ip", "netns", "exec", i.name, "bash", "-c", script)
	there.Stderr = new(bytes.Buffer)
	if err := there.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = there.Process.Kill(); _ = there.Wait() }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	words := func(within time.Duration) error {
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1<<10))
		return err
	}
	if err := words(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := i.cutOff(); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; { // what was on its way
		err = words(300 * time.Millisecond)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection of one that is cut off reads %v; want silence", err)
	}
	if err := errors.Join(i.joinAgain(), words(time.Minute)); err != nil {
		t.Errorf("after it was joined again: %v", err)
	}
}
