package bridge_test

import (
	"slices"
	"strings"
	"testing"

	"smsbridge/bridge"
)

// TestAgainWhileItWaits: a message that has not been tried has no story yet. A repeat of it is
// the same message all the same, and another text under its id is refused, or where the bridge
// has forgotten the first one meanwhile, not sent and not lost without a word.
func TestAgainWhileItWaits(t *testing.T) {
	for _, tt := range []struct {
		name      string
		text      string // of the second
		forgotten bool   // what the process remembers of the first
		refused   bool
		told      int // that it was not sent
	}{
		{"the same", "Bonjour", false, false, 0},
		{"the same, after a restart", "Bonjour", true, false, 0},
		{"another text", "Bonsoir", false, true, 0},
		{"another text, after a restart", "Bonsoir", true, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true})
			first := r.accept(ann, phone, "Bonjour", "1")
			if tt.forgotten {
				r.restart()
			}
			again, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: phone.String(), Text: tt.text, NetworkID: "1"})
			if tt.refused {
				wantRefusal(t, err, bridge.ReasonIDReused)
			} else if err != nil || again.ID != first.ID || again.State != bridge.Accepted {
				t.Fatalf("the second is %+v, %v", again, err)
			}
			waiting := int(r.queued("mt"))
			defer r.work()()
			r.mt.wait(t, "all that waits", waiting)
			if got := r.carrier.texts(); !slices.Equal(got, []string{"Bonjour"}) {
				t.Errorf("submits %q", got)
			}
			told := 0
			for _, line := range r.log(ann, phone) {
				if strings.Contains(line, `"Bonsoir" was not sent`) {
					told++
				}
			}
			if told != tt.told {
				t.Errorf("told %d times that it was not sent; want %d: %q", told, tt.told, r.log(ann, phone))
			}
		})
	}
}
