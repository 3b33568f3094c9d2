package ops_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/ops"
)

func TestLinks(t *testing.T) {
	base := serve(t, ops.Config{Control: &ops.Control{
		Links: func() []ops.LinkState {
			return []ops.LinkState{
				{Name: "orange-1", Account: "orange", Bind: "transceiver", Status: ops.LinkBound, Since: noon, Window: 10, InUse: 3, Binds: 2, Rate: 50},
				{Name: "orange-2", Account: "orange", Bind: "transceiver", Status: ops.LinkDown, Since: noon, RetryAt: noon.Add(time.Second), Window: 10, LastError: "refused"},
			}
		},
		LinkCounts: func() []ops.LinkCounts {
			return []ops.LinkCounts{{Name: "orange-1", Account: "orange", Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: 7}, Segments: 8, MORefused: 1}}
		},
		Routes: func() []ops.RouteState {
			return []ops.RouteState{{Name: "all", Links: []string{"orange-1", "orange-2"}, Waiting: 4, OldestAt: noon}, {Name: "+33", Links: []string{"orange-2"}}}
		},
	}})
	status, _, body := get(t, base+"/admin/v1/links")
	var got ops.LinkList
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	want := ops.LinkList{
		Links: []ops.LinkRow{
			{
				Name: "orange-1", Account: "orange", Bind: "transceiver", Status: "bound", Since: noon, Window: 10, InUse: 3, Binds: 2, Rate: 50,
				Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: 7}, Segments: 8, MORefused: 1,
			},
			{Name: "orange-2", Account: "orange", Bind: "transceiver", Status: "down", Since: noon, RetryAt: noon.Add(time.Second), Window: 10, LastError: "refused"},
		},
		Routes: []ops.RouteRow{{Name: "all", Links: []string{"orange-1", "orange-2"}, Waiting: 4, OldestAt: noon}, {Name: "+33", Links: []string{"orange-2"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
