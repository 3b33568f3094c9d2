package queue

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
)

// Bounds of the embedded server's start and stop. A start reads the whole store's index:
// 7 s at 10 million keys.
const (
	startWithin = 2 * time.Minute
	stopWithin  = 20 * time.Second
)

// maxStore is more than any disk: the streams have bounds of their own and the free space
// is watched, while the server would reserve each MaxBytes against its own limit (10047).
const maxStore = 1 << 60

// embedded is the NATS server within the daemon, and the lock on its directory. It is
// started and stopped once; the Store (inner.go) starts another where it has to.
type embedded struct {
	server *server.Server
	dir    *os.File // the store's directory, which may be a mount: for syncfs
	lock   *os.File

	stopOnce sync.Once
	stopped  chan struct{} // closed once nothing of it holds the disk any more
}

// startServer locks the directory and starts a server on it.
func startServer(cfg Config) (*embedded, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("queue: the data directory cannot be made: %w", err)
	}
	e := &embedded{stopped: make(chan struct{})}
	var err error
	if e.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	if e.dir, err = openDir(storeDir(cfg)); err != nil {
		e.unlock()
		return nil, fmt.Errorf("queue: the data directory cannot be used: %w", err)
	}
	// Copies of a heal that a crash ended are of no use.
	if err := errors.Join(forgetConsumers(storeDir(cfg)), os.RemoveAll(filepath.Join(storeDir(cfg), newFiles))); err != nil {
		e.unlock()
		return nil, fmt.Errorf("queue: the data directory cannot be used: %w", err)
	}
	log := &serverLog{log: cfg.Logger.With().Str("component", "nats_server").Logger(), fatal: make(chan string, 1)}
	if e.server, err = server.NewServer(serverOptions(cfg)); err != nil {
		e.unlock()
		return nil, fmt.Errorf("queue: the embedded NATS server cannot start on %s: %w", cfg.Dir, err)
	}
	e.server.SetLoggerV2(log, false, false, false)
	if err := e.start(log); err != nil {
		return nil, errors.Join(fmt.Errorf("queue: the embedded NATS server cannot start on %s: %w", cfg.Dir, err), e.stop())
	}
	return e, nil
}

// start waits until the server serves or says why it does not.
func (e *embedded) start(log *serverLog) error {
	e.server.Start() // reads the store; returns when it is read or after Fatalf
	for end := time.Now().Add(startWithin); time.Now().Before(end); {
		ready := e.server.ReadyForConnections(100 * time.Millisecond)
		select {
		case why := <-log.fatal:
			return errors.New(why)
		default:
		}
		if ready {
			return nil
		}
	}
	return fmt.Errorf("it was not ready within %s", startWithin)
}

// forgetConsumers removes what the server noted of the lanes' consumers for earlier versions,
// which let it. Half of such a note, which a power cut may leave, would keep the server from
// ever making that consumer again (10012, "corrupt state file"). The notes are of no use: each
// lane makes its consumer and begins at the start of the queue (fetch.go).
func forgetConsumers(dir string) error {
	var errs []error
	for _, name := range []string{stageMT, stageMO, stageOUT} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, "jetstream", server.DEFAULT_GLOBAL_ACCOUNT, "streams", name, "obs")))
	}
	return errors.Join(errs...)
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("queue: the data directory cannot be locked: %w", err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("queue: the data directory %s is in use by another smsbridge: stop that one, or set another directory", dir)
		}
		return nil, fmt.Errorf("queue: the data directory %s cannot be locked, which keeps two daemons apart: %w", dir, err)
	}
	return f, nil
}

func storeDir(cfg Config) string { return filepath.Join(cfg.Dir, "nats") }

func openDir(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func serverOptions(cfg Config) *server.Options {
	o := &server.Options{
		ServerName:             "smsbridge",
		DontListen:             true,
		NoSigs:                 true, // signals are the daemon's
		JetStream:              true,
		StoreDir:               storeDir(cfg),
		JetStreamMaxStore:      maxStore,
		JetStreamMaxMemory:     256 << 20, // for consumers of the history only
		DisableJetStreamBanner: true,
		// Without a group commit of ours, each write is synced by the server.
		SyncAlways: cfg.Durability == Power && !groupCommit,
	}
	if cfg.Listen != "" {
		host, port, _ := net.SplitHostPort(cfg.Listen) // checked with the Config
		o.DontListen = false
		o.Host = host
		o.Port, _ = strconv.Atoi(port)
		if o.Port == 0 {
			o.Port = server.RANDOM_PORT
		}
		o.Authorization = cfg.Token
	}
	return o
}

// stop ends the server and gives the directory back. It waits for that no longer than
// stopWithin and may be called again.
func (e *embedded) stop() error {
	e.stopOnce.Do(func() {
		go func() {
			e.server.Shutdown()
			e.server.WaitForShutdown()
			e.unlock()
			close(e.stopped)
		}()
	})
	select {
	case <-e.stopped:
		return nil
	case <-time.After(stopWithin):
		return fmt.Errorf("queue: the embedded NATS server did not stop within %s", stopWithin)
	}
}

func (e *embedded) unlock() {
	if e.dir != nil {
		_ = e.dir.Close()
	}
	_ = e.lock.Close()
}

// serverLog puts the server's log into ours, one level lower: what it calls a notice is
// of interest to nobody who did not ask.
type serverLog struct {
	log   zerolog.Logger
	fatal chan string // the first reason not to start; the server itself goes on
}

func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug().Msg(fmt.Sprintf(format, v...)) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log.Warn().Msg(fmt.Sprintf(format, v...)) }
func (l *serverLog) Errorf(format string, v ...any)  { l.log.Error().Msg(fmt.Sprintf(format, v...)) }

func (l *serverLog) Debugf(format string, v ...any) { l.log.Trace().Msg(fmt.Sprintf(format, v...)) }

func (l *serverLog) Tracef(format string, v ...any) { l.log.Trace().Msg(fmt.Sprintf(format, v...)) }

func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error().Msg(text)
	select {
	case l.fatal <- text:
	default:
	}
}
