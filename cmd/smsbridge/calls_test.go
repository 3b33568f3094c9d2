package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp/smsc"
)

// records reads the call-detail records of a data directory, by message id; a line that is torn
// or stands twice fails the test.
func records(t *testing.T, dir string) map[string]bridge.Call {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "calls", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bridge.Call)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var c bridge.Call
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Errorf("%s: %q: %v", name, line, err)
			}
			if _, twice := all[c.ID]; twice {
				t.Errorf("%s stands twice", c.ID)
			}
			all[c.ID] = c
			if strings.Contains(line, "writes text") {
				t.Errorf("a text is in %s", line)
			}
		}
	}
	return all
}

// TestCallRecordsOverKills: the daemon is killed again and again while texts leave and their
// records are written. Every message that ended has one record, which says what its sender was told.
func TestCallRecordsOverKills(t *testing.T) {
	all, hashes := people("ann", "bob")
	c := crowd{people: all, phones: 20, perPhone: 10}
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	dir := t.TempDir()
	config := testConfig(dir, s.Addr(), hashes, `
routes: [{prefix: "+33", links: [main], cost_class: cheap}]
call_records: {max_size: 1MiB, phones: hashed, key: 0123456789abcdef}
`)
	const kills = 4
	for kill := range kills {
		p := startDaemon(t, config)
		c.at(p)
		if kill == 0 {
			c.write(t)
		}
		all[0].awaitFinal(t, (kill+1)*c.messages()/2/(kills+1))
		p.kill()
	}
	last := startDaemon(t, config)
	c.at(last)
	told := make(map[string]string)
	for _, p := range all {
		maps.Copy(told, p.awaitFinal(t, c.phones*c.perPhone))
	}
	// It writes what there is as it stops.
	if err := last.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-last.exited:
	case <-time.After(patience):
		t.Fatal("it does not stop")
	}
	found := records(t, dir)
	if len(found) != c.messages() {
		t.Errorf("%d records of %d messages", len(found), c.messages())
	}
	phones := make(map[string]bool)
	for phone := range c.phones {
		phones[hashedPhone([]byte("0123456789abcdef"), addressing.MustParseMSISDN(phoneOf(phone)))] = true
	}
	for id, state := range told {
		r, known := found[id]
		if !known || string(r.State) != state || !phones[r.Phone] || r.Segments != 1 || r.AcceptedAt.IsZero() || r.EndedAt.Before(r.AcceptedAt) {
			t.Errorf("%s was told %s; record %+v", id, state, r)
		}
		if known && state == "delivered" && (r.Route != "+33" || r.CostClass != "cheap" || r.Encoding != "gsm7" || r.Link != "main" ||
			len(r.SMSCIDs) != 1 || r.SMSCIDs[0] == "" || r.ReceiptAt.Before(r.SubmittedAt)) {
			t.Errorf("record %+v", r)
		}
	}
}
