package ops_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/ops"
)

func callsOf(from, to int) []bridge.Call {
	var all []bridge.Call
	for n := from; n < to; n++ {
		all = append(all, bridge.Call{V: 1, ID: fmt.Sprint("m-", n), Kind: bridge.CallMT, State: bridge.Delivered, EndedAt: time.Date(2026, 11, 23, 12, 0, n%60, 0, time.UTC)})
	}
	return all
}

func writeCalls(t *testing.T, f *ops.CallFile, calls []bridge.Call) {
	t.Helper()
	if err := f.Write(calls); err != nil {
		t.Fatal(err)
	}
}

func callFile(t *testing.T, cfg ops.CallFileConfig) *ops.CallFile {
	t.Helper()
	f, err := ops.NewCallFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func closeCalls(t *testing.T, f *ops.CallFile) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCallFileOfAnother: two daemons with one folder would cut off each other's lines.
func TestCallFileOfAnother(t *testing.T) {
	cfg := ops.CallFileConfig{Dir: t.TempDir(), MaxSize: 1}
	first := callFile(t, cfg)
	writeCalls(t, first, callsOf(0, 1))
	for n := range 2 { // the second time after it went on to another file
		if _, err := ops.NewCallFile(cfg); err == nil || !strings.Contains(err.Error(), "another smsbridge writes there") {
			t.Fatalf("got %v", err)
		}
		writeCalls(t, first, callsOf(1+n, 2+n))
	}
	closeCalls(t, first)
	writeCalls(t, callFile(t, cfg), callsOf(3, 5))
	wantIDs(t, cfg.Dir, 0, 5)
}

// idsIn gives the ids of all files of dir, in order, and the names of those that ended.
func idsIn(t *testing.T, dir string) (ids, ended []string) {
	t.Helper()
	ended, err := filepath.Glob(filepath.Join(dir, "calls-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ended)
	for _, name := range append(slices.Clone(ended), filepath.Join(dir, "calls.jsonl")) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var c bridge.Call
			if err := json.Unmarshal([]byte(line), &c); err != nil || !strings.HasSuffix(line, "\n") {
				t.Errorf("%s: %q: %v", name, line, err)
			}
			ids = append(ids, c.ID)
		}
	}
	return ids, ended
}

func wantIDs(t *testing.T, dir string, from, to int) {
	t.Helper()
	ids, _ := idsIn(t, dir)
	var want []string
	for _, c := range callsOf(from, to) {
		want = append(want, c.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("the files have %v; want %v", ids, want)
	}
}

// TestCallFileTwice: what comes again, to the same file or to one that was opened anew, or after it
// rotated, stands there once.
func TestCallFileTwice(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cfg := ops.CallFileConfig{Dir: filepath.Join(t.TempDir(), "calls"), Now: func() time.Time { return now }}
	f := callFile(t, cfg)
	writeCalls(t, f, append(callsOf(0, 3), callsOf(0, 1)...))
	writeCalls(t, f, callsOf(1, 4))
	wantIDs(t, cfg.Dir, 0, 4)
	closeCalls(t, f)
	f = callFile(t, cfg)
	writeCalls(t, f, callsOf(2, 6))
	closeCalls(t, f)
	wantIDs(t, cfg.Dir, 0, 6)
	now = now.Add(25 * time.Hour)
	anew := callFile(t, cfg)
	writeCalls(t, anew, callsOf(4, 8))
	wantIDs(t, cfg.Dir, 0, 8)
	if _, ended := idsIn(t, cfg.Dir); len(ended) != 1 {
		t.Errorf("ended: %v", ended)
	}
	// The clock stands still, and yet no file takes the place of another.
	closeCalls(t, anew)
	writeCalls(t, callFile(t, cfg), callsOf(6, 9))
	wantIDs(t, cfg.Dir, 0, 9)
}

// TestCallFileTorn: a line that a crash left half is cut off, and its record written when it comes again.
func TestCallFileTorn(t *testing.T) {
	cfg := ops.CallFileConfig{Dir: t.TempDir()}
	f := callFile(t, cfg)
	writeCalls(t, f, callsOf(0, 3))
	name := filepath.Join(cfg.Dir, "calls.jsonl")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(strings.TrimSpace(string(whole)), "\n") + 1
	for end := last; end < len(whole); end++ {
		if err := os.WriteFile(name, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		closeCalls(t, f)
		f = callFile(t, cfg)
		writeCalls(t, f, callsOf(2, 4))
		wantIDs(t, cfg.Dir, 0, 4)
	}
}

func TestCallFileRotates(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cfg := ops.CallFileConfig{Dir: t.TempDir(), MaxSize: 1, Keep: 3, Now: func() time.Time { now = now.Add(time.Second); return now }}
	f := callFile(t, cfg)
	for n := range 6 {
		writeCalls(t, f, callsOf(2*n, 2*n+2))
	}
	ids, ended := idsIn(t, cfg.Dir)
	if len(ended) != 3 || len(ids) != 8 || ids[0] != "m-4" {
		t.Errorf("%d files that ended, with %v", len(ended), ids)
	}
	for _, name := range append(ended, filepath.Join(cfg.Dir, "calls.jsonl")) {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestCallFileRecovers: a folder that is away is an error each time, and none once it is back.
func TestCallFileRecovers(t *testing.T) {
	cfg := ops.CallFileConfig{Dir: filepath.Join(t.TempDir(), "calls"), MaxSize: 1}
	f := callFile(t, cfg)
	writeCalls(t, f, callsOf(0, 2))
	away := cfg.Dir + "-away"
	if err := os.Rename(cfg.Dir, away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Write(callsOf(2, 4)); err == nil {
			t.Error("written to a folder that is away")
		}
	}
	if err := os.Rename(away, cfg.Dir); err != nil {
		t.Fatal(err)
	}
	writeCalls(t, f, callsOf(1, 4))
	wantIDs(t, cfg.Dir, 0, 4)
}

func TestCallFileNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.NewCallFile(ops.CallFileConfig{Dir: filepath.Join(file, "calls")}); err == nil {
		t.Error("made below a file")
	}
}
