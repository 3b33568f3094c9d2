package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestBench runs the smallest benchmark there is, with the SMSC in a process of its own.
func TestBench(t *testing.T) {
	t.Setenv(asDaemon, "1") // what it starts is the command itself
	dir := t.TempDir()
	var out, said bytes.Buffer
	code := execute(t.Context(), []string{"bench", "--data", dir, "--time", "1s", "--rate", "20", "--at-once", "8", "--json"}, &stdio{out: &out, err: &said})
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, &said)
	}
	var report benchReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v:\n%s", err, &out)
	}
	if len(report.Runs) != 2 {
		t.Fatalf("%d runs; want one without receipts and one with", len(report.Runs))
	}
	for _, run := range report.Runs {
		l := run.Latency
		if run.Rate <= 0 || run.SMSCCPU <= 0 || l.Accepted.P50 <= 0 || l.Final.P50 < l.Accepted.P50 || l.Final.P99 < l.Final.P50 {
			t.Errorf("%s: impossible figures: %+v", run.Name, run)
		}
		if len(run.Stages) == 0 {
			t.Errorf("%s: no stages", run.Name)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the queue is not removed: %v, %v", left, err)
	}
}

// TestBenchQueue fills a short queue, and starts on it.
func TestBenchQueue(t *testing.T) {
	t.Setenv(asDaemon, "1")
	dir := t.TempDir()
	var out, said bytes.Buffer
	args := []string{"bench", "queue", "--data", dir, "--time", "100ms", "--messages", "200", "--conversations", "50", "--at-once", "8", "--json"}
	if code := execute(t.Context(), args, &stdio{out: &out, err: &said}); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, &said)
	}
	var report benchQueueReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v:\n%s", err, &out)
	}
	fill, start := report.Fill, report.Start
	if fill.First <= 0 || fill.Last <= 0 || start.Opened <= 0 || start.Submit < start.Opened || start.Sent == 0 {
		t.Errorf("impossible figures: %+v", report)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the queue is not removed: %v, %v", left, err)
	}
}

// TestBenchBlocked measures for a moment.
func TestBenchBlocked(t *testing.T) {
	t.Setenv(asDaemon, "1")
	var out, said bytes.Buffer
	args := []string{"bench", "blocked", "--data", t.TempDir(), "--time", "200ms", "--rate", "50", "--rounds", "1", "--behind", "5", "--json"}
	if code := execute(t.Context(), args, &stdio{out: &out, err: &said}); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, &said)
	}
	var report benchBlockedReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v:\n%s", err, &out)
	}
	if len(report.Rounds) != 1 || report.Rounds[0].Free.Final.P50 <= 0 || report.Rounds[0].Blocked.Final.P50 <= 0 {
		t.Errorf("impossible figures: %+v", report)
	}
}

func TestQuantiles(t *testing.T) {
	var all []time.Duration
	for n := 1000; n > 0; n-- {
		all = append(all, time.Duration(n))
	}
	want := quantiles{P50: 501, P99: 991, Max: 1000}
	if got := quantilesOf(all); got != want {
		t.Errorf("quantiles of 1 to 1000: %+v; want %+v", got, want)
	}
	if got := quantilesOf(nil); got != (quantiles{}) {
		t.Errorf("quantiles of nothing: %+v", got)
	}
}
