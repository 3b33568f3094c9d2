package ops

import (
	"testing"
	"time"
)

// TestReceiptsOfWhoIsGone: what another instance had counts after it has gone too.
func TestReceiptsOfWhoIsGone(t *testing.T) {
	said := map[string]time.Time{"orange": noon}
	h := NewHistory(Sources{ReceiptsElsewhere: func() map[string]time.Time { return said }})
	h.sample(t.Context())
	said = map[string]time.Time{"orange": noon.Add(-time.Hour), "blue": noon}
	h.sample(t.Context())
	said = nil
	if got := h.condition(t.Context()).elsewhere; len(got) != 2 || !got["orange"].Equal(noon) || !got["blue"].Equal(noon) {
		t.Errorf("%v", got)
	}
}
