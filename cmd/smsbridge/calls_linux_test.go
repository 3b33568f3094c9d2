package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsbridge/internal/disk"
	"smsbridge/smpp/smsc"
)

// TestCallRecordsOnAFullDisk: the disk of the records is full. Messages go on, the metrics tell it, and
// once there is room the records are made up, each once.
func TestCallRecordsOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	if err := os.Mkdir(calls, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", calls).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted here (%v): %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(calls, unix.MNT_DETACH) })
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, testConfig(dir, s.Addr(), hashes, "call_records: {}\n"))
	ann.base = p.web
	sent := 0
	send := func(n int) {
		for range n {
			if m, err := ann.send(t.Context(), phoneOf(sent%10), "text", fmt.Sprint(sent)); err != nil || m.Code != 202 {
				t.Fatalf("%+v, %v", m, err)
			}
			sent++
		}
		ann.awaitFinal(t, sent)
	}
	await := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not seen: %s", what)
			}
		}
	}
	send(3)
	await("the first records", func() bool { return p.metric(t, "smsbridge_ops_call_records_written_total") == 3 })
	free := disk.Fill(t, calls)
	send(40)
	// The last page of the file may take a few more.
	await("records that wait", func() bool {
		waiting, written := p.metric(t, "smsbridge_ops_call_records_waiting"), p.metric(t, "smsbridge_ops_call_records_written_total")
		return p.metric(t, "smsbridge_ops_call_records_failing") == 1 && waiting > 20 && waiting+written == 43
	})
	free()
	await("all records", func() bool { return p.metric(t, "smsbridge_ops_call_records_written_total") == 43 })
	if found := records(t, dir); len(found) != 43 {
		t.Errorf("%d records", len(found))
	}
	if p.metric(t, "smsbridge_ops_call_records_failing") != 0 || p.metric(t, "smsbridge_ops_call_records_lost_total") != 0 {
		t.Error("it still says that something is wrong")
	}
}
