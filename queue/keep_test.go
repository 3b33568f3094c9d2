package queue_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// How long history, stories and dead letters are kept is the operator's choice, and a
// start with another choice keeps to that.
func TestRetention(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, js := connect(t, remote.ClientURL())
	for _, days := range []time.Duration{10, 30, 2} {
		const day = 24 * time.Hour
		s := open(t, "", external(remote), func(c *queue.Config) {
			c.LogFor, c.SentFor, c.DeadFor = days*day, (days+1)*day, (days+2)*day
		})
		for name, want := range map[string]time.Duration{"LOG": days, "SENT": days + 1, "DEAD": days + 2, "AUDIT": days + 2} {
			stream, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if got := stream.CachedInfo().Config.MaxAge; got != want*day {
				t.Errorf("%s is kept for %s, want %d days", name, got, want)
			}
		}
		wantError(t, s.Close(), nil)
	}
}

// What is older than that is in no history any more.
func TestHistoryEnds(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.LogFor = time.Second })
	appendAll(t, s, entry("mt", ann, 1, "0"))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		found, err := s.Messages(t.Context(), ann, phone(1), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still there: %+v", found)
		}
	}
	if all, err := s.Conversations(t.Context(), ann); err != nil || len(all) != 0 {
		t.Errorf("conversations %+v, %v", all, err)
	}
}

// TestWhatExpires: what is kept for a time goes after it, also where nobody looks. What waits, who
// a phone belongs to, and what operators decided stay, also over a restart.
func TestWhatExpires(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	short := func(c *queue.Config) {
		c.SentFor, c.LogFor, c.DeadFor, c.PartsFor, c.MarksFor = time.Second, time.Second, time.Second, time.Second, time.Second
	}
	s := open(t, dir, listen, short)
	publish(t, s, mt(1, 1))
	wantError(t, s.PublishMO(ctx, bridge.MO{V: 1, ID: "mo"}), nil)
	wantError(t, s.PublishOUT(ctx, bridge.OUT{V: 1, ID: "out", Handle: ann, Phone: phone(1)}), nil)
	wantError(t, s.SaveRecord(ctx, phone(1), addressing.Record{V: 3}, 0), nil)
	wantError(t, s.SaveBegun(ctx, ann, bridge.Begun{}, 0), nil)
	saveNote(t, s, "note", "{}", 0)
	wantError(t, s.PutRef(ctx, "acme", "17", bridge.SegmentRef{V: 1, MessageID: "m"}), nil)
	_, err := s.PutStory(ctx, bridge.Story{V: 1, ID: "m", State: bridge.Sent}, 0, true)
	wantError(t, err, nil)
	appendAll(t, s, entry("mt", ann, 1, "0"))
	wantError(t, s.PublishDead(ctx, bridge.Dead{V: 1, ID: "dead", Stage: "MT"}), nil)
	wantError(t, s.KeepAudit(ctx, bridge.Audit{V: 1}), nil)
	_, err = s.SavePart(ctx, "part", []byte("{}"), 0)
	wantError(t, err, nil)
	wantError(t, s.SetMark(ctx, "mark", []byte("{}")), nil)

	_, js := client(t, s)
	want := map[string]uint64{
		"MT": 1, "MO": 1, "OUT": 1, "KV_phones": 1, "KV_begun": 1, "KV_directory": 1,
		"SENT": 0, "LOG": 0, "DEAD": 0, "AUDIT": 0, "KV_parts": 0, "KV_marks": 0,
	}
	awaitCounts(t, js, want)
	wantError(t, s.Close(), nil)
	s = open(t, dir, listen, short)
	_, js = client(t, s)
	awaitCounts(t, js, want)
}

// awaitCounts waits until the streams hold as many messages as want says, and no other has any.
func awaitCounts(t *testing.T, js jetstream.JetStream, want map[string]uint64) {
	t.Helper()
	var got map[string]uint64
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = make(map[string]uint64)
		streams := js.ListStreams(t.Context())
		for info := range streams.Info() {
			got[info.Config.Name] = info.State.Msgs
		}
		wantError(t, streams.Err(), nil)
		if maps.Equal(got, want) {
			return
		}
	}
	t.Fatal(cmp.Diff(want, got))
}

// Texts that phones were told are taken wait among the parts, also while the bridge is off.
func TestPartsOutliveHolidays(t *testing.T) {
	s := open(t, t.TempDir(), listen)
	_, js := client(t, s)
	parts, err := js.Stream(t.Context(), "KV_parts")
	wantError(t, err, nil)
	if got := parts.CachedInfo().Config.MaxAge; got < bridge.PartsKept {
		t.Errorf("they are kept for %s", got)
	}
}
