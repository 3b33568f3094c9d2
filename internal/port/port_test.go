package port_test

import (
	"context"
	"net"
	"testing"

	"smsbridge/internal/port"
)

// Nobody who asks for any port is given one that is kept, be it to listen or to dial from.
func TestReserve(t *testing.T) {
	const many = 200
	kept := make(map[string]bool)
	for range many {
		r, err := port.Reserve("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		if kept[r.Addr] {
			t.Fatalf("%s was given twice", r.Addr)
		}
		kept[r.Addr] = true
	}
	for range many {
		l := listen(t, "127.0.0.1:0")
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []net.Addr{l.Addr(), c.LocalAddr()} {
			if kept[end.String()] {
				t.Errorf("%s is kept, and was given away", end)
			}
		}
		t.Cleanup(func() { _ = c.Close(); _ = l.Close() })
	}
}

// Who knows the port listens on it, again and again; in between there is nobody.
func TestReservedIsUsed(t *testing.T) {
	r, err := port.Reserve("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	dial := func() error {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.Addr)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for range 3 {
		if dial() == nil {
			t.Fatal("somebody listens")
		}
		l := listen(t, r.Addr)
		if err := dial(); err != nil {
			t.Fatal(err)
		}
		if second, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", r.Addr); err == nil {
			_ = second.Close()
			t.Fatal("two listen on one port")
		}
		_ = l.Close()
	}
}

func TestReserveNeedsAHost(t *testing.T) {
	for _, host := range []string{"", "localhost", "::1", "192.0.2.1"} {
		if r, err := port.Reserve(host); err == nil {
			r.Release()
			t.Errorf("%q: no error", host)
		}
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
