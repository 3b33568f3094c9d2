package queue_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// atDir is a Config as open makes it, for Export and Import.
func atDir(dir string) queue.Config { return queue.Config{Dir: dir, MinFree: -1} }

// filled is a store on a new directory from which things were taken: phones 0 and 1 have sent
// messages 0 to 3, of which 0 was handled, and its story, reference and log stand.
func filled(t *testing.T) (dir string, story uint64) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	seen := newRecord()
	stop := work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	publish(t, s, mt(0, 0), mt(1, 0))
	seen.wait(t, 2)
	queued(t, s, "mt", 0)
	stop()
	for n := 1; n < 4; n++ {
		publish(t, s, mt(0, n), mt(1, n))
	}
	ctx := t.Context()
	rev, err := s.PutStory(ctx, bridge.Story{V: 1, ID: "m-0-0", State: bridge.Accepted}, 0, true)
	wantError(t, err, nil)
	story, err = s.PutStory(ctx, bridge.Story{V: 1, ID: "m-0-0", State: bridge.Sent}, rev, true)
	wantError(t, err, nil)
	wantError(t, s.PutRef(ctx, "acme", "17", bridge.SegmentRef{V: 1, MessageID: "m-0-0"}), nil)
	appendAll(t, s, entry(bridge.EntryMT, ann, 0, "m-0-0"))
	wantError(t, s.SetMark(ctx, "mark", []byte("1")), nil)
	wantError(t, s.Close(), nil)
	return dir, story
}

// export is what Export writes.
func export(t *testing.T, cfg queue.Config) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := queue.Export(t.Context(), cfg, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// hasAll works on a store that has what filled made.
func hasAll(t *testing.T, s *queue.Store, story uint64) {
	t.Helper()
	ctx := t.Context()
	if st, rev, err := s.Story(ctx, "m-0-0"); err != nil || rev != story || st.State != bridge.Sent {
		t.Errorf("story %+v, revision %d, %v; want revision %d", st, rev, err, story)
	}
	if ref, err := s.Ref(ctx, "acme", []string{"17"}); err != nil || ref.MessageID != "m-0-0" {
		t.Errorf("reference %+v, %v", ref, err)
	}
	if log, err := s.Messages(ctx, ann, phone(0), 10); err != nil || !slices.Equal(short(log), []string{"mt m-0-0"}) {
		t.Errorf("log %v, %v", short(log), err)
	}
	if mark, err := s.Mark(ctx, "mark"); err != nil || string(mark) != "1" {
		t.Errorf("mark %q, %v", mark, err)
	}
	publish(t, s, mt(0, 4), mt(1, 4))
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	seen.wait(t, 8)
	queued(t, s, "mt", 0)
	next := map[string]int{phone(0).String(): 1, phone(1).String(): 1} // 0 was handled before
	for _, got := range seen.get() {
		p, n, _ := strings.Cut(got, " ")
		if n != fmt.Sprint(next[p]) {
			t.Errorf("%s came where number %d was due", got, next[p])
		}
		next[p]++
	}
}

func TestMove(t *testing.T) {
	dir, story := filled(t)
	data := export(t, atDir(dir))
	if again := export(t, atDir(dir)); len(again) == 0 {
		t.Error("a second export is empty")
	}
	t.Run("into another directory", func(t *testing.T) {
		target := t.TempDir()
		moved, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(data), false)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.Index(moved, queue.MovedStream{Name: "MT", Messages: 6}); i < 0 {
			t.Errorf("moved %v, want 6 messages of MT", moved)
		}
		hasAll(t, open(t, target), story)
	})
	t.Run("to an external server and back", func(t *testing.T) {
		remote := queue.Config{URL: natsServer(t, t.TempDir(), -1).ClientURL()}
		if _, err := queue.Import(t.Context(), remote, bytes.NewReader(data), false); err != nil {
			t.Fatal(err)
		}
		target := t.TempDir()
		if _, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(export(t, remote)), false); err != nil {
			t.Fatal(err)
		}
		hasAll(t, open(t, target), story)
		hasAll(t, open(t, "", func(c *queue.Config) { c.Dir, c.URL = "", remote.URL }), story)
	})
	t.Run("over another queue", func(t *testing.T) {
		target := t.TempDir()
		s := open(t, target)
		publish(t, s, mt(7, 0))
		wantError(t, s.Close(), nil)
		_, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(data), false)
		wantText(t, err, "not empty: MT holds 1 messages; nothing was changed")
		s = open(t, target)
		queued(t, s, "mt", 1)
		wantError(t, s.Close(), nil)
		if _, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(data), true); err != nil {
			t.Fatal(err)
		}
		hasAll(t, open(t, target), story)
	})
}

func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want %q", err, text)
	}
}

// TestMoveAtWork: a store that somebody works on is neither read nor written.
func TestMoveAtWork(t *testing.T) {
	dir, _ := filled(t)
	data := export(t, atDir(dir))
	remote := natsServer(t, t.TempDir(), -1)
	for name, adjust := range map[string]func(*queue.Config){
		"in use by another smsbridge":                func(c *queue.Config) { c.Dir = dir },
		"a smsbridge is at work on this NATS server": func(c *queue.Config) { c.Dir, c.URL = "", remote.ClientURL() },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, "", adjust)
			seen := newRecord()
			work(t, s, func(context.Context, bridge.MT) error {
				seen.add("one")
				return nil
			})
			publish(t, s, mt(3, 0))
			seen.wait(t, 1) // so it works
			cfg := queue.Config{MinFree: -1}
			adjust(&cfg)
			_, err := queue.Export(t.Context(), cfg, new(bytes.Buffer))
			wantText(t, err, name)
			_, err = queue.Import(t.Context(), cfg, bytes.NewReader(data), true)
			wantText(t, err, name)
		})
	}
}

// onWrite is a file at whose first octets something happens.
type onWrite struct {
	once sync.Once
	do   func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	w.once.Do(w.do)
	return len(p), nil
}

// TestStartsWhileExported: a daemon that starts while its queue is exported would change it, so
// that some of it were sent twice or never. It has the queue, and there is no export.
func TestStartsWhileExported(t *testing.T) {
	for name, do := range map[string]func(*testing.T, *queue.Store){
		"and shows itself": func(t *testing.T, s *queue.Store) {
			for end := time.Now().Add(patience); len(s.Instances()) == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it does not show itself")
				}
			}
		},
		"and takes a message": func(t *testing.T, s *queue.Store) { publish(t, s, mt(2, 0)) },
		"and goes again with one": func(t *testing.T, s *queue.Store) {
			publish(t, s, mt(2, 0))
			wantError(t, s.Close(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			remote := natsServer(t, t.TempDir(), -1)
			s := open(t, "", external(remote))
			for n := range 40 { // more than an export writes at a time
				m := mt(1, n)
				noise := make([]byte, 32<<10)
				_, _ = rand.Read(noise)
				m.Text = hex.EncodeToString(noise)
				publish(t, s, m)
			}
			wantError(t, s.Close(), nil)
			cfg := queue.Config{URL: remote.ClientURL()}
			if data := export(t, cfg); len(data) < 1<<20 {
				t.Fatalf("an export of %d bytes is written in one go", len(data))
			}
			_, err := queue.Export(t.Context(), cfg, &onWrite{do: func() { do(t, open(t, "", external(remote))) }})
			wantText(t, err, "stop every")
		})
	}
}

func TestNothingToExport(t *testing.T) {
	_, err := queue.Export(t.Context(), atDir(t.TempDir()), new(bytes.Buffer))
	wantText(t, err, "there is nothing to export")
}

// TestBadExports: nothing of a file that is not as it was written gets into a store.
func TestBadExports(t *testing.T) {
	dir, _ := filled(t)
	good := export(t, atDir(dir))
	const magic = "smsbridge queue export\n"
	headEnd := len(magic) + 5 + int(binary.BigEndian.Uint32(good[len(magic)+1:]))
	changed := func(at int) []byte {
		bad := slices.Clone(good)
		bad[at] ^= 1
		return bad
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not an export"},
		{"another file", []byte(strings.Repeat("text\n", 100)), "not an export"},
		{"no checksum", good[:len(good)-37], "ends in the middle"},
		{"half", good[:len(good)/2], "ends in the middle"},
		{"one octet short", good[:len(good)-1], "ends in the middle"},
		{"a bit of a message", changed(len(good) / 2), "does not match its checksum"},
		{"a bit of the checksum", changed(len(good) - 1), "does not match its checksum"},
		{"a bit of a kind", changed(headEnd), "does not match its checksum"},
		{"a length", changed(headEnd + 1), "does not match its checksum"},
		{"newer", bytes.Replace(good, []byte(`{"version":1`), []byte(`{"version":9`), 1), "written by a newer smsbridge"},
	}
	target := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(tt.data), false)
			wantText(t, err, tt.want)
		})
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-soon.Done()
	if _, err := queue.Import(soon, atDir(target), bytes.NewReader(good), false); err == nil {
		t.Error("an import without any time is done")
	}
	if _, err := queue.Import(t.Context(), atDir(target), bytes.NewReader(good), false); err != nil {
		t.Errorf("the good one after the bad ones: %v", err)
	}
}
