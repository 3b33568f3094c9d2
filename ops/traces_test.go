package ops_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"

	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/ops"
)

var _ bridge.Tracer = (*ops.Traces)(nil)

// runTraces runs t until the function that it returns is called.
func runTraces(tb testing.TB, t *ops.Traces) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- t.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

func one(got []peers.CollectedSpan) bool { return len(got) >= 1 }

// What is recorded comes to the collector as it was, under the names that it was given.
func TestTracesAreSent(t *testing.T) {
	c := peers.NewCollector(t)
	traces := ops.NewTraces(ops.TracesConfig{
		Endpoint: c.Endpoint, Headers: map[string]string{"Authorization": "Bearer abc"}, Sample: 1, Flush: time.Minute, Instance: "one", Version: "v1", Logger: zerolog.Nop(),
	})
	stop := runTraces(t, traces)
	parent := bridge.ParseTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	self, link := traces.Begin(parent), traces.Begin("")
	traces.Record(bridge.Span{
		Name: bridge.SpanSubmitSM, Self: self, Parent: parent, From: noon, To: noon.Add(time.Second), Links: []bridge.Trace{link},
		MessageID: "m", Phone: "+336*****678", Number: "+33700000001", Network: "web", Route: "+33", Link: "main-1", Account: "main", SMSCID: "17",
		Attempt: 2, Segment: 1, Segments: 3, Outcome: "sent", Status: "ESME_RMSGQFUL", State: "failed", Reason: "rejected", Failed: true,
	})
	got := c.Until(t, "a span", one)[0]
	want := map[string]string{
		"smsbridge.message_id": "m", "smsbridge.msisdn": "+336*****678", "smsbridge.number": "+33700000001", "smsbridge.network": "web", "smsbridge.route": "+33",
		"smsbridge.link": "main-1", "smsbridge.smsc": "main", "smsbridge.smsc_id": "17", "smsbridge.attempt": "2", "smsbridge.segment": "1", "smsbridge.segments": "3",
		"smsbridge.outcome": "sent", "smsbridge.status": "ESME_RMSGQFUL", "smsbridge.state": "failed", "smsbridge.reason": "rejected",
	}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"service.name": "smsbridge", "service.version": "v1", "service.instance.id": "one"}, got.Resource); diff != "" {
		t.Error(diff)
	}
	if got.Trace != parent.ID() || got.ID != self.SpanID() || got.Parent != parent.SpanID() || got.Name != "submit_sm" ||
		got.Kind != tracepb.Span_SPAN_KIND_CLIENT || got.Status.Code != tracepb.Status_STATUS_CODE_ERROR || got.Status.Message != "rejected" ||
		got.StartTimeUnixNano != uint64(noon.UnixNano()) || got.EndTimeUnixNano != uint64(noon.Add(time.Second).UnixNano()) ||
		len(got.Links) != 1 || fmt.Sprintf("%x", got.Links[0].TraceId) != link.ID() {
		t.Errorf("%+v", got)
	}
	// A first span of a trace; its clock was set back. And what has no name is nothing.
	traces.Record(bridge.Span{Name: bridge.SpanIntake, Self: link, From: noon, To: noon.Add(-time.Second)})
	traces.Record(bridge.Span{Name: bridge.SpanIntake})
	stop()
	all := c.Until(t, "two spans", func(all []peers.CollectedSpan) bool { return len(all) == 2 })
	if root := all[1]; root.Trace != link.ID() || root.ID != link.SpanID() || root.Parent != "" || root.EndTimeUnixNano != root.StartTimeUnixNano || root.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
		t.Errorf("%+v", root)
	}
	if s := traces.Stats(); s != (ops.TraceStats{Sent: 2}) {
		t.Errorf("%+v", s)
	}
	if h := c.Requests()[0]; h.Get("Authorization") != "Bearer abc" || h.Get("User-Agent") != "smsbridge/v1" {
		t.Errorf("%v", h)
	}
}

// Which messages are traced is decided once, by the share or by who began the trace.
func TestTracesSample(t *testing.T) {
	for _, share := range []float64{0, 0.25, 1} {
		traces := ops.NewTraces(ops.TracesConfig{Sample: share})
		begun := make(map[string]bool)
		const tries = 4000
		for range tries {
			if b := traces.Begin(""); b != "" {
				if bridge.ParseTrace(string(b)) != b || !b.Sampled() {
					t.Fatalf("%q", b)
				}
				begun[b.ID()] = true
			}
		}
		// Of 4000 at 1 in 4 the standard deviation is 27.
		if n, want := float64(len(begun)), share*tries; n < want-300 || n > want+300 || share != 0.25 && n != want {
			t.Errorf("%g of %d at %g", n, tries, share)
		}
		const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
		if got := traces.Begin(theirs + "01"); got.ID() != bridge.Trace(theirs+"01").ID() || got == theirs+"01" {
			t.Errorf("below a sampled one: %q", got)
		}
		if got := traces.Begin(theirs + "00"); got != "" {
			t.Errorf("below one that is not sampled: %q", got)
		}
	}
}

func span(traces *ops.Traces) bridge.Span {
	return bridge.Span{Name: bridge.SpanIntake, Self: traces.Begin(""), From: noon, To: noon}
}

// A collector that is busy for a moment is asked again; one that refuses is not. Each loss is counted and logged.
func TestTracesRefused(t *testing.T) {
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), "too old")
	partial = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
	tests := []struct {
		name   string
		status []int
		body   []byte
		want   ops.TraceStats
		logged string
	}{
		{"busy", []int{503, 200}, nil, ops.TraceStats{Sent: 1}, "503"},
		{"too many", []int{429, 502, 200}, nil, ops.TraceStats{Sent: 1}, "429"},
		{"not allowed", []int{401}, nil, ops.TraceStats{Lost: 1, Failing: true}, "401"},
		{"a defect of theirs", []int{500}, nil, ops.TraceStats{Lost: 1, Failing: true}, "500"},
		{"elsewhere", []int{307}, nil, ops.TraceStats{Lost: 1, Failing: true}, "307"},
		{"not all", []int{200}, partial, ops.TraceStats{Lost: 1}, "the collector took the others"},
		{"an answer that is none", []int{200}, []byte("\xff\xff thank you"), ops.TraceStats{Sent: 1}, ""},
		{"a cut answer", []int{200}, partial[:3], ops.TraceStats{Sent: 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := peers.NewCollector(t)
			left := tt.status
			answered := make(chan struct{}, len(left)+1)
			c.Answers(func() (int, http.Header, []byte) {
				status := left[0]
				left = left[1:]
				answered <- struct{}{}
				return status, http.Header{"Location": {"/v1/traces"}}, tt.body
			})
			var log bytes.Buffer
			traces := ops.NewTraces(ops.TracesConfig{Endpoint: c.Endpoint, Sample: 1, Flush: time.Minute, Logger: zerolog.New(&log)})
			stop := runTraces(t, traces)
			traces.Record(span(traces))
			for range tt.status {
				<-answered
			}
			stop()
			if got := traces.Stats(); got != tt.want || len(left) > 0 || len(answered) > 0 {
				t.Errorf("%+v, %d answers left", got, len(left))
			}
			if !strings.Contains(log.String(), tt.logged) || strings.Count(log.String(), "\n") > 1 || (tt.logged == "") != (log.Len() == 0) {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

// While the collector is away nothing waits for it: what there is no room for is lost, and the log says so once a minute.
func TestTracesWithoutACollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		// No address: the request fails without a network, as it must in a bubble.
		traces := ops.NewTraces(ops.TracesConfig{Endpoint: "http://", Sample: 1, Logger: zerolog.New(&log)})
		stop := runTraces(t, traces)
		const n = 20_000
		for range n {
			traces.Record(span(traces))
		}
		synctest.Wait()
		queued := traces.Stats()
		if queued.Lost == 0 || queued.Sent > 0 || !queued.Failing {
			t.Errorf("%+v", queued)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := traces.Stats(); got.Lost <= queued.Lost || got.Sent > 0 {
			t.Errorf("%+v, before %+v", got, queued)
		}
		if lines := strings.Count(log.String(), "\n"); lines < 2 || lines > 11 {
			t.Errorf("%d lines: %s", lines, &log)
		}
		stop()
		if got := traces.Stats(); got.Lost != n {
			t.Errorf("at the end %+v", got)
		}
	})
}

// BenchmarkTraceRecord is what a span costs whoever records it: one submit_sm, with what it has.
func BenchmarkTraceRecord(b *testing.B) {
	traces := ops.NewTraces(ops.TracesConfig{Endpoint: "http://", Sample: 1, Logger: zerolog.Nop()})
	parent := traces.Begin("")
	for b.ReportAllocs(); b.Loop(); {
		traces.Record(bridge.Span{
			Name: bridge.SpanSubmitSM, Self: parent.Child(), Parent: parent, From: noon, To: noon.Add(time.Second), MessageID: "abcdefghijklmnopqrstuvwxyz",
			Phone: "+336*****678", Number: "+33700000001", Link: "main", Account: "main", SMSCID: "17", Segment: 1, Segments: 1,
		})
	}
}

// BenchmarkTraceSend is what a span costs altogether, until the collector has it: as many at once as there is room for.
func BenchmarkTraceSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	traces := ops.NewTraces(ops.TracesConfig{Endpoint: server.URL + "/v1/traces", Sample: 1, Logger: zerolog.Nop()})
	stop := runTraces(b, traces)
	defer stop()
	s := span(traces)
	s.MessageID, s.Phone, s.Number, s.Link, s.Account, s.SMSCID = "abcdefghijklmnopqrstuvwxyz", "+336*****678", "+33700000001", "main", "main", "17"
	recorded := uint64(0)
	for b.ReportAllocs(); b.Loop(); recorded++ {
		traces.Record(s)
		if recorded%512 == 0 { // full requests, and never more than there is room for
			for traces.Stats().Sent+4096 < recorded {
				runtime.Gosched()
			}
		}
	}
	if lost := traces.Stats().Lost; lost > 0 {
		b.Errorf("%d were lost", lost)
	}
}
