package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/rivo/uniseg"

	"smsbridge/bridge"
	"smsbridge/ops"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.Local)

// trouble is a daemon of which a link is down and another held.
func trouble() topAnswers {
	depth := make([]*float64, 360)
	for i := range depth {
		v := float64(i)
		depth[i] = &v
	}
	half := new(float64)
	*half = 0.5
	return topAnswers{
		Findings: ops.Findings{At: noon, Summary: "Link orange is down.", Findings: []ops.Finding{
			{Severity: ops.SeverityError, Kind: "link_down", Text: "Link orange has been down for 4 min: connection refused. 214 messages wait, the oldest for 4 min.", Advice: "Ask whether the SMSC is up."},
			{Severity: ops.SeverityNotice, Kind: "dead_letters", Text: "2 messages were given up.", Advice: "Drop them."},
		}},
		Queue: ops.Queue{Stages: []ops.QueueRow{
			{Stage: "mt", Messages: 214, OldestAgeSeconds: 240}, {Stage: "mo"}, {Stage: "out", Held: ops.Held{Held: true}}, {Stage: "dead", Messages: 2, OldestAgeSeconds: 7200},
		}},
		Links: ops.LinkList{
			Links: []ops.LinkRow{
				{Name: "orange", Status: ops.LinkDown, Since: noon.Add(-4 * time.Minute), Window: 10, LastError: "connection \x1b[2Jrefused", Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: 7, bridge.OutcomeThrottled: 2}},
				{Name: "a-link-with-a-very-long-name", Status: ops.LinkBound, LastError: "gone", Since: noon, Held: ops.Held{Held: true}},
			},
			Routes: []ops.RouteRow{{Name: "+33", Links: []string{"orange"}, Waiting: 214, OldestAt: noon.Add(-4 * time.Minute)}, {Name: "idle"}},
		},
		History: ops.Hour{Depth: map[string][]*float64{"mt": depth}, Rates: map[string][]*float64{"accepted": {nil, depth[3]}}, LatencySeconds: map[string][]*float64{
			"sent_p50": {half}, "sent_p99": {depth[2]}, "delivered_p50": {nil}, "delivered_p99": {depth[2]},
		}},
	}
}

func TestTopFrame(t *testing.T) {
	well := topAnswers{Findings: ops.Findings{At: noon, Summary: "All is well."}}
	for _, tt := range []struct {
		name  string
		state topState
		want  []string
		not   []string
	}{
		{name: "trouble", state: topState{answers: trouble(), width: 80, height: 24}, want: []string{
			"BROKEN    Link orange has been down for 4 min: connection refused. 214 messages", "          Ask whether the SMSC is up.", "to do     2 messages were given up.",
			"mt          214  4 min", "out           0  -          held", "dead          2  2 h", "A second  accepted 3\nLatency   with the SMSC in 500 ms (99 %: 2.0 s)\n\n",
			"orange         down        4 min       0/10        7       2", "a-link-with-a… held        0 s          0/0        0       0  earlier: gone", "+33                           214  4 min",
		}, not: []string{"\x1b", "idle", "Drop them", "q quits"}},
		{name: "colours", state: topState{answers: trouble(), width: 80, color: true}, want: []string{"\x1b[1;31mBROKEN    \x1b[0m", "\x1b[1;31mdown"}, not: []string{"\x1b[2J"}},
		{name: "a narrow and low window", state: topState{answers: trouble(), width: 40, height: 8}, want: []string{"BROKEN", "too low"}},
		{name: "all is well", state: topState{answers: well, width: 80, live: true}, want: []string{"OK        All is well.", "q quits", "12:00:00"}, not: []string{"LINK", "QUEUE"}},
		{name: "before the first answer", state: topState{width: 80}, want: []string{"Asking the daemon"}},
		{name: "no daemon", state: topState{width: 80, err: errors.New("no daemon answers at http://nowhere: is it running?"), lost: noon}, want: []string{"NO ANSWER no daemon answers"}, not: []string{"Asking"}},
		{name: "the daemon is gone", state: topState{answers: well, width: 80, err: errors.New("no daemon answers"), lost: noon}, want: []string{"NO ANSWER since 12:00:00; what is below is from then.", "All is well"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := topFrame(tt.state)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(got, not) {
					t.Errorf("%q is in\n%s", not, got)
				}
			}
			lines := strings.Split(got, "\n")
			if tt.state.height > 0 && len(lines) > tt.state.height {
				t.Errorf("%d lines", len(lines))
			}
			for _, line := range lines {
				if !tt.state.color && uniseg.StringWidth(line) > tt.state.width {
					t.Errorf("too wide: %q", line)
				}
			}
		})
	}
}

func TestSparkline(t *testing.T) {
	at := func(values ...float64) (all []*float64) {
		for _, v := range values {
			all = append(all, &v)
		}
		return all
	}
	hour := make([]*float64, 360)
	for i := range hour {
		hour[i] = at(float64(i % 36))[0]
	}
	hour[359] = at(70)[0]
	for _, tt := range []struct {
		name   string
		values []*float64
		cells  int
		want   string
	}{
		{"nothing", nil, 3, "   "},
		{"zeros", at(0, 0), 3, "  ▁"},
		{"the peak of a cell", hour, 10, "▅▅▅▅▅▅▅▅▅█ 70"},
		{"a gap", append(at(make([]float64, 36)...), make([]*float64, 36)...), 4, "   ▁"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sparkline(tt.values, tt.cells); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// The model asks again after each answer, keeps what it knew while the daemon is away, and quits.
func TestTopModel(t *testing.T) {
	away := errors.New("no daemon answers")
	var fails error
	m := tea.Model(topModel{ask: func(context.Context) (topAnswers, error) { return trouble(), fails }, state: topState{width: 80, height: 24}})
	step := func(msg tea.Msg) tea.Cmd {
		next, cmd := m.Update(msg)
		m = next
		return cmd
	}
	if step(m.Init()()) == nil {
		t.Error("it does not ask again")
	}
	shows := func(want string) {
		t.Helper()
		if got := m.View().Content; !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	shows("Link orange has been down")
	fails = away
	step(step(askNow{})())
	since := m.(topModel).state.lost
	shows("NO ANSWER")
	shows("Link orange has been down")
	step(step(askNow{})())
	if got := m.(topModel).state.lost; since.IsZero() || got != since {
		t.Errorf("away since %s, and before %s", got, since)
	}
	fails = nil
	step(step(askNow{})())
	if strings.Contains(m.View().Content, "NO ANSWER") {
		t.Error("it does not know that the daemon is back")
	}
	step(tea.WindowSizeMsg{Width: 40, Height: 5})
	if lines := strings.Split(m.View().Content, "\n"); len(lines) != 5 || utf8.RuneCountInString(lines[0]) > 40 {
		t.Errorf("%q", lines)
	}
	for _, key := range []tea.KeyPressMsg{{Code: 'q', Text: "q"}, {Code: tea.KeyEscape}, {Code: 'c', Mod: tea.ModCtrl}} {
		if cmd := step(key); cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("%s does not quit", key)
		}
	}
	if cmd := step(tea.KeyPressMsg{Code: 'x', Text: "x"}); cmd != nil {
		t.Error("x does something")
	}
}
