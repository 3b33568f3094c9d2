package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/queue"
)

// heard is a change of a record, as an instance hears of it.
type heard struct {
	key, value string
	rev        uint64
}

// followNotes has changes sent to a channel.
func followNotes(t *testing.T, s *queue.Store) chan heard {
	t.Helper()
	all := make(chan heard, 100)
	err := s.FollowNotes(t.Context(), func(key string, value []byte, rev uint64) error {
		all <- heard{key, string(value), rev}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func await(t *testing.T, all chan heard, want heard) {
	t.Helper()
	for {
		select {
		case got := <-all:
			if got.key == want.key && got.value == want.value && (want.value == "" && got.rev >= want.rev || got.rev == want.rev) {
				return
			}
		case <-time.After(patience):
			t.Fatalf("%+v was never heard of", want)
		}
	}
}

func saveNote(t *testing.T, s *queue.Store, key, value string, rev uint64) uint64 {
	t.Helper()
	var data []byte
	if value != "" {
		data = []byte(value)
	}
	rev, err := s.SaveNote(t.Context(), key, data, rev)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// What an operator decides at one instance the others hear of, also after their connection
// was lost, and it outlives a restart.
func TestNotes(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	one, two := open(t, "", external(remote)), open(t, "", external(remote))
	const key = "handle xmpp:ann@corp.example"
	first := saveNote(t, one, key, "1", 0)
	at := followNotes(t, two)
	await(t, at, heard{key, "1", first})
	second := saveNote(t, one, key, "2", first)
	await(t, at, heard{key, "2", second})
	for _, stale := range []uint64{0, first} {
		if _, err := two.SaveNote(t.Context(), key, []byte("3"), stale); !errors.Is(err, addressing.ErrConflict) {
			t.Errorf("a stale save: %v", err)
		}
		if _, err := two.SaveNote(t.Context(), key, nil, stale); !errors.Is(err, addressing.ErrConflict) {
			t.Errorf("a stale removal: %v", err)
		}
	}
	gone := saveNote(t, two, key, "", second)
	await(t, at, heard{key, "", gone})
	if value, rev, err := one.LoadNote(t.Context(), key); err != nil || value != nil || rev != 0 {
		t.Errorf("after the removal: %s, %d, %v", value, rev, err)
	}
	third := saveNote(t, one, key, "4", 0)
	await(t, at, heard{key, "4", third})
	if third < gone {
		t.Errorf("the revisions go back: %d after %d", third, gone)
	}
}

// A process of its own hears of what it stores, after the server inside was restarted too.
func TestNotesOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	rev := saveNote(t, s, "block * 882", "x", 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.FollowNotes(t.Context(), nil); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("follow a closed store: %v", err)
	}
	s = open(t, dir)
	at := followNotes(t, s)
	await(t, at, heard{"block * 882", "x", rev})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.SaveNote(ctx, "block * 882", nil, rev); err == nil {
		t.Error("stored without a context")
	}
}
