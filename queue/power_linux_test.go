package queue_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"smsbridge/bridge"
	"smsbridge/internal/disk"
	"smsbridge/queue"
)

// TestDoneNeverAlone: what says that something was done must not outlive a power cut
// without what was done, even where the kernel happened to write its file first.
func TestDoneNeverAlone(t *testing.T) {
	story := bridge.Story{V: 1, ID: "m-1-0", State: bridge.Delivered}
	told := story
	told.Told = true
	tests := []struct {
		name   string
		stream string // whose file is written first
		before func(context.Context, *queue.Store) error
		done   func(context.Context, *queue.Store) error
		there  func(context.Context, *queue.Store) bool
	}{
		{
			"a mark", "KV_marks",
			func(context.Context, *queue.Store) error { return nil },
			func(ctx context.Context, s *queue.Store) error { return s.SetMark(ctx, "mark", []byte("1")) },
			func(ctx context.Context, s *queue.Store) bool {
				_, err := s.Mark(ctx, "mark")
				return err == nil
			},
		},
		{
			"a sender who was told", "SENT",
			func(ctx context.Context, s *queue.Store) error {
				_, err := s.PutStory(ctx, story, 0, true)
				return err
			},
			func(ctx context.Context, s *queue.Store) error {
				_, rev, err := s.Story(ctx, story.ID)
				if err == nil {
					_, err = s.PutStory(ctx, told, rev, false)
				}
				return err
			},
			func(ctx context.Context, s *queue.Store) bool {
				st, _, err := s.Story(ctx, story.ID)
				return err == nil && st.Told
			},
		},
		{
			"a part that is gone", "KV_parts",
			savePart,
			func(ctx context.Context, s *queue.Store) error {
				_, rev, err := s.LoadPart(ctx, "part")
				if err == nil {
					err = s.DeletePart(ctx, "part", rev)
				}
				return err
			},
			func(ctx context.Context, s *queue.Store) bool {
				_, _, err := s.LoadPart(ctx, "part")
				return errors.Is(err, bridge.ErrNotFound)
			},
		},
		{
			"a part", "KV_parts",
			func(context.Context, *queue.Store) error { return nil },
			savePart,
			func(ctx context.Context, s *queue.Store) bool {
				_, _, err := s.LoadPart(ctx, "part")
				return err == nil
			},
		},
	}
	disk.Namespaced(t, func(t *testing.T) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				m := disk.Mount(t, disk.Ext4, 1)
				dir := filepath.Join(m.Dir, "data")
				s := open(t, dir)
				wantError(t, tt.before(t.Context(), s), nil)
				wantError(t, m.Sync(), nil)
				appendAll(t, s, entry(bridge.EntryMO, ann, 1, "what was done"))
				wantError(t, tt.done(t.Context(), s), nil)
				syncStream(t, dir, tt.stream)
				m.Cut()
				_ = s.Close() // without power
				m.PowerUp()

				s, err := queue.Open(t.Context(), queue.Config{Dir: dir, MinFree: -1})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if !tt.there(t.Context(), s) {
					t.Fatal("it is not there, so that this shows nothing")
				}
				if got, err := s.Messages(t.Context(), ann, phone(1), 1); err != nil || len(got) != 1 {
					t.Errorf("it is there without what was done: %v, %v", got, err)
				}
			})
		}
	})
}

// syncStream writes the messages of one stream to the disk.
func syncStream(t *testing.T, dir, stream string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "nats/jetstream/*/streams", stream, "msgs/*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("stream %s has no file: %v", stream, err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		wantError(t, err, nil)
		wantError(t, f.Sync(), nil)
		wantError(t, f.Close(), nil)
	}
}

func savePart(ctx context.Context, s *queue.Store) error {
	_, err := s.SavePart(ctx, "part", []byte("1"), 0)
	return err
}
