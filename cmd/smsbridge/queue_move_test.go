//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsbridge/internal/peers"
	"smsbridge/smpp/smsc"
)

// TestQueueMoves: a queue with texts that wait, and with texts that were sent and whose receipts
// are outstanding, goes on elsewhere as if nothing had been: each text arrives once and in order,
// and each receipt finds its text.
func TestQueueMoves(t *testing.T) {
	tests := []struct {
		name string
		to   func(*testing.T) string // the setting queue of the new place
	}{
		{"into another folder", func(*testing.T) string { return "" }},
		{"to a cluster of three", func(t *testing.T) string {
			return fmt.Sprintf("queue: {url: %q, replicas: 3, lease_time: %s}\n", peers.NATS(t, 3).URL(), leaseTime)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond})
			all, hashes := people("ann", "bob")
			sent, waiting := crowd{people: all, phones: 4, perPhone: 3}, crowd{people: all, phones: 4, perPhone: 9}
			from := testConfig(t.TempDir(), s.Addr(), hashes, "")
			// Nobody is there to take receipts.
			from = strings.Replace(from, "window: 20}", "window: 20, bind: transmitter}", 1)
			old := startDaemon(t, from)
			sent.at(old)
			sent.write(t)
			patiently(t, "the first texts to arrive", func() bool { return sent.arrived(t, s) == sent.messages() })
			fault(t, s, http.MethodPut, "/faults/throttled")
			waiting.write(t) // the first of each conversation again, by the same key: they are the same
			old.terminate(t)

			file := filepath.Join(t.TempDir(), "queue.export")
			done(t, "queue", "export", "--config", written(t, from), file)
			to := written(t, testConfig(t.TempDir(), s.Addr(), hashes, tt.to(t)))
			done(t, "queue", "import", "--config", to, file)
			fault(t, s, http.MethodDelete, "/faults/throttled")
			config, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			waiting.at(startDaemon(t, string(config)))
			if states := waiting.final(t); states["delivered"] != waiting.messages() {
				t.Errorf("final states: %v; want %d delivered", states, waiting.messages())
			}
			if arrived := waiting.check(t, s); arrived != waiting.messages() {
				t.Errorf("%d texts arrived; want %d", arrived, waiting.messages())
			}
		})
	}
}

// done runs a command line that must do what it says.
func done(t *testing.T, args ...string) (out string) {
	t.Helper()
	code, out, errs := smsbridge(t, "", args...)
	if code != exitOK {
		t.Fatalf("%v: code %d\n%s%s", args, code, out, errs)
	}
	t.Logf("%v:\n%s%s", args, out, errs)
	return out
}

// written is a file with a configuration.
func written(t *testing.T, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smsbridge.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fault switches a fault of the simulator.
func fault(t *testing.T, s *smsc.Server, method, path string) {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	if answer.Code >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
}

func TestQueueExportRefusals(t *testing.T) {
	_, hashes := people("ann")
	dir := t.TempDir()
	config := testConfig(dir, peers.FreeAddress(t), hashes, "")
	file := filepath.Join(t.TempDir(), "queue.export")
	refused := func(want string, args ...string) {
		t.Helper()
		code, _, errs := smsbridge(t, "", args...)
		if code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%v: code %d, %q; want %q", args, code, errs, want)
		}
	}
	path := written(t, config)
	refused("there is no queue in data_dir", "queue", "export", "-c", path, file)
	d := startDaemon(t, config)
	refused("in use by another smsbridge", "queue", "export", "-c", path, file)
	refused("no such file", "queue", "import", "-c", path, file)
	d.terminate(t)
	done(t, "queue", "export", "-c", path, file)
	refused("is there already", "queue", "export", "-c", path, file)
	done(t, "queue", "import", "-c", path, file) // what is there is empty
	if err := os.WriteFile(file, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("not an export", "queue", "import", "-c", path, file)
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("beside the export: %v, %v", left, err)
	}
}

// Root must not make files in a queue that the daemon, another user, then cannot read.
func TestQueueMovesForItsOwnerOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give a folder away")
	}
	_, hashes := people("ann")
	dir := filepath.Join(t.TempDir(), "data")
	config := testConfig(dir, peers.FreeAddress(t), hashes, "")
	startDaemon(t, config).terminate(t)
	path, file := written(t, config), filepath.Join(t.TempDir(), "queue.export")
	done(t, "queue", "export", "-c", path, file)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"export", "-c", path, file + ".2"}, {"import", "-c", path, "--replace", file}} {
		code, _, errs := smsbridge(t, "", append([]string{"queue"}, args...)...)
		if code != exitFailed || !strings.Contains(errs, dir+" belongs to ") || !strings.Contains(errs, "runuser") {
			t.Errorf("%v: code %d, %q", args, code, errs)
		}
	}
}
