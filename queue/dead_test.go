package queue_test

import (
	"context"
	"fmt"
	"testing"

	"smsbridge/bridge"
	"smsbridge/queue"
)

func letterID(n int) string { return fmt.Sprintf("m-%d é.*>", n) }

func TestDeadLetters(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 7 {
		for range 2 { // a crash in between stores it twice
			m := mt(n, 0)
			err := s.PublishDead(t.Context(), bridge.Dead{V: 1, ID: letterID(n), Stage: "MT", Reason: bridge.ReasonInternal, MT: &m})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, limit := range []int{1, 3, 7, 100} {
		all, total, err := s.DeadLetters(t.Context(), limit)
		if err != nil || total != 7 || len(all) != min(limit, 7) {
			t.Fatalf("limit %d: %d of %d, %v", limit, len(all), total, err)
		}
		for i, d := range all {
			if d.ID != letterID(6-i) || d.MT.Phone != phone(6-i) {
				t.Errorf("limit %d: letter %d is %+v", limit, i, d)
			}
		}
	}
	d, err := s.DeadLetter(t.Context(), letterID(3))
	if err != nil || d.ID != letterID(3) {
		t.Errorf("got %+v, %v", d, err)
	}
	_, err = s.DeadLetter(t.Context(), "m")
	wantError(t, err, bridge.ErrNotFound)
	for range 2 {
		wantError(t, s.RemoveDead(t.Context(), letterID(3), bridge.Audit{V: 1, ID: letterID(3), Stage: "MT", By: "op"}), nil)
	}
	_, err = s.DeadLetter(t.Context(), letterID(3))
	wantError(t, err, bridge.ErrNotFound)
	if _, total, err := s.DeadLetters(t.Context(), 1); total != 6 || err != nil {
		t.Errorf("%d letters, %v", total, err)
	}
	if audits, err := s.Audits(t.Context(), 10); err != nil || len(audits) != 2 || audits[0].By != "op" {
		t.Errorf("on record is %+v, %v", audits, err)
	}
}

// What could not be decoded goes back to where it was, and dies again if nothing changed.
func TestRequeueUndecodable(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, listen)
	_, js := client(t, s)
	if _, err := js.Publish(t.Context(), "mt.default.0", []byte("{")); err != nil {
		t.Fatal(err)
	}
	stop := work(t, s, func(context.Context, bridge.MT) error { return nil })
	queued(t, s, "mt", 0)
	stop()
	d := deadLetter(t, s)
	wantError(t, s.RequeueDead(t.Context(), d), nil)
	wantError(t, s.RemoveDead(t.Context(), d.ID, bridge.Audit{Stage: d.Stage}), nil)
	queued(t, s, "mt", 1)
	work(t, s, func(context.Context, bridge.MT) error { return nil })
	queued(t, s, "mt", 0)
	if again := deadLetter(t, s); again.ID != d.ID || string(again.Raw) != "{" {
		t.Errorf("got %+v", again)
	}
}

// The dead letters are bounded: the oldest go.
func TestDeadLettersBounded(t *testing.T) {
	s := open(t, t.TempDir(), func(c *queue.Config) { c.DeadMaxBytes = 4096 })
	for n := range 50 {
		m := mt(n, 0)
		wantError(t, s.PublishDead(t.Context(), bridge.Dead{V: 1, ID: letterID(n), Stage: "MT", MT: &m}), nil)
	}
	all, total, err := s.DeadLetters(t.Context(), 100)
	if err != nil || total == 0 || total >= 50 || all[0].ID != letterID(49) {
		t.Errorf("%d letters, %v", total, err)
	}
}
