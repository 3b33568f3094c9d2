package bridge_test

import (
	"fmt"
	"testing"

	"smsbridge/bridge"
)

// A message whose dispatch finds that it has ended, and tells the sender first, is given up all
// the same.
func TestPurgeBesideDispatch(t *testing.T) {
	r := newRig(t, options{idle: true})
	story := r.accept(ann, phone, "Bonjour", "1")
	m := r.head()
	told := 0
	r.store.mu.Lock()
	r.store.onPutStory = func(s bridge.Story) error {
		if !s.Told {
			return nil
		}
		if told++; told > 1 {
			return nil // that of the dispatch
		}
		if err := r.DispatchMT(t.Context(), m); err != nil {
			t.Errorf("the dispatch: %v", err)
		}
		return fmt.Errorf("the record was changed: %w", bridge.ErrConflict)
	}
	r.store.mu.Unlock()
	if purged, err := r.Purge(t.Context(), m); err != nil || !purged {
		t.Errorf("purged %v, %v", purged, err)
	}
	if s := r.story(story.ID); s.State != bridge.Failed || s.Reason != bridge.ReasonPurged || !s.Told {
		t.Errorf("the story is %+v", s)
	}
	if purged, err := r.Purge(t.Context(), m); err != nil || purged {
		t.Errorf("again: purged %v, %v", purged, err)
	}
	if n := len(r.carrier.texts()); n != 0 {
		t.Errorf("it was sent %d times", n)
	}
}
