package queue_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"smsbridge/queue"
)

// proxy stands between a store and its server, and can stand still like a cut cable.
type proxy struct {
	net.Listener
	mu   sync.Mutex
	open chan struct{} // closed while it lets through
	// oneWay lets requests through while it stands still, and holds up their answers.
	oneWay bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, open: make(chan struct{})}
	close(p.open)
	var copies sync.WaitGroup
	var all sync.Map
	copies.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			all.Store(near, far)
			copies.Go(func() { p.copy(far, near, false) })
			copies.Go(func() { p.copy(near, far, true) })
		}
	})
	t.Cleanup(func() {
		p.thaw()
		l.Close()
		all.Range(func(near, far any) bool {
			near.(net.Conn).Close()
			far.(net.Conn).Close()
			return true
		})
		copies.Wait()
	})
	return p
}

func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return
		}
		p.mu.Lock()
		open, wait := p.open, answers || !p.oneWay
		p.mu.Unlock()
		if wait {
			<-open
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

func through(p *proxy) func(*queue.Config) {
	return func(c *queue.Config) { c.Dir, c.URL = "", "nats://"+p.Addr().String() }
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
