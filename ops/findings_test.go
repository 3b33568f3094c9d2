package ops_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"smsbridge/ops"
)

// What is wrong is told over HTTP, with the messages that wait on the routes of a link that is down.
func TestFindings(t *testing.T) {
	links := func() []ops.LinkState {
		return []ops.LinkState{{Name: "orange", Account: "orange", Status: ops.LinkDown, Since: time.Now().Add(-4 * time.Minute), LastError: "connection refused"}}
	}
	history := ops.NewHistory(ops.Sources{
		Links: links,
		Depths: func(context.Context) ([]ops.QueueDepth, error) {
			return []ops.QueueDepth{{Stage: "mt", Messages: 214}}, nil
		},
	})
	base := serve(t, ops.Config{History: history, Control: &ops.Control{
		Links: links, LinkCounts: func() []ops.LinkCounts { return nil },
		Routes: func() []ops.RouteState {
			return []ops.RouteState{{Name: "all", Links: []string{"orange"}, Waiting: 214, OldestAt: time.Now().Add(-4 * time.Minute)}}
		},
	}})
	status, _, body := get(t, base+"/admin/v1/findings")
	var got ops.Findings
	decode(t, body, &got)
	const want = "Link orange has been down for 4 min: connection refused. 214 messages wait, the oldest for 4 min."
	if status != 200 || got.Summary != want || len(got.Findings) != 1 || got.Findings[0].Severity != ops.SeverityError {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body = get(t, base+"/admin/v1/history"); status != 200 || !strings.Contains(body, `"step_seconds":10,"at":[]`) {
		t.Errorf("%d %s", status, body)
	}
}
