//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"smsbridge/smpp"
)

// ends gives a connection to a wire and the one that comes out of it.
func ends(t *testing.T, doubles bool) (w *wire, near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	if w, err = newWire(t.Context(), "127.0.0.1", listener.Addr().String(), doubles); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	if near, err = net.Dial("tcp", w.addr()); err != nil {
		t.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	for _, c := range []net.Conn{near, far} {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return w, near, far
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWireCarriesAndIsCut(t *testing.T) {
	w, near, far := ends(t, false)
	say(t, near, "to")
	say(t, far, "fro")
	if got := hear(t, far, 2) + hear(t, near, 3); got != "tofro" {
		t.Errorf("heard %q", got)
	}
	w.cut()
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that was cut reads %v", err)
		}
	}
	w.down.Store(true)
	again, err := net.Dial("tcp", w.addr())
	if err == nil {
		_, err = again.Read(make([]byte, 1))
		again.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("whoever connects while it is down gets %v", err)
	}
}

// What is silent loses all, and neither end is told.
func TestWireIsSilent(t *testing.T) {
	w, near, far := ends(t, false)
	say(t, near, "heard")
	hear(t, far, 5)
	w.hush()
	say(t, near, "lost")
	if err := far.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := far.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it reads %d octets, %v", n, err)
	}
}

// What is broken on purpose doubles submits, and nothing else.
func TestWireDoubles(t *testing.T) {
	_, near, far := ends(t, true)
	pdu := func(command smpp.Command) string {
		b := make([]byte, 20)
		b[3] = 20
		b[7] = byte(command)
		return string(b)
	}
	submit, enquire := pdu(smpp.SubmitSM), pdu(smpp.EnquireLink)
	say(t, near, submit+enquire)
	if got := hear(t, far, 60); got != submit+submit+enquire {
		t.Errorf("heard %x", got)
	}
}
