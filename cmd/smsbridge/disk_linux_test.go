package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"smsbridge/internal/disk"
	"smsbridge/internal/peers"
	"smsbridge/smpp/smsc"
)

// TestDiskFull: the disk fills up under the daemon, to the last byte. People are told so, what
// they had written before arrives, and what they write afterwards too, without a restart.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted here (%v): %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	all, hashes := people("ann")
	ann := all[0]
	smscAddr := peers.FreeAddress(t)
	p := startDaemon(t, testConfig(filepath.Join(dir, "data"), smscAddr, hashes, "queue: {min_free: 1MiB}\n"))
	ann.base = p.web
	accepted := 0
	send := func() message {
		m, err := ann.send(t.Context(), phoneOf(accepted%10), fmt.Sprint("text ", accepted), fmt.Sprint(accepted))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	take := func(n int) {
		for range n {
			if m := send(); m.Code != http.StatusAccepted {
				t.Fatalf("%+v", m)
			}
			accepted++
		}
	}
	take(50)
	free := disk.Fill(t, dir)
	m := send()
	for ; m.Code == http.StatusAccepted; m = send() {
		accepted++ // in blocks that the store had already
	}
	if m.Code != http.StatusServiceUnavailable || m.Reason != "queue_full" || m.Detail == "" {
		t.Errorf("on a full disk: %+v; want 503 queue_full and words", m)
	}
	if code := statusOf(t, p.ops+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("ready on a full disk: %d", code)
	}
	free()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if m := send(); m.Code == http.StatusAccepted {
			accepted++
			break
		} else if time.Now().After(end) {
			t.Fatalf("with room again: %+v", m)
		}
	}
	take(50)
	s := startSMSC(t, smsc.Config{Addr: smscAddr, ReceiptDelay: time.Millisecond})
	if ended := ann.awaitFinal(t, accepted); len(ended) < accepted {
		t.Errorf("%d of %d messages ended", len(ended), accepted)
	}
	arrived := 0
	for n := range 10 {
		got := texts(t, s, phoneOf(n))
		for i, text := range got {
			if want := fmt.Sprint("text ", n+10*i); text != want {
				t.Errorf("phone %d got %q, want %q", n, text, want)
			}
		}
		arrived += len(got)
	}
	if arrived != accepted {
		t.Errorf("%d of %d texts arrived", arrived, accepted)
	}
}

func statusOf(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
