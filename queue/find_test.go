package queue_test

import (
	"fmt"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestFindQueued: a message is found by its id wherever it stands in a long queue, and so is a
// status of it; nothing else is, and nothing in an empty one.
func TestFindQueued(t *testing.T) {
	s := open(t, t.TempDir())
	stages := []string{"mt", "mo", "out"}
	find := func(id string) []queue.Queued {
		t.Helper()
		found, err := s.FindQueued(t.Context(), id, stages...)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := find("none"); len(found) != 0 {
		t.Errorf("in an empty queue: %+v", found)
	}
	const n = 1201 // more than two batches
	before := time.Now()
	for i := range n {
		m := bridge.OUT{V: 1, ID: fmt.Sprint("m", i, "-delivered"), Kind: bridge.OUTStatus, Handle: ann, Phone: phone(i % 50), At: time.Now()}
		if err := s.PublishOUT(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, mt(1, 0), mt(2, 0), mt(1, 1))
	for _, i := range []int{0, 499, 500, n - 1} {
		found := find(fmt.Sprint("m", i))
		if len(found) != 1 || found[0].Stage != "out" || found[0].OUT.ID != fmt.Sprint("m", i, "-delivered") || found[0].At.Before(before.Add(-time.Second)) {
			t.Errorf("m%d: %+v", i, found)
		}
	}
	if found := find(mt(1, 1).ID); len(found) != 1 || found[0].Stage != "mt" || found[0].MT.ID != mt(1, 1).ID {
		t.Errorf("an MT: %+v", found)
	}
	for _, id := range []string{"m", "m1201", "m0-deliver", ""} {
		if found := find(id); len(found) != 0 {
			t.Errorf("%q: %+v", id, found)
		}
	}
}

// TestSaid: what was said is found by phone, by handle, and by the message's id alone.
func TestSaid(t *testing.T) {
	s := open(t, t.TempDir())
	bob := addressing.MustParseHandle("xmpp:bob@corp.example")
	appendAll(t, s, entry(bridge.EntryMT, ann, 1, "a"), entry(bridge.EntryMT, bob, 1, "b"), entry(bridge.EntryStatus, ann, 1, "a"), entry(bridge.EntryMT, ann, 2, "c"))
	for _, tt := range []struct {
		name    string
		handles []addressing.Handle
		phone   addressing.MSISDN
		want    string
	}{
		{"a phone", nil, phone(1), "[mt a mt b status a]"},
		{"a handle", []addressing.Handle{ann}, addressing.MSISDN{}, "[mt a status a mt c]"},
		{"two names of a person", []addressing.Handle{ann, bob}, addressing.MSISDN{}, "[mt a mt b status a mt c]"},
		{"a conversation", []addressing.Handle{bob}, phone(1), "[mt b]"},
		{"nobody", nil, addressing.MSISDN{}, "[]"},
	} {
		got, err := s.Said(t.Context(), tt.handles, tt.phone, 10)
		if err != nil || fmt.Sprint(short(got)) != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, short(got), err, tt.want)
		}
	}
	for _, tt := range []struct {
		name  string
		h     addressing.Handle
		p     addressing.MSISDN
		since time.Time
		want  string
	}{
		{"by its id alone", addressing.Handle{}, addressing.MSISDN{}, time.Time{}, "[mt a status a]"},
		{"in its conversation", ann, phone(1), time.Now(), "[mt a status a]"},
		{"in another", bob, phone(1), time.Time{}, "[]"},
		{"later than it was", ann, phone(1), time.Now().Add(time.Hour), "[]"},
	} {
		got, err := s.SaidOf(t.Context(), "a", tt.h, tt.p, tt.since)
		if err != nil || fmt.Sprint(short(got)) != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, short(got), err, tt.want)
		}
	}
}
