package bridge_test

import (
	"encoding/json"
	"strings"
	"testing"

	"smsbridge/bridge"
)

// TestEraseStory: a story loses who it is of once its message is over and its sender told, and the
// message is not sent again, whoever has it in hand.
func TestEraseStory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		over  func(r *rig, m bridge.MT)
		state bridge.State
	}{
		{"given up", func(r *rig, m bridge.MT) {
			if purged, err := r.Purge(r.t.Context(), m); err != nil || !purged {
				r.t.Fatalf("purged %v, %v", purged, err)
			}
		}, bridge.Failed},
		{"without its receipt", func(r *rig, m bridge.MT) {
			if err := r.DispatchMT(r.t.Context(), m); err != nil {
				r.t.Fatal(err)
			}
		}, bridge.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true})
			id := r.accept(ann, phone, "Bonjour", "1").ID
			m := r.head()
			if erased, err := r.EraseStory(t.Context(), id); !erased || err != nil {
				t.Errorf("without a story: %v, %v", erased, err)
			}
			tt.over(r, m)
			sent, told := len(r.carrier.texts()), len(r.log(ann, phone))
			for range 2 { // the second time there is nothing to do
				if erased, err := r.EraseStory(t.Context(), id); !erased || err != nil {
					t.Errorf("erased %v, %v", erased, err)
				}
			}
			s := r.story(id)
			said, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if s.State != tt.state || !s.Told || !s.Erased || strings.Contains(string(said), "ann") || strings.Contains(string(said), phone.Digits()) || s.Digest != "" || len(s.Segments) > 0 {
				t.Errorf("what stays is %s", said)
			}
			if tt.state == bridge.Unknown {
				told++
			}
			if n := len(r.log(ann, phone)); n != told {
				t.Errorf("the conversation is %q", r.log(ann, phone))
			}
			if err := r.DispatchMT(t.Context(), m); err != nil {
				t.Error(err)
			}
			if n := len(r.carrier.texts()); n != sent {
				t.Errorf("it was sent %d times", n)
			}
			if purged, err := r.Purge(t.Context(), m); purged || err != nil {
				t.Errorf("purged %v, %v", purged, err)
			}
		})
	}
}

// TestEraseStoryWhileSending: a message that is being sent is left.
func TestEraseStoryWhileSending(t *testing.T) {
	r := newRig(t, options{idle: true})
	id := r.accept(ann, phone, "Bonjour", "1").ID
	r.store.mu.Lock()
	asked := false
	r.store.onPutStory = func(s bridge.Story) error {
		if s.State != bridge.Sent || asked {
			return nil
		}
		asked = true
		if erased, err := r.EraseStory(t.Context(), id); erased || err != nil {
			t.Errorf("erased %v, %v", erased, err)
		}
		return nil
	}
	r.store.mu.Unlock()
	if err := r.DispatchMT(t.Context(), r.head()); err != nil || !asked {
		t.Errorf("asked %v, %v", asked, err)
	}
	if s := r.story(id); s.State != bridge.Sent || s.Erased {
		t.Errorf("the story is %+v", s)
	}
}
