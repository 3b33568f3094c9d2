package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestFullJournal fills the journal with messages that have not ended, which stay and are no
// room for others, and with one that has, which goes.
func TestFullJournal(t *testing.T) {
	s := open(t, t.TempDir(), listen, func(c *queue.Config) { c.SentMaxMsgs = 4 })
	_, js := client(t, s)
	ctx := t.Context()
	publish(t, s, mt(1, 1))
	for n := range 3 {
		story := bridge.Story{V: 1, ID: fmt.Sprint("open", n), State: bridge.Sent}
		if _, err := s.PutStory(ctx, story, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutRef(ctx, "acme", "17", bridge.SegmentRef{V: 1, MessageID: "done"}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; { // what is known of the fill may be a second old
		err := s.PublishMT(ctx, mt(1, 2))
		if err != nil {
			wantError(t, err, bridge.ErrFull)
			break
		}
		if time.Now().After(end) {
			t.Fatal("a full journal takes more messages")
		}
	}
	done := bridge.Story{V: 1, ID: "done", Account: "acme", State: bridge.Delivered, Told: true, Segments: []bridge.Segment{{SMSCID: "17"}}}
	if _, err := s.PutStory(ctx, done, 0, true); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]string{
		"sent.msg.open0": "", "sent.msg.done": bridge.StoryKept.String(), "sent.id.acme.17": "10s",
	} {
		if got := awaitTTL(t, js, subject, want); got != want {
			t.Errorf("%s is kept for %q; want %q", subject, got, want)
		}
	}
	if ref, err := s.Ref(ctx, "acme", []string{"17"}); err != nil || ref.MessageID != "done" {
		t.Errorf("the receipt is repeated: %+v, %v", ref, err)
	}
	sent, err := js.Stream(ctx, "SENT")
	if err != nil {
		t.Fatal(err)
	}
	if err := sent.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); s.PublishMT(ctx, mt(1, 3)) != nil; {
		if time.Now().After(end) {
			t.Fatal("a journal with room again takes no messages")
		}
	}
}

// awaitTTL gives the time that the last record at a subject has, once it is the one wanted:
// that of an SMSC's id is written by the way.
func awaitTTL(t *testing.T, js jetstream.JetStream, subject, want string) (ttl string) {
	t.Helper()
	sent, err := js.Stream(t.Context(), "SENT")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		m, err := sent.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		if ttl = m.Header.Get(jetstream.MsgTTLHeader); ttl == want {
			break
		}
	}
	return ttl
}
