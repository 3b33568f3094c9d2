package queue_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

func TestFull(t *testing.T) {
	tests := []struct {
		name   string
		adjust func(*queue.Config)
	}{
		{"by messages", func(c *queue.Config) { c.MTMaxMsgs = 3 }},
		{"by bytes", func(c *queue.Config) { c.MTMaxBytes = 4096 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir(), tt.adjust)
			accepted := 0
			var err error
			for ; err == nil && accepted < 100; accepted++ {
				err = s.PublishMT(t.Context(), mt(accepted, 0))
			}
			accepted--
			if !errors.Is(err, bridge.ErrFull) || accepted < 3 {
				t.Fatalf("after %d messages: %v", accepted, err)
			}
			wantError(t, s.Writable(t.Context()), bridge.ErrFull) // whoever asks knows before a writer does
			seen := newRecord()
			stop := work(t, s, func(_ context.Context, m bridge.MT) error {
				seen.add(m.ID)
				return nil
			})
			seen.wait(t, accepted) // nothing that was accepted is dropped
			queued(t, s, "mt", 0)
			stop()
			publish(t, s, mt(100, 0))
			for deadline := time.Now().Add(time.Minute); s.Writable(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal(s.Writable(t.Context()))
				}
			}
		})
	}
}

func TestDuplicates(t *testing.T) {
	s := open(t, t.TempDir())
	publish(t, s, mt(1, 0), mt(1, 0), mt(1, 1), mt(1, 0))
	queued(t, s, "mt", 2)
}

func TestDiskFloor(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.MinFree = 1 << 60 })
	err := s.PublishMT(t.Context(), mt(1, 0))
	wantError(t, err, bridge.ErrFull)
	wantError(t, s.Healthy(t.Context()), bridge.ErrFull)
	if !strings.Contains(err.Error(), "free some space") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

func TestHealthyAndDepths(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.MTMaxBytes = 1 << 20 })
	if err := s.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	before := time.Now().Add(-time.Second)
	publish(t, s, mt(1, 0), mt(2, 0))
	d := queued(t, s, "mt", 2)
	if d.OldestAt.Before(before) || d.Bytes == 0 || d.MaxBytes != 1<<20 {
		t.Errorf("depth %+v", d)
	}
	if d := queued(t, s, "dead", 0); !d.OldestAt.IsZero() {
		t.Errorf("depth of nothing %+v", d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Healthy(t.Context()), queue.ErrClosed)
}

func TestUndecodable(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, listen)
	_, js := client(t, s)
	raw := `{"v":1,"phone":`
	if _, err := js.Publish(t.Context(), "mt.default.0", []byte(raw)); err != nil {
		t.Fatal(err)
	}
	publish(t, s, mt(1, 0))
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(m.ID)
		return nil
	})
	seen.wait(t, 1)
	queued(t, s, "mt", 0)
	d := deadLetter(t, s)
	if d.Reason != bridge.ReasonUnreadable || string(d.Raw) != raw || d.Stage != "MT" || d.Detail == "" {
		t.Errorf("dead letter %+v", d)
	}
}

func TestPanics(t *testing.T) {
	s := open(t, t.TempDir(), oneLane)
	publish(t, s, mt(1, 0), mt(1, 1))
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(m.Text)
		if m.Text == "0" {
			panic("a defect")
		}
		return nil
	})
	if all := seen.wait(t, 6); strings.Join(all, "") != "000001" {
		t.Errorf("handled %v", all)
	}
	queued(t, s, "mt", 0)
	d := deadLetter(t, s)
	if d.Reason != bridge.ReasonInternal || d.ID != "m-1-0" || d.MT == nil || d.MT.Text != "0" || !strings.Contains(d.Detail, "a defect") {
		t.Errorf("dead letter %+v", d)
	}
	until(t, "a count of both", func() bool { return s.Stats()["mt"].Acked >= 2 }) // it comes after the acknowledgement
	if st := s.Stats()["mt"]; st.Panics != 5 || st.Dead != 1 || st.Acked != 2 {
		t.Errorf("stats %+v", st)
	}
}

// deadLetter is the only one that there is.
func deadLetter(t *testing.T, s *queue.Store) bridge.Dead {
	t.Helper()
	all, total, err := s.DeadLetters(t.Context(), 10)
	if err != nil || len(all) != 1 || total != 1 {
		t.Fatalf("%d dead letters %+v, %v", total, all, err)
	}
	return all[0]
}

func TestStory(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	_, _, err := s.Story(ctx, "x")
	wantError(t, err, bridge.ErrNotFound)
	story := bridge.Story{V: 1, ID: "x", Handle: ann, Phone: phone(1), State: bridge.Accepted}
	rev, err := s.PutStory(ctx, story, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutStory(ctx, story, 0, false)
	wantError(t, err, bridge.ErrConflict)
	story.State = bridge.Sent
	next, err := s.PutStory(ctx, story, rev, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutStory(ctx, story, rev, false)
	wantError(t, err, bridge.ErrConflict)
	got, gotRev, err := s.Story(ctx, "x")
	if err != nil || gotRev != next {
		t.Fatalf("revision %d, want %d; %v", gotRev, next, err)
	}
	if diff := cmp.Diff(story, got, cmp.AllowUnexported(addressing.Handle{}, addressing.MSISDN{}, addressing.Number{})); diff != "" {
		t.Error(diff)
	}
}

// TestStoryIsNobodysOwn changes a story after it was stored, and after it was read.
func TestStoryIsNobodysOwn(t *testing.T) {
	s := open(t, t.TempDir())
	story := bridge.Story{V: 1, ID: "x", Handle: ann, Phone: phone(1), History: []bridge.Change{{State: bridge.Accepted}}, Segments: []bridge.Segment{{SMSCID: "1"}}}
	if _, err := s.PutStory(t.Context(), story, 0, false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		story.Segments[0].SMSCID, story.History[0].State = "2", bridge.Sent
		var err error
		if story, _, err = s.Story(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if story.Segments[0].SMSCID != "1" || story.History[0].State != bridge.Accepted {
			t.Errorf("the stored story is %+v", story)
		}
	}
}

func TestRef(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	ref := bridge.SegmentRef{V: 1, MessageID: "x", Segment: 2}
	if err := s.PutRef(ctx, "corp, main", "0A.*>ff", ref); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Ref(ctx, "corp, main", []string{"172", "0A.*>ff"}); err != nil || got != ref {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err := s.Ref(ctx, "another", []string{"0A.*>ff"})
	wantError(t, err, bridge.ErrNotFound)
	_, err = s.Ref(ctx, "corp, main", nil)
	wantError(t, err, bridge.ErrNotFound)
}

func TestParts(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	const key = "part corp/main +33612345678 36180 é 255 3 true"
	_, _, err := s.LoadPart(ctx, key)
	wantError(t, err, bridge.ErrNotFound)
	save := func(key, value string, rev uint64) error {
		_, err := s.SavePart(ctx, key, []byte(value), rev)
		return err
	}
	wantError(t, save(key, "1", 0), nil)
	wantError(t, save(key, "2", 0), bridge.ErrConflict)
	value, rev, err := s.LoadPart(ctx, key)
	if err != nil || string(value) != "1" {
		t.Fatalf("got %s, %v", value, err)
	}
	last, err := s.SavePart(ctx, key, []byte("2"), rev)
	wantError(t, err, nil)
	wantError(t, save(key, "3", rev), bridge.ErrConflict)
	wantError(t, save("another", "x", 0), nil)
	found := make(map[string]string)
	err = s.RangeParts(ctx, func(key string, value []byte, _ uint64) bool {
		found[key] = string(value)
		return true
	})
	if diff := cmp.Diff(map[string]string{key: "2", "another": "x"}, found); diff != "" || err != nil {
		t.Error(diff, err)
	}
	wantError(t, s.DeletePart(ctx, key, rev), bridge.ErrConflict)
	wantError(t, s.DeletePart(ctx, key, last), nil)
	wantError(t, s.DeletePart(ctx, key, last), bridge.ErrConflict)
	_, _, err = s.LoadPart(ctx, key)
	wantError(t, err, bridge.ErrNotFound)
	wantError(t, save(key, "4", 0), nil) // over the deleted one
	calls := 0
	wantError(t, s.RangeParts(ctx, func(string, []byte, uint64) bool { calls++; return false }), nil)
	if calls != 1 {
		t.Errorf("RangeParts went on: %d calls", calls)
	}
	if err := save(strings.Repeat("+", 2000), "", 0); err == nil {
		t.Error("a key that is too long was taken")
	}
}

func TestMarks(t *testing.T) {
	s := open(t, t.TempDir())
	long := strings.Repeat("é", 500)
	_, err := s.Mark(t.Context(), long)
	wantError(t, err, bridge.ErrNotFound)
	for _, value := range []string{"1", "2"} {
		wantError(t, s.SetMark(t.Context(), long, []byte(value)), nil)
		if got, err := s.Mark(t.Context(), long); err != nil || string(got) != value {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

func TestRecords(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	r, rev, err := s.LoadRecord(ctx, phone(1))
	if err != nil || rev != 0 || len(r.Entries) != 0 {
		t.Fatalf("got %+v, %d, %v", r, rev, err)
	}
	r = addressing.Record{V: 1, Entries: []addressing.Entry{{Number: addressing.MustParseNumber("+33700000001"), Handle: ann}}}
	wantError(t, s.SaveRecord(ctx, phone(1), r, 0), nil)
	wantError(t, s.SaveRecord(ctx, phone(1), r, 0), addressing.ErrConflict)
	got, rev, err := s.LoadRecord(ctx, phone(1))
	if err != nil || rev == 0 || len(got.Entries) != 1 || got.Entries[0] != r.Entries[0] {
		t.Fatalf("got %+v, %d, %v", got, rev, err)
	}
	wantError(t, s.SaveRecord(ctx, phone(1), r, rev), nil)
	wantError(t, s.SaveRecord(ctx, phone(1), r, rev), addressing.ErrConflict)
	wantError(t, s.SaveRecord(ctx, phone(2), r, 0), nil)
	short := addressing.MustParseMSISDN("114;phone-context=+33")
	wantError(t, s.SaveRecord(ctx, short, r, 0), nil)
	if got, _, err := s.LoadRecord(ctx, short); err != nil || len(got.Entries) != 1 {
		t.Errorf("the record of a short number is %+v, %v", got, err)
	}
	found := make(map[addressing.MSISDN]int)
	wantError(t, s.RangeRecords(ctx, func(p addressing.MSISDN, r addressing.Record) bool {
		found[p] += len(r.Entries)
		return true
	}), nil)
	if len(found) != 3 || found[phone(2)] != 1 || found[short] != 1 {
		t.Errorf("found %v", found)
	}
}

func TestLanesStayWhileQueued(t *testing.T) {
	dir := t.TempDir()
	lanes := func(n int) func(*queue.Config) { return func(c *queue.Config) { c.Lanes = n } }
	s := open(t, dir, lanes(8))
	for p := range 20 {
		publish(t, s, mt(p, 0))
	}
	wantError(t, s.Close(), nil)
	s = open(t, dir, lanes(2))
	for p := range 20 {
		publish(t, s, mt(p, 1))
	}
	seen := newRecord()
	stop := work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	inOrder(t, seen.wait(t, 40), 20, 2)
	queued(t, s, "mt", 0)
	stop()
	wantError(t, s.Close(), nil)
	s = open(t, dir, lanes(2))
	publish(t, s, mt(1, 2))
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	seen.wait(t, 41)
}

func TestBadConfig(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name string
		cfg  queue.Config
		want string
	}{
		{"nowhere", queue.Config{}, "no data directory"},
		{"not a directory", queue.Config{Dir: "/dev/null/x"}, "cannot be made"},
		{"open to the world", queue.Config{Dir: "x", Listen: "0.0.0.0:4222"}, "not a loopback address"},
		{"port in use", queue.Config{Dir: t.TempDir(), Listen: taken.Addr().String()}, "address already in use"},
		{"lanes", queue.Config{Dir: "x", Lanes: 65}, "lanes must be 1 to 64"},
		{"durability", queue.Config{Dir: "x", Durability: "perhaps"}, "durability must be"},
		{"replicas", queue.Config{Dir: "x", Replicas: 3}, "needs an external cluster"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := queue.Open(t.Context(), tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "queue: queue:") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
