package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"smsbridge/bridge"
)

// inner keeps the embedded server running on a disk that fills up, fails, or becomes
// read-only, and starts it again, within the daemon, once the disk can be written.
//
// It has to: a NATS server whose write failed once never writes to that stream again, and
// tells nobody, so that publishers wait in vain. What had been promised is on the disk
// and is read from there by the next server. The rooms around see a lost connection,
// which they outlive as that to an external server (connect.go).
//
// While the disk is full the server goes on, so that people can read what they wrote.
// From a disk that failed or is read-only it is stopped at once and holds no file open,
// so that the file system can be unmounted, repaired and mounted again.
type inner struct {
	cfg    Config
	log    zerolog.Logger
	id     string // of the directory: an empty mount point must not be taken for it
	commit *committer
	away   func(since time.Time) // is told before a server is started on a disk that was away since then
	broken func(fault error)     // is told why the server cannot store

	// dry is that the disk was as good as full: a block of a stream may have failed to be written, which
	// the server itself finds out only with the next message. It is started again once there is room, and
	// nothing new is taken before.
	dry atomic.Bool

	mu     sync.Mutex
	server *embedded // nil while the disk is let go
	fault  error     // why nothing can be stored; nil where all is well
	ended  chan struct{}
}

// keepEvery is how often the server and its disk are looked at.
const keepEvery = 500 * time.Millisecond

// readyWithin is how long a server that seems not to be ready has to become so.
const readyWithin = 10 * time.Second

// The pauses between looks at a disk that is not usable, doubling from one to the other.
const (
	probeMin = 250 * time.Millisecond
	probeMax = time.Second
)

// newInner starts a server.
func newInner(cfg Config) (*inner, error) {
	e, err := startServer(cfg)
	if err != nil {
		return nil, err
	}
	k := &inner{cfg: cfg, log: cfg.Logger, server: e}
	if k.id, err = makeID(storeDir(cfg)); err != nil {
		return nil, errors.Join(fmt.Errorf("queue: the data directory cannot be used: %w", err), e.stop())
	}
	if cfg.Listen != "" {
		k.cfg.Listen = e.server.Addr().String() // the port that was picked is kept
	}
	var sync func() error
	if cfg.Durability == Power && groupCommit {
		sync = k.sync
	}
	k.commit = newCommitter(sync)
	return k, nil
}

// current is the server, or why there is none.
func (k *inner) current() (*embedded, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.server == nil {
		return nil, k.fault
	}
	return k.server, nil
}

// writeErr is why nothing can be stored for now, or nil.
func (k *inner) writeErr() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}

// InProcessConn gives the NATS client its connection, to whichever server there is.
func (k *inner) InProcessConn() (net.Conn, error) {
	e, err := k.current()
	if err != nil {
		return nil, err
	}
	return e.server.InProcessConn()
}

func (k *inner) sync() error {
	e, err := k.current()
	if err != nil {
		return err
	}
	return syncStore(e.dir)
}

// run watches until ctx ends.
func (k *inner) run(ctx context.Context) {
	k.ended = make(chan struct{})
	go func() {
		defer close(k.ended)
		for sleep(ctx, keepEvery) {
			if err := k.check(); err != nil {
				k.restore(ctx, err)
			}
		}
	}()
}

// close waits for run, and stops the server.
func (k *inner) close() error {
	if k.ended != nil {
		<-k.ended
	}
	k.mu.Lock()
	e := k.server
	k.mu.Unlock()
	if e == nil {
		return nil
	}
	return e.stop()
}

// check tells what keeps the server from writing.
func (k *inner) check() error {
	if err := k.commit.Err(); err != nil {
		return err
	}
	free, readOnly, err := diskState(storeDir(k.cfg))
	switch {
	case err != nil:
		return fmt.Errorf("queue: the data directory cannot be read: %w", err)
	case readOnly:
		return errReadOnly(storeDir(k.cfg))
	case free < probeSize:
		k.dry.Store(true)
	}
	e, err := k.current()
	if err != nil {
		return err
	}
	if k.dry.Load() {
		return errors.New("queue: the disk ran full, and what the embedded NATS server wrote then may have failed")
	}
	if said := health(e); said != "" {
		return fmt.Errorf("queue: the embedded NATS server failed: %s", said)
	}
	return nil
}

// health is what the server says is wrong with it, or nothing. Its own question gives
// the server one millisecond to answer, which a busy machine may let pass: a server that
// is ready after all is asked again before anybody restarts it.
func health(e *embedded) (said string) {
	for range 3 {
		said = e.server.Healthz(&server.HealthzOptions{}).Error
		if said == "" || !e.server.ReadyForConnections(readyWithin) {
			break
		}
	}
	return said
}

func errReadOnly(dir string) error {
	return fmt.Errorf("queue: the file system of %s is read-only: look for disk errors in the kernel's log, and mount it writable", dir)
}

// full tells whether it is only space that is missing.
func (k *inner) full() bool {
	free, readOnly, err := diskState(storeDir(k.cfg))
	return err == nil && !readOnly && free < k.wanted()
}

// wanted is how much space must be free before the server starts again.
func (k *inner) wanted() int64 { return max(k.cfg.MinFree, 2*probeSize) }

// restore tries until the server writes again, or ctx ends.
func (k *inner) restore(ctx context.Context, fault error) {
	if k.full() {
		fault = fmt.Errorf("%w: %w; free space on the disk of %s", bridge.ErrFull, fault, k.cfg.Dir)
	}
	k.log.Error().Err(fault).Msg("queue: nothing can be stored, so new messages are refused; what was accepted is kept, and this goes on by itself once the disk can be written")
	k.setFault(fault)
	if !k.full() {
		if err := k.letGo(); err != nil {
			k.log.Error().Err(err).Msg("queue: the disk is not let go yet")
		}
	}
	began, last := time.Now(), ""
	for attempt := 0; sleep(ctx, retryDelay(attempt, probeMin, probeMax)); attempt++ {
		k.away(began)
		err := k.again()
		if err == nil {
			k.log.Info().Dur("after", time.Since(began)).Msg("queue: the disk can be written; messages are taken again")
			return
		}
		if text := err.Error(); text != last {
			last = text
			k.log.Warn().Err(err).Msg("queue: the disk is not usable yet; trying again")
		}
	}
}

func (k *inner) setFault(fault error) {
	k.mu.Lock()
	k.fault = fault
	k.mu.Unlock()
	k.broken(fault)
}

// letGo stops the server, so that nothing of the disk is in use.
func (k *inner) letGo() error {
	e, err := k.current()
	if err != nil {
		return nil // it has been
	}
	if err := e.stop(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server = nil
	return nil
}

// again starts another server if the disk is the one that was there and can be written.
func (k *inner) again() error {
	if err := checkID(storeDir(k.cfg), k.id); err != nil {
		return err
	}
	if err := probe(storeDir(k.cfg), k.wanted()); err != nil {
		return err
	}
	if err := k.letGo(); err != nil {
		return err
	}
	if k.commit.Err() != nil {
		if err := rewrite(storeDir(k.cfg), copyAtOnce); err != nil {
			return fmt.Errorf("the store cannot be brought onto the disk: %w", err)
		}
	}
	k.dry.Store(false)
	e, err := startServer(k.cfg)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.server, k.fault = e, nil
	k.mu.Unlock()
	k.commit.renew()
	return nil
}
