package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

func entry(kind bridge.EntryKind, h addressing.Handle, p int, id string) bridge.Entry {
	return bridge.Entry{V: 1, ID: id, Kind: kind, Handle: h, Phone: phone(p), Text: "text of " + id}
}

func appendAll(t testing.TB, s *queue.Store, entries ...bridge.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := s.AppendLog(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// short is "kind id" of each entry.
func short(entries []bridge.Entry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = string(e.Kind) + " " + e.ID
	}
	return all
}

// anna's name begins like ann's.
var anna = addressing.MustParseHandle("web:anna")

func TestConversations(t *testing.T) {
	s := open(t, t.TempDir())
	if got, err := s.Conversations(t.Context(), ann); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
	appendAll(t, s,
		entry(bridge.EntryMT, ann, 1, "a"),
		entry(bridge.EntryMT, ann, 2, "b"),
		entry(bridge.EntryMO, ann, 1, "c"),
		entry(bridge.EntryMT, anna, 3, "d"),
		entry(bridge.EntryStatus, ann, 2, "b"),
		entry(bridge.EntryStatus, ann, 2, "b"),
	)
	got, err := s.Conversations(t.Context(), ann)
	if want := []string{"mo c", "mt b"}; err != nil || !slices.Equal(short(got), want) {
		t.Errorf("got %v, %v; want %v", short(got), err, want)
	}
	for p := range 1200 { // more than one batch
		appendAll(t, s, entry(bridge.EntryMT, anna, p, fmt.Sprint(p)))
	}
	if got, err := s.Conversations(t.Context(), anna); err != nil || len(got) != 1200 || got[0].ID != "1199" {
		t.Errorf("got %d, %v", len(got), err)
	}
}

func TestMessages(t *testing.T) {
	s := open(t, t.TempDir())
	appendAll(t, s,
		entry(bridge.EntryMT, ann, 1, "a"),
		entry(bridge.EntryStatus, ann, 1, "a"),
		entry(bridge.EntryMT, ann, 1, "b"),
		entry(bridge.EntryMT, ann, 1, "b"), // twice, as after a crash
		entry(bridge.EntryMT, ann, 2, "other"),
		entry(bridge.EntryMO, ann, 1, "c"),
		entry(bridge.EntryStatus, ann, 1, "b"),
		entry(bridge.EntryStatus, ann, 1, "a"),
	)
	tests := []struct {
		limit int
		want  []string
	}{
		{0, []string{}},
		{1, []string{"mo c"}},
		{2, []string{"mt b", "mo c", "status b"}},
		{3, []string{"mt a", "status a", "mt b", "mo c", "status b", "status a"}},
		{100, []string{"mt a", "status a", "mt b", "mo c", "status b", "status a"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			got, err := s.Messages(t.Context(), ann, phone(1), tt.limit)
			if err != nil || !slices.Equal(short(got), tt.want) {
				t.Errorf("got %v, %v; want %v", short(got), err, tt.want)
			}
		})
	}
	if got, err := s.Messages(t.Context(), ann, phone(9), 10); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
}

// follow runs Follow until the test ends or the function that it returns is called.
func follow(t *testing.T, s *queue.Store, h addressing.Handle, after uint64, r *record) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Follow(ctx, h, after, func(_ uint64, e bridge.Entry) error {
			r.add(string(e.Kind) + " " + e.ID)
			return nil
		})
	}()
	stopped := false
	stop = func() {
		cancel()
		if !stopped {
			stopped = true
			if err := receive(t, done, "the end of Follow"); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestFollow(t *testing.T) {
	s := open(t, t.TempDir())
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "before"))
	end, err := s.LogEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "a"), entry(bridge.EntryMT, anna, 1, "hers"), entry(bridge.EntryStatus, ann, 1, "a"))
	seen := newRecord()
	follow(t, s, ann, end, seen)
	seen.wait(t, 2)
	appendAll(t, s, entry(bridge.EntryMO, ann, 2, "b"))
	if got, want := seen.wait(t, 3), []string{"mt a", "status a", "mo b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFollowOnlyNew(t *testing.T) {
	s := open(t, t.TempDir())
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "before"))
	seen := newRecord()
	follow(t, s, ann, 0, seen)
	for n := 0; len(seen.get()) == 0; n++ { // until it has begun
		appendAll(t, s, entry(bridge.EntryMT, ann, 1, fmt.Sprint(n)))
	}
	if slices.Contains(seen.get(), "mt before") {
		t.Error("what was there came as new")
	}
}

func TestFollowEndsWithItsFunction(t *testing.T) {
	s := open(t, t.TempDir())
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "a"), entry(bridge.EntryMT, ann, 1, "b"))
	enough := errors.New("enough")
	var last uint64
	err := s.Follow(t.Context(), ann, 1, func(seq uint64, _ bridge.Entry) error {
		last = seq
		return enough
	})
	wantError(t, err, enough)
	if last != 2 {
		t.Errorf("ended at %d", last)
	}
}
