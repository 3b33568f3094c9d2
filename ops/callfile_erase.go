package ops

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"smsbridge/bridge"
)

// Erase takes who it was out of the records that fit: the handle, the phone and the sender's own
// id. What the message cost and what became of it stays. Files are written anew, each at once;
// with dry the records are only counted. What broke off can be done again. It holds up Write.
func (f *CallFile) Erase(fits func(bridge.Call) bool, dry bool) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, err := f.endedFiles()
	if err == nil && !dry {
		f.abandon() // the current one is opened anew by the next write
	}
	for _, name := range append(names, filepath.Join(f.cfg.Dir, callsCurrent)) {
		if err != nil {
			break
		}
		var found int
		found, err = f.eraseFrom(name, fits, dry)
		n += found
	}
	if err != nil {
		return n, fmt.Errorf("ops: erase from the call-detail records in %s: %w", f.cfg.Dir, err)
	}
	return n, nil
}

// eraseFrom is Erase for one file, which may be gone. One without such a record is left as it is.
func (f *CallFile) eraseFrom(name string, fits func(bridge.Call) bool, dry bool) (n int, err error) {
	n, err = rewriteCalls(name, io.Discard, fits)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil || n == 0 || dry {
		return n, err
	}
	// Its name is not one of a file that ended: a crash leaves it to the next Erase.
	anew, err := os.OpenFile(filepath.Join(f.cfg.Dir, "erasing.jsonl"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = rewriteCalls(name, anew, fits)
	if err == nil {
		err = anew.Sync()
	}
	if err = errors.Join(err, anew.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(anew.Name()))
	}
	if err := os.Rename(anew.Name(), name); err != nil {
		return 0, err
	}
	return n, syncFolder(f.cfg.Dir)
}

// rewriteCalls copies the lines of a file; what cannot be read stays as it is.
func rewriteCalls(name string, to io.Writer, fits func(bridge.Call) bool) (n int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	in, out := bufio.NewReaderSize(file, 1<<20), bufio.NewWriterSize(to, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var c bridge.Call
			if json.Unmarshal(bytes.TrimSpace(line), &c) == nil && fits(c) {
				c.Handle, c.Phone, c.NetworkID = "", "", ""
				if line, err = json.Marshal(c); err != nil {
					return n, err
				}
				line = append(line, '\n')
				n++
			}
			if _, err := out.Write(line); err != nil {
				return n, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, out.Flush()
		case err != nil:
			return n, err
		}
	}
}
