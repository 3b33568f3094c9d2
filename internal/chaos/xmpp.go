//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"smsbridge/internal/chaos/history"
	"smsbridge/internal/peers"
	"smsbridge/internal/port"
)

// xmpp is a Prosody that is killed, and what lies between it and those who use it.
type xmpp struct {
	process
	command            func() *exec.Cmd
	log                *os.File
	clients, daemons   port.Reserved // where it listens
	toClient, toDaemon *wire         // where the people and the daemons connect
	users              []*xmppUser

	connects, repeats atomic.Int64
}

// byXMPP tells who of the people comes by XMPP, if anybody does.
func byXMPP(person int) bool { return person%2 == 1 }

// newXMPP starts a server for the run. The error wraps exec.ErrNotFound where there is none.
func newXMPP(r *run) (_ *xmpp, err error) {
	if _, err := exec.LookPath("prosody"); err != nil {
		return nil, err
	}
	x := &xmpp{}
	for _, p := range []*port.Reserved{&x.clients, &x.daemons} {
		if *p, err = port.Reserve("127.0.0.1"); err != nil {
			return nil, err
		}
		r.undo = append(r.undo, func() error { p.Release(); return nil })
	}
	dir := filepath.Join(r.dir, "prosody")
	if x.command, err = peers.ProsodyCommand(dir, x.clients.Addr, x.daemons.Addr, names...); err != nil {
		return nil, err
	}
	if x.log, err = os.Create(filepath.Join(r.results, "prosody.log")); err != nil {
		return nil, err
	}
	r.undo = append(r.undo, x.log.Close, func() error { x.kill(); return nil })
	for w, to := range map[**wire]string{&x.toClient: x.clients.Addr, &x.toDaemon: x.daemons.Addr} {
		host := "127.0.0.1"
		if w == &x.toDaemon {
			host = r.host // a daemon may live on an island
		}
		if *w, err = newWire(r.ctx, host, to, false); err != nil {
			return nil, err
		}
		r.undo = append(r.undo, func() error { (*w).close(); return nil })
	}
	return x, x.start(r.ctx)
}

// start runs the server and returns once it listens.
func (x *xmpp) start(ctx context.Context) error {
	exited, err := x.launch(x.command(), func(said io.Reader) {
		_, _ = io.Copy(x.log, said) // for people
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for _, p := range []port.Reserved{x.clients, x.daemons} {
		for {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr)
			if err == nil {
				_ = conn.Close()
				break
			}
			select {
			case <-exited:
				return errors.New("prosody ended as soon as it was started; its log says why")
			default:
			}
			if sleep(ctx, 20*time.Millisecond) != nil {
				return fmt.Errorf("prosody does not listen: %w", err)
			}
		}
	}
	return nil
}

// settings is the daemon's section.
func (x *xmpp) settings() string {
	return fmt.Sprintf("xmpp: {server: %q, domain: %s, secret: %s}\n", x.toDaemon.addr(), peers.ComponentDomain, peers.ComponentSecret)
}

// xmppUsers are the people who come by XMPP.
func (r *run) xmppUsers() []*xmppUser {
	if r.xmpp == nil {
		return nil
	}
	return r.xmpp.users
}

// xmppReport says what they did; nothing where there are none.
func (r *run) xmppReport() string {
	if r.xmpp == nil {
		return ""
	}
	return fmt.Sprintf("XMPP: %d users, connected %d times, %d stanzas sent again", len(r.xmpp.users), r.xmpp.connects.Load(), r.xmpp.repeats.Load())
}

func hasXMPP(r *run) bool { return r.xmpp != nil }

// killXMPP kills the server, for up to 3 s.
func killXMPP(ctx context.Context, r *run, choice *rand.Rand) error {
	r.xmpp.kill()
	if err := sleep(ctx, between(choice, 0, 3*time.Second)); err != nil {
		return err
	}
	return r.xmpp.start(ctx)
}

// cutXMPP resets the component's connection, or those of the people, and mostly turns the next
// ones away for a while.
func cutXMPP(ctx context.Context, r *run, choice *rand.Rand) error {
	w, whose := r.xmpp.toDaemon, "xmpp-cut component"
	if choice.IntN(3) == 0 {
		w, whose = r.xmpp.toClient, "xmpp-cut clients"
	}
	r.record.Add(history.Event{Kind: history.Fault, Note: whose})
	w.down.Store(choice.IntN(3) > 0)
	defer w.down.Store(false)
	w.cut()
	return sleep(ctx, between(choice, 0, 2*time.Second))
}
