package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// inFiles tells whether a file of a store has the words in it.
func inFiles(t *testing.T, dir, words string) bool {
	t.Helper()
	files, found := os.DirFS(dir), false
	_ = fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, _ error) error {
		data, _ := fs.ReadFile(files, name) // a folder says nothing
		found = found || bytes.Contains(data, []byte(words))
		return nil
	})
	return found
}

func overwrite() *queue.Erasure { return &queue.Erasure{Overwrite: time.Now().Add(time.Hour)} }

// TestErase: what is erased of streams is in no file any more, others' records beside it are whole and in
// order, also after a restart; a dry run only counts.
func TestErase(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx := t.Context()
	for n := range 3 {
		for p := range 2 {
			m := mt(p, n)
			m.Text = fmt.Sprintf("words of %d", p)
			publish(t, s, m)
			entry := bridge.Entry{V: 1, ID: m.ID, Kind: bridge.EntryMT, Handle: ann, Phone: phone(p), At: time.Now(), Text: m.Text}
			story := bridge.Story{V: 1, ID: m.ID, Handle: ann, Phone: phone(p), Detail: m.Text, State: bridge.Delivered, Told: true}
			out := bridge.OUT{V: 1, ID: m.ID, Kind: bridge.OUTText, Handle: ann, Phone: phone(p), Text: m.Text}
			_, err := s.PutStory(ctx, story, 0, false)
			if err = errors.Join(err, s.AppendLog(ctx, entry), s.PublishOUT(ctx, out), s.PublishDead(ctx, bridge.Dead{V: 1, ID: m.ID, Stage: "MT", MT: &m}),
				s.PutRef(ctx, "main", "smsc-"+m.ID, bridge.SegmentRef{V: 1, MessageID: m.ID}), s.KeepAudit(ctx, bridge.Audit{V: 1, Subject: m.Text})); err != nil {
				t.Fatal(err)
			}
		}
	}
	erase := func(how *queue.Erasure) (all []int) {
		t.Helper()
		count := func(n int, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
		count(s.EraseQueued(ctx, "mt", func(q queue.Queued) bool { return q.MT.Phone == phone(0) }, how))
		count(s.EraseQueued(ctx, "out", func(q queue.Queued) bool { return q.OUT.Phone == phone(0) }, how))
		count(s.EraseSaid(ctx, nil, phone(0), func(bridge.Entry) bool { return true }, how))
		count(s.EraseDead(ctx, func(d bridge.Dead) bool { return d.MT.Phone == phone(0) }, how))
		count(s.EraseAudits(ctx, func(a bridge.Audit) bool { return a.Subject == "words of 0" }, how))
		ref := func(r bridge.SegmentRef) bool { return r.MessageID == mt(0, 0).ID }
		count(s.EraseStories(ctx, func(st bridge.Story) bool { return st.Phone == phone(0) }, ref, how))
		return all
	}
	if n := erase(&queue.Erasure{Dry: true}); fmt.Sprint(n) != "[3 3 3 3 3 3]" || !inFiles(t, dir, "words of 0") {
		t.Errorf("it would erase %v", n)
	}
	how := overwrite()
	if n := erase(how); fmt.Sprint(n) != "[3 3 3 3 3 3]" || how.Removed != 0 {
		t.Errorf("erased %v, removed %d", n, how.Removed)
	}
	if n := erase(overwrite()); fmt.Sprint(n) != "[0 0 0 0 0 0]" {
		t.Errorf("and again %v", n)
	}
	for range 2 {
		if inFiles(t, dir, "words of 0") {
			t.Error("it is still in a file")
		}
		if _, _, err := s.Story(ctx, mt(0, 0).ID); !errors.Is(err, bridge.ErrNotFound) {
			t.Errorf("its story: %v", err)
		}
		if _, err := s.Ref(ctx, "main", []string{"smsc-" + mt(0, 0).ID}); !errors.Is(err, bridge.ErrNotFound) {
			t.Errorf("its SMSC's id: %v", err)
		}
		said, err := s.Messages(ctx, ann, phone(1), 10)
		if err != nil || len(said) != 3 || said[0].ID != mt(1, 0).ID || said[2].ID != mt(1, 2).ID {
			t.Errorf("the other phone's history is %v, %v", said, err)
		}
		if st, _, err := s.Story(ctx, mt(1, 2).ID); err != nil || st.Detail != "words of 1" {
			t.Errorf("its story is %v, %v", st, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
	}
	handled := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		handled.add(m.ID)
		return nil
	})
	handled.wait(t, 3)
	if got, want := fmt.Sprint(handled.get()), fmt.Sprint([]string{mt(1, 0).ID, mt(1, 1).ID, mt(1, 2).ID}); got != want {
		t.Errorf("handled were %s", got)
	}
}

// TestEraseTooMany: what is more than can be overwritten is removed, and told.
func TestEraseTooMany(t *testing.T) {
	s := open(t, t.TempDir())
	publish(t, s, mt(0, 0), mt(0, 1))
	how := &queue.Erasure{}
	if n, err := s.EraseQueued(t.Context(), "mt", func(queue.Queued) bool { return true }, how); n != 2 || how.Removed != 2 || err != nil {
		t.Errorf("erased %d, removed %d, %v", n, how.Removed, err)
	}
	queued(t, s, "mt", 0)
}

// TestEraseMTEnding: a message that a handler has is overwritten as it leaves the queue, while others stay.
func TestEraseMTEnding(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, oneLane)
	goOn := make(chan struct{})
	begun := make(chan struct{}, 2)
	work(t, s, func(ctx context.Context, m bridge.MT) error {
		begun <- struct{}{}
		if m.Phone == phone(1) {
			<-ctx.Done() // it stays
			return ctx.Err()
		}
		<-goOn
		return nil
	})
	m := mt(0, 0)
	m.Text = "words in hand"
	publish(t, s, m, mt(1, 0))
	for range 2 {
		receive(t, begun, "a handler")
	}
	var ends []func()
	err := s.RangeMT(t.Context(), func(sequence uint64, m bridge.MT) bool {
		if m.Phone == phone(0) {
			ends = append(ends, s.EraseMTEnding(sequence))
		}
		return true
	})
	if err != nil || len(ends) != 1 || !inFiles(t, dir, m.Text) {
		t.Fatalf("%d are in hand, %v", len(ends), err)
	}
	close(goOn)
	queued(t, s, "mt", 1)
	if inFiles(t, dir, m.Text) {
		t.Error("it is still in a file")
	}
	ends[0]()
}

// TestEraseRecords: a record of a bucket is taken out with its key, unless it has changed; a phone leaves the
// lists of others.
func TestEraseRecords(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		eraseRecords(t, open(t, t.TempDir(), func(c *queue.Config) { c.RememberedPhones = 10 }))
	})
	t.Run("external", func(t *testing.T) { eraseRecords(t, open(t, "", external(natsServer(t, t.TempDir(), -1)))) })
}

func eraseRecords(t *testing.T, s *queue.Store) {
	t.Helper()
	ctx := t.Context()
	r := addressing.Record{V: 1, Entries: []addressing.Entry{{Number: addressing.MustParseNumber("+33700000001"), Handle: ann}}}
	save := func() (rev uint64) {
		t.Helper()
		_, rev, err := s.LoadRecord(ctx, phone(0))
		if err == nil {
			err = s.SaveRecord(ctx, phone(0), r, rev)
		}
		if err == nil {
			_, rev, err = s.LoadRecord(ctx, phone(0))
		}
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	old := save()
	rev := save()
	if err := s.EraseRecord(ctx, phone(0), old); !errors.Is(err, addressing.ErrConflict) {
		t.Errorf("an older one: %v", err)
	}
	if err := s.EraseRecord(ctx, phone(0), rev); err != nil {
		t.Error(err)
	}
	if got, rev, err := s.LoadRecord(ctx, phone(0)); rev != 0 || len(got.Entries) != 0 || err != nil {
		t.Errorf("there is %v, %d, %v", got, rev, err)
	}
	if save() == 0 {
		t.Error("it cannot be made anew")
	}

	begun := bridge.Begun{V: 1, Phones: []bridge.BeganWith{{Phone: phone(0)}, {Phone: phone(1)}}}
	if err := s.SaveBegun(ctx, ann, begun, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if n, err := s.ErasePhoneBegun(ctx, phone(0), overwrite()); n != want || err != nil {
			t.Errorf("%d lists had it, %v; want %d", n, err, want)
		}
	}
	if b, _, err := s.LoadBegun(ctx, ann); err != nil || b.With(phone(0)) || !b.With(phone(1)) {
		t.Errorf("the list is %v, %v", b, err)
	}
	for _, want := range []bool{true, false} {
		if was, err := s.EraseBegun(ctx, ann, overwrite()); was != want || err != nil {
			t.Errorf("the list was there: %v, %v", was, err)
		}
	}

	all := followNotes(t, s)
	await(t, all, heard{"handle web:ann", "x", saveNote(t, s, "handle web:ann", "x", 0)})
	for range 2 {
		if err := s.EraseNote(ctx, "handle web:ann"); err != nil {
			t.Error(err)
		}
	}
	if value, rev, err := s.LoadNote(ctx, "handle web:ann"); value != nil || rev != 0 || err != nil {
		t.Errorf("there is %q, %d, %v", value, rev, err)
	}
	for _, key := range []string{"wait main 33612345678", "wait main 33612345679"} {
		if _, err := s.SavePart(ctx, key, []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.EraseParts(ctx, func(key string, _ []byte) bool { return key == "wait main 33612345678" }, overwrite()); n != 1 || err != nil {
		t.Errorf("%d parts, %v", n, err)
	}
	if _, _, err := s.LoadPart(ctx, "wait main 33612345679"); err != nil {
		t.Errorf("another's: %v", err)
	}
}
