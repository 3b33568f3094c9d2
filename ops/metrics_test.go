package ops_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
)

func sources() ops.Sources {
	return ops.Sources{
		Depths: func(context.Context) ([]ops.QueueDepth, error) {
			return []ops.QueueDepth{{Stage: "mt", Messages: 3, Bytes: 900, MaxBytes: 1000}}, nil
		},
		Stages: func() []ops.StageStats { return []ops.StageStats{{Stage: "mt", Published: 5, Panics: 1}} },
		Links: func() []ops.LinkState {
			return []ops.LinkState{
				{Name: "main", Account: "operator", Status: ops.LinkPaused, Window: 10, InUse: 4, Binds: 2},
				{Name: "spare", Account: "other", Status: ops.LinkQuarantined},
			}
		},
		LinkCounts: func() []ops.LinkCounts {
			return []ops.LinkCounts{{
				Name: "main", Account: "operator", Submits: map[bridge.Outcome]uint64{bridge.OutcomeSent: 6}, Segments: 8,
				Faults: ops.LinkFaults{LateResponses: 3},
			}}
		},
		Messengers: func() []ops.MessengerState { return []ops.MessengerState{{Network: "xmpp", Bounced: 2}} },
		Hub: func() bridge.Stats {
			return bridge.Stats{
				Accepted: 7, Refused: map[bridge.Refused]uint64{{Network: "xmpp", Reason: bridge.ReasonQueueFull}: 2},
				Submits: map[bridge.Outcome]uint64{bridge.OutcomeUnknown: 1},
				Ended: map[bridge.Ended]uint64{
					{State: bridge.Delivered}: 4, {State: bridge.Failed, Reason: bridge.ReasonUnreadable}: 1,
				},
				ReceiptsMatched: 4, ReceiptsDue: map[string]uint64{"gone": 3},
				Keywords: map[addressing.Keyword]uint64{addressing.KeywordStopAll: 2},
			}
		},
	}
}

func TestMetrics(t *testing.T) {
	registry := ops.NewRegistry("v1.2.3", sources())
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	_, _, body := get(t, serve(t, ops.Config{Registry: registry})+"/metrics")
	for _, want := range []string{
		`smsbridge_queue_up 1`,
		`smsbridge_queue_messages{stage="mt"} 3`,
		`smsbridge_queue_oldest_age_seconds{stage="mt"} 0`,
		`smsbridge_queue_panics_total{stage="mt"} 1`,
		`smsbridge_smpp_link_bound{account="operator",link="main"} 1`,
		`smsbridge_smpp_link_state{account="operator",link="main",state="paused"} 1`,
		`smsbridge_smpp_link_state{account="operator",link="main",state="quarantined"} 0`,
		`smsbridge_smpp_link_bound{account="other",link="spare"} 0`,
		`smsbridge_smpp_link_state{account="other",link="spare",state="quarantined"} 1`,
		`smsbridge_smpp_link_state{account="other",link="spare",state="down"} 0`,
		`smsbridge_smpp_link_state{account="other",link="spare",state="connecting"} 0`,
		`smsbridge_smpp_link_state{account="other",link="spare",state="bound"} 0`,
		`smsbridge_smpp_in_flight_requests{account="operator",link="main"} 4`,
		`smsbridge_smpp_submits_total{account="operator",link="main",outcome="sent"} 6`,
		`smsbridge_smpp_submits_total{account="operator",link="main",outcome="unknown"} 0`,
		`smsbridge_smpp_segments_total{account="operator",link="main"} 8`,
		`smsbridge_smpp_faults_total{account="operator",fault="late_response",link="main"} 3`,
		`smsbridge_smpp_faults_total{account="operator",fault="panic",link="main"} 0`,
		`smsbridge_messenger_connected{network="xmpp"} 0`,
		`smsbridge_messenger_bounces_total{network="xmpp"} 2`,
		`smsbridge_bridge_mt_refusals_total{network="xmpp",reason="queue_full"} 2`,
		`smsbridge_bridge_mt_refusals_total{network="xmpp",reason="bad_number"} 0`,
		`smsbridge_bridge_submits_total{outcome="unknown"} 1`,
		`smsbridge_bridge_submits_total{outcome="sent"} 0`,
		`smsbridge_bridge_mt_ended_total{reason="none",state="delivered"} 4`,
		`smsbridge_bridge_mt_ended_total{reason="unreadable",state="failed"} 1`,
		`smsbridge_bridge_mt_ended_total{reason="expired",state="expired"} 0`,
		`smsbridge_bridge_receipts_total{match="known"} 4`,
		`smsbridge_bridge_receipts_due_total{account="gone"} 3`,
		`smsbridge_bridge_receipts_came_total{account="gone"} 0`,
		`smsbridge_bridge_receipts_due_total{account="operator"} 0`,
		`smsbridge_bridge_receipts_came_total{account="operator"} 0`,
		`smsbridge_bridge_mo_keywords_total{keyword="stop_all"} 2`,
		`smsbridge_bridge_mo_keywords_total{keyword="stop"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("/metrics does not say %s", want)
		}
	}
	if !strings.Contains(body, `version="v1.2.3"`) || !strings.Contains(body, "go_goroutines") {
		t.Error("/metrics does not say what runs")
	}
}

func TestMetricsWithoutQueue(t *testing.T) {
	s := sources()
	s.Depths = func(context.Context) ([]ops.QueueDepth, error) { return nil, errors.New("no answer") }
	status, _, body := get(t, serve(t, ops.Config{Registry: ops.NewRegistry("test", s)})+"/metrics")
	if status != http.StatusOK || !strings.Contains(body, "smsbridge_queue_up 0\n") || strings.Contains(body, "smsbridge_queue_messages{") {
		t.Errorf("status %d; a depth that is not known must not be told", status)
	}
}
