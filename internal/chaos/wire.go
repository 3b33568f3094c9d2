//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/smpp"
)

// wire is what lies between the daemon and the SMSC, and can be cut.
type wire struct {
	listener net.Listener
	to       string
	doubles  bool // each submit_sm passes twice: wrong on purpose

	down  atomic.Bool  // whoever connects is turned away
	delay atomic.Int64 // of each read, in nanoseconds
	all   sync.WaitGroup

	mu    sync.Mutex
	pairs map[*pair]bool
}

// pair is a connection of the daemon and the one to the SMSC that it is joined with.
type pair struct {
	near, far net.Conn
	silent    atomic.Bool // all that comes is lost, and nobody is told in good order
}

func newWire(ctx context.Context, host, to string, doubles bool) (*wire, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, to: to, doubles: doubles, pairs: make(map[*pair]bool)}
	w.all.Go(w.accept)
	return w, nil
}

func (w *wire) addr() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue
		case w.down.Load():
			reset(near)
			continue
		}
		far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.to)
		if err != nil {
			reset(near)
			continue
		}
		p := &pair{near: near, far: far}
		w.mu.Lock()
		w.pairs[p] = true
		w.mu.Unlock()
		w.all.Go(func() { w.join(p) })
	}
}

// join carries octets both ways until one side ends.
func (w *wire) join(p *pair) {
	var ways sync.WaitGroup
	ways.Go(func() { w.carry(p, p.far, p.near, w.doubles); p.end() })
	ways.Go(func() { w.carry(p, p.near, p.far, false); p.end() })
	ways.Wait()
	w.mu.Lock()
	delete(w.pairs, p)
	w.mu.Unlock()
}

func (w *wire) carry(p *pair, to, from net.Conn, doubles bool) {
	pass := io.Reader(from)
	if doubles {
		pass = &doubler{from: from}
	}
	b := make([]byte, 16<<10)
	for {
		n, err := pass.Read(b)
		if d := w.delay.Load(); d > 0 {
			time.Sleep(time.Duration(d))
		}
		if n > 0 && !p.silent.Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// end closes both sides, as the one that ended was.
func (p *pair) end() {
	if p.silent.Load() {
		reset(p.far)
		reset(p.near)
		return
	}
	_ = p.near.Close()
	_ = p.far.Close()
}

// reset closes a connection with a RST, and what was not read yet is lost.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// cut resets all connections.
func (w *wire) cut() {
	w.each(func(p *pair) { p.silent.Store(true); p.end() })
}

// hush loses all that is sent on the connections that there are, and keeps them open.
func (w *wire) hush() { w.each(func(p *pair) { p.silent.Store(true) }) }

func (w *wire) each(do func(*pair)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.pairs {
		do(p)
	}
}

// close ends all.
func (w *wire) close() {
	_ = w.listener.Close()
	w.cut()
	w.all.Wait()
}

// doubler reads PDUs, and each submit_sm twice.
type doubler struct {
	from io.Reader
	left []byte
}

func (d *doubler) Read(b []byte) (int, error) {
	if len(d.left) == 0 {
		pdu := make([]byte, 16, 1<<10)
		if _, err := io.ReadFull(d.from, pdu); err != nil {
			return 0, err
		}
		length := binary.BigEndian.Uint32(pdu)
		pdu = append(pdu, make([]byte, length-16)...)
		if _, err := io.ReadFull(d.from, pdu[16:]); err != nil {
			return 0, err
		}
		d.left = pdu
		if smpp.Command(binary.BigEndian.Uint32(pdu[4:])) == smpp.SubmitSM {
			d.left = append(d.left, pdu...)
		}
	}
	n := copy(b, d.left)
	d.left = d.left[n:]
	return n, nil
}
