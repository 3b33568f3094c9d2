package ops

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
)

// CallFileConfig says where call-detail records are written, and for how long.
type CallFileConfig struct {
	// Dir is made if need be, for its owner alone. Required. One [CallFile] at a time
	// writes there; another is refused.
	Dir string
	// MaxSize and MaxAge end a file: in bytes, default 100 MiB, and since its first record,
	// default 24 hours. A file goes over MaxSize by one batch at most.
	MaxSize int64
	MaxAge  time.Duration
	// Keep is how many files that ended are kept; default 90, negative: all.
	Keep   int
	Logger zerolog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// The names of the files: the one that is being written, and those that ended, by when.
const (
	callsCurrent = "calls.jsonl"
	callsEnded   = "calls-*.jsonl"
	callsFormat  = "calls-20060102T150405.000000000Z.jsonl"
)

// CallFile writes call-detail records as JSON lines, one for each message. Methods may be called
// concurrently.
type CallFile struct {
	cfg CallFileConfig

	mu    sync.Mutex
	file  *os.File // nil until something is written, and after an error
	size  int64
	begun time.Time // of the first record in it; zero where there is none
	known lastIDs
}

// NewCallFile makes the folder, and looks whether it can be written.
func NewCallFile(cfg CallFileConfig) (*CallFile, error) {
	cfg.MaxSize, cfg.MaxAge, cfg.Keep = cmp.Or(cfg.MaxSize, 100<<20), cmp.Or(cfg.MaxAge, 24*time.Hour), cmp.Or(cfg.Keep, 90)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("ops: the folder of the call-detail records cannot be made: %w", err)
	}
	f := &CallFile{cfg: cfg}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("ops: call-detail records in %s: %w", cfg.Dir, err)
	}
	return f, nil
}

// Write appends calls and returns once they are on disk. After an error none of them is in the
// file, or it is known, and they may be written again: what stands among the last 10,000 lines
// is not written twice.
func (f *CallFile) Write(calls []bridge.Call) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.write(calls); err != nil {
		f.abandon()
		return fmt.Errorf("ops: call-detail records in %s: %w", f.cfg.Dir, err)
	}
	return nil
}

func (f *CallFile) write(calls []bridge.Call) error {
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.ended() {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	var lines bytes.Buffer
	var ids []string
	for _, c := range calls {
		if f.known.has(c.ID) || slices.Contains(ids, c.ID) {
			continue
		}
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		ids = append(ids, c.ID)
		lines.Write(append(line, '\n'))
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := f.file.Write(lines.Bytes()); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.size += int64(lines.Len())
	if f.begun.IsZero() {
		f.begun = f.cfg.Now()
	}
	for _, id := range ids {
		f.known.add(id)
	}
	return nil
}

// abandon takes back what may have been written in part, and lets go of the file: the next write
// looks at it anew. Where it cannot be taken back, open finds it.
func (f *CallFile) abandon() {
	if f.file != nil {
		_ = f.file.Truncate(f.size)
		_ = f.file.Close()
		f.file = nil
	}
}

func (f *CallFile) ended() bool {
	return f.size > 0 && (f.size >= f.cfg.MaxSize || f.cfg.Now().Sub(f.begun) >= f.cfg.MaxAge)
}

// open opens the current file at its end. A line that a crash left half is cut off: its record
// comes again.
func (f *CallFile) open() (err error) {
	name := filepath.Join(f.cfg.Dir, callsCurrent)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if lockFile(file) {
		// What it cuts off as half a line another may be writing.
		return errors.New("another smsbridge writes there: give each a folder of its own")
	}
	f.known = lastIDs{}
	if ended, err := f.endedFiles(); err == nil && len(ended) > 0 {
		if err := f.readEnded(ended[len(ended)-1]); err != nil {
			return err
		}
	}
	if f.size, err = f.readTail(file); err != nil {
		return err
	}
	if err := file.Truncate(f.size); err != nil {
		return err
	}
	if f.begun, err = beginning(file); err != nil {
		return err
	}
	if err := syncFolder(f.cfg.Dir); err != nil {
		return err
	}
	f.file = file
	return nil
}

func (f *CallFile) readEnded(name string) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody took it away
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = f.readTail(file)
	return err
}

// tailSize has room for the lines of lastIDs, usually: one has some 600 octets.
const tailSize = 8 << 20

// readTail learns the ids of the last lines of a file, and returns where its last whole line ends.
func (f *CallFile) readTail(file *os.File) (end int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	from := max(0, info.Size()-tailSize)
	tail, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return 0, err
	}
	whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
	for line := range bytes.Lines(whole) {
		var c struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(line, &c) == nil && c.ID != "" { // the first may be half of one
			f.known.add(c.ID)
		}
	}
	return from + int64(len(whole)), nil
}

// beginning is when the first message in a file ended; zero where there is none.
func beginning(file *os.File) (time.Time, error) {
	line, err := bufio.NewReader(io.NewSectionReader(file, 0, 1<<20)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return time.Time{}, err
	}
	var c bridge.Call
	_ = json.Unmarshal(line, &c) // what cannot be read has no time: the file ends by its size
	return c.EndedAt, nil
}

// rotate ends the current file and begins the next.
func (f *CallFile) rotate() error {
	current := filepath.Join(f.cfg.Dir, callsCurrent)
	if err := f.file.Close(); err != nil {
		return err
	}
	f.file = nil
	if err := os.Rename(current, f.freeName(f.cfg.Now())); err != nil {
		return err
	}
	f.prune()
	return f.open()
}

// freeName is that of a file that ends at about at; no file has it, whatever the clock does.
func (f *CallFile) freeName(at time.Time) string {
	for ; ; at = at.Add(1) {
		name := filepath.Join(f.cfg.Dir, at.UTC().Format(callsFormat))
		if _, err := os.Lstat(name); err != nil {
			return name
		}
	}
}

// endedFiles are the files that ended, the oldest first.
func (f *CallFile) endedFiles() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(escapeGlob(f.cfg.Dir), callsEnded))
	slices.Sort(names)
	return names, err
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (f *CallFile) prune() {
	names, err := f.endedFiles()
	for f.cfg.Keep >= 0 && len(names) > f.cfg.Keep && err == nil {
		if err = os.Remove(names[0]); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		names = names[1:]
	}
	if err != nil {
		f.cfg.Logger.Warn().Err(err).Str("dir", f.cfg.Dir).Msg("old call-detail records cannot be removed")
	}
}

// Close lets go of the file. A later Write opens it again.
func (f *CallFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// syncFolder brings names of files onto the disk.
func syncFolder(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lastIDs knows the last 10,000 ids that were added. The zero value knows none.
type lastIDs struct {
	set  map[string]struct{}
	ring []string
	next int
}

const lastIDsSize = 10_000

func (l *lastIDs) has(id string) bool {
	_, known := l.set[id]
	return known
}

func (l *lastIDs) add(id string) {
	if l.has(id) {
		return
	}
	if l.set == nil {
		l.set = make(map[string]struct{})
	}
	l.set[id] = struct{}{}
	if len(l.ring) < lastIDsSize {
		l.ring = append(l.ring, id)
		return
	}
	delete(l.set, l.ring[l.next])
	l.ring[l.next] = id
	l.next = (l.next + 1) % lastIDsSize
}
