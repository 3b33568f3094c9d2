package queue_test

import (
	"testing"

	"smsbridge/bridge"
)

// TestStoryThatIsNotThere: that there is none is remembered until there is one.
func TestStoryThatIsNotThere(t *testing.T) {
	s := open(t, t.TempDir())
	story := bridge.Story{V: 1, ID: "m-1-0", State: bridge.Submitting}
	for range 2 {
		if _, _, err := s.Story(t.Context(), story.ID); err == nil {
			t.Fatal("a story of nothing")
		} else {
			wantError(t, err, bridge.ErrNotFound)
		}
	}
	rev, err := s.PutStory(t.Context(), story, 0, false)
	wantError(t, err, nil)
	if got, at, err := s.Story(t.Context(), story.ID); err != nil || at != rev || got.State != story.State {
		t.Errorf("%+v at %d, %v; want it at %d", got, at, err, rev)
	}
	_, err = s.PutStory(t.Context(), story, 0, false)
	wantError(t, err, bridge.ErrConflict)
	if _, at, err := s.Story(t.Context(), story.ID); err != nil || at != rev {
		t.Errorf("after a conflict: revision %d, %v; want %d", at, err, rev)
	}
}
