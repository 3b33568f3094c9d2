package ops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// holds are kept in memory.
type holds struct {
	all    []bridge.Hold
	broken error
}

func (h *holds) Set(_ context.Context, kind bridge.HoldKind, name, by string, held bool) (bool, error) {
	if h.broken != nil {
		return false, h.broken
	}
	i := slices.IndexFunc(h.all, func(x bridge.Hold) bool { return x.Kind == kind && x.Name == name })
	switch {
	case held == (i >= 0):
		return false, nil
	case held:
		h.all = append(h.all, bridge.Hold{Kind: kind, Name: name, By: by, At: noon})
	default:
		h.all = slices.Delete(h.all, i, i+1)
	}
	return true, nil
}

func (h *holds) All() []bridge.Hold { return h.all }

// TestControl: a pause, a resume and a rebind are on record, say what they were about, and
// refuse names that there are not.
func TestControl(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		broken     error
		header     http.Header
		status     int
		want       string // in the body
		audit      string // of the last record
		held       string // afterwards, besides what was
		rebound    string
	}{
		{name: "a link", path: "/links/orange-2/pause", status: 200, want: `"changed":true`, audit: "pause link orange-2", held: "link orange-2"},
		{name: "an account", path: "/links/orange/pause", status: 200, want: `"changed":true`, audit: "pause link orange-1 orange-2", held: "link orange-1 link orange-2"},
		{name: "a pool", path: "/links/sfr/pause", status: 200, want: `"changed":true`, audit: "pause link sfr-1", held: "link sfr-1"},
		{name: "a link whose name is another's account", path: "/links/two/pause", status: 200, audit: "pause link two", held: "link two"},
		{name: "no link", path: "/links/nobody/pause", status: 404, want: "link ls lists them"},
		{name: "a link that is not paused", path: "/links/orange-1/resume", status: 200, want: `"changed":false`, audit: "resume link orange-1"},
		{name: "a link that is gone from the file", path: "/links/gone/resume", status: 200, want: `"changed":true`, audit: "resume link gone", held: "-"},
		{name: "a link that is gone cannot be paused", path: "/links/gone/pause", status: 404},
		{name: "a route", path: "/routes/+33,web:ann%231/pause", status: 200, audit: "pause route +33,web:ann#1", held: "route +33,web:ann#1"},
		{name: "no route", path: "/routes/+44/pause", status: 404, want: "link ls lists them"},
		{name: "a stage", path: "/stages/mt/pause", status: 200, audit: "pause stage mt", held: "stage mt"},
		{name: "no stage", path: "/stages/dead/pause", status: 404, want: "pause mt"},
		{name: "rebind an account", path: "/links/orange/rebind", status: 200, audit: "rebind link orange-1 orange-2", rebound: "orange-1 orange-2"},
		{name: "rebind none", path: "/links/nobody/rebind", status: 404, want: "link ls"},
		{name: "rebind one that a reload has just removed", path: "/links/two/rebind", status: 503, want: "not there any more", audit: "rebind link two: not done"},
		{name: "no record, no change", path: "/links/orange-2/pause", broken: errors.New("away"), status: 503, want: "nothing was changed"},
		{name: "another site's page", path: "/links/orange-2/pause", status: 403, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, audits := &holds{all: []bridge.Hold{{Kind: bridge.HoldLink, Name: "gone", At: noon, By: "ed"}}}, &trail{broken: tt.broken}
			var rebound []string
			base := serve(t, ops.Config{Audit: audits, Control: &ops.Control{
				Links: func() []ops.LinkState {
					return []ops.LinkState{
						{Name: "orange-1", Pool: "orange-1", Account: "orange"},
						{Name: "orange-2", Pool: "orange-2", Account: "orange"},
						{Name: "sfr-1", Pool: "sfr", Account: "corp"},
						{Name: "two", Pool: "two", Account: "two"},
						{Name: "three", Pool: "three", Account: "two"},
					}
				},
				LinkCounts: func() []ops.LinkCounts { return nil },
				Routes:     func() []ops.RouteState { return []ops.RouteState{{Name: "+33,web:ann#1"}} },
				Holds:      h,
				Rebind: func(name string) bool {
					rebound = append(rebound, name)
					return name != "two"
				},
			}})
			status, body := ask(t, base, http.MethodPost, "/admin/v1"+tt.path, tt.header)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s", status, body)
			}
			last := ""
			if n := len(audits.all); n > 0 {
				if last = audits.all[n-1].Action + " " + audits.all[n-1].Subject; audits.all[n-1].Failed != "" {
					last += ": not done"
				}
			}
			if last != tt.audit {
				t.Errorf("on record: %q, want %q", last, tt.audit)
			}
			want := strings.TrimSpace("link gone " + tt.held)
			if tt.held == "-" {
				want = ""
			}
			var held []string
			for _, x := range h.all {
				held = append(held, fmt.Sprint(x.Kind, " ", x.Name))
			}
			if got := strings.Join(held, " "); got != want {
				t.Errorf("held: %q, want %q", got, want)
			}
			if got := strings.Join(rebound, " "); tt.status == 200 && got != tt.rebound {
				t.Errorf("rebound: %q, want %q", got, tt.rebound)
			}
		})
	}
}

// TestHeldIsTold: who has paused something, and since when, stands wherever one looks, and makes
// nothing unready.
func TestHeldIsTold(t *testing.T) {
	h := &holds{all: []bridge.Hold{
		{Kind: bridge.HoldLink, Name: "one", At: noon, By: "ed"}, {Kind: bridge.HoldRoute, Name: "all", At: noon, By: "ed"}, {Kind: bridge.HoldStage, Name: "mt", At: noon, By: "ed"},
	}}
	links := func() []ops.LinkState {
		return []ops.LinkState{{Name: "one", Account: "a", Bind: "transceiver", Status: ops.LinkBound, Held: true}, {Name: "two", Account: "a", Bind: "receiver", Status: ops.LinkBound}}
	}
	base := serve(t, ops.Config{
		Registry: ops.NewRegistry("test", ops.Sources{Links: links}),
		Depths: func(context.Context) ([]ops.QueueDepth, error) {
			return []ops.QueueDepth{{Stage: "mt"}, {Stage: "mo"}}, nil
		},
		Control: &ops.Control{
			Links: links, LinkCounts: func() []ops.LinkCounts { return nil }, Holds: h,
			Routes: func() []ops.RouteState { return []ops.RouteState{{Name: "all"}, {Name: "+33"}} },
		},
	})
	const held, free = `"held":true,"held_since":"2030-01-02T12:00:00Z","held_by":"ed"}`, `"held":false}`
	for path, want := range map[string][]string{
		"/admin/v1/links": {held, free},
		"/admin/v1/queue": {`"oldest_age_seconds":0,` + held, `"oldest_age_seconds":0,` + free},
		"/readyz": {
			`"ready":true`, "link one is paused since 2030-01-02T12:00:00Z by ed", "route all is paused since", "stage mt is paused since",
		},
		"/metrics": {`smsbridge_smpp_link_held{account="a",link="one"} 1`, `smsbridge_smpp_link_held{account="a",link="two"} 0`},
	} {
		status, _, body := get(t, base+path)
		for _, w := range want {
			if status != 200 || !strings.Contains(body, w) {
				t.Errorf("%s: %d, %q is not in %s", path, status, w, body)
			}
		}
	}
}
