package queue

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestPlainAnswer(t *testing.T) {
	for _, test := range []struct {
		data string
		want uint64 // 0: it is read as JSON
	}{
		{`{"stream":"MT","seq":17}`, 17},
		{`{"stream":"MT","seq":17,"duplicate": true}`, 0},
		{`{"stream":"MT","domain":"hub","seq":17}`, 17},
		{`{"error":{"code":503,"err_code":10077,"description":"no"},"stream":"MT","seq":0}`, 0},
		{`{"stream":"MT","seq":0}`, 0},
		{`{"stream":"MT", "seq":17}`, 0},
		{`{"stream":"MT","seq":}`, 0},
		{``, 0},
	} {
		if got, ok := plainAnswer([]byte(test.data)); got != test.want || ok != (test.want > 0) {
			t.Errorf("%s: %d, %t; want %d", test.data, got, ok, test.want)
		}
	}
}

// TestPublisher: what is refused, or never answered, says so, and nothing is kept of it.
func TestPublisher(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := s.publisher
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		subject string
		header  nats.Header
		want    error
	}{
		{"no stream", t.Context(), "nowhere", nil, jetstream.ErrNoStreamResponse},
		{"another revision", t.Context(), "sent.msg.x", nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"7"}}, jetstream.ErrKeyExists},
		{"nobody waits", gone, "nowhere", nil, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := p.publish(test.ctx, &nats.Msg{Subject: test.subject, Header: test.header})
			if !errors.Is(err, test.want) {
				t.Errorf("%v; want %v", err, test.want)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.waiting) > 0 {
				t.Errorf("%d answers are still waited for", len(p.waiting))
			}
		})
	}
}
