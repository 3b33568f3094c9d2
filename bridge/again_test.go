package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
)

// doubting knows of which messages the SMSC may have missed the answer, all of which came
// over connections that are up.
type doubting struct {
	inDoubt map[string]bool // by id; each once
	asked   []string        // the connections
	of      []bridge.Doubt  // and what was asked of each
}

func (*doubting) Fell(context.Context, string) bool { return false }

func (d *doubting) Doubted(_ context.Context, session string, q bridge.Doubt) bool {
	d.asked, d.of = append(d.asked, session), append(d.of, q)
	yes := d.inDoubt[q.ID]
	delete(d.inDoubt, q.ID)
	return yes
}

// What the SMSC sends again over another bind, since the answer of the first was no or late: the
// first is asked about, whichever was stored first.
func TestSentAgainOverAnotherBind(t *testing.T) {
	tests := []struct {
		name    string
		inDoubt []int // of the messages, which all say the same
		after   []time.Duration
		order   []int // in which they are dispatched
		want    int
		asked   []string
	}{
		{"nobody doubts", nil, []time.Duration{0, time.Second}, []int{0, 1}, 2, []string{"s"}},
		{"the first is in doubt", []int{0}, []time.Duration{0, time.Second}, []int{0, 1}, 1, []string{"s"}},
		{"the first is in doubt, and stored last", []int{0}, []time.Duration{0, time.Second}, []int{1, 0}, 1, []string{"s"}},
		{"the second is in doubt, and came again nowhere", []int{1}, []time.Duration{0, time.Second}, []int{0, 1}, 2, []string{"s"}},
		{"minutes later", []int{0}, []time.Duration{0, 9 * time.Minute}, []int{0, 1}, 1, []string{"s"}},
		{"too late", []int{0}, []time.Duration{0, 11 * time.Minute}, []int{0, 1}, 2, nil},
		{"sent again twice", []int{0, 1}, []time.Duration{0, time.Second, time.Second}, []int{0, 1, 2}, 1, []string{"s", "t"}},
		{"the person says it again after that", []int{0}, []time.Duration{0, time.Second, time.Second}, []int{0, 1, 2}, 2, []string{"s", "t"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doubts := &doubting{inDoubt: make(map[string]bool)}
			r := newRig(t, options{sessions: doubts})
			r.send(ann, phone, "Bonjour", "1")
			var sessions []*session
			for i := range tt.after {
				sessions = append(sessions, r.bind(string(rune('s'+i))))
			}
			received := time.Hour
			r.clock.pass(received)
			var all []bridge.MO
			came := make(map[string]bridge.MO)
			for i, after := range tt.after {
				r.clock.pass(after)
				received += after
				m := up(r.text(sessions[i], phone, number, "ok"), 0, received)
				all, came[m.ID] = append(all, m), m
			}
			for _, i := range tt.inDoubt {
				doubts.inDoubt[all[i].ID] = true
			}
			for _, i := range tt.order {
				if err := r.DispatchMO(t.Context(), all[i]); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.asked, doubts.asked); diff != "" {
				t.Error(diff)
			}
			for _, q := range doubts.of {
				if m := came[q.Again]; !q.CameAt.Equal(m.ReceivedAt) || q.Came != m.Received {
					t.Errorf("%s came at %v, %v; asked with %v, %v", q.Again, m.ReceivedAt, m.Received, q.CameAt, q.Came)
				}
			}
			if got := r.told(ann, tt.want); len(got) != tt.want {
				t.Errorf("ann reads %q, want %d", got, tt.want)
			}
		})
	}
}
