package bridge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// overSMPP is a rig over a real link to the SMSC simulator.
func overSMPP(t *testing.T, opt options) (*rig, *smsc.Server) {
	t.Helper()
	simulator, err := smsc.New(smsc.Config{
		Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, BusyFor: 30 * time.Millisecond, RetryMin: time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, simulator.Run)
	var r *rig
	link, err := smpp.NewLink(smpp.LinkConfig{
		Name: "one", Account: "acme", Addr: simulator.Addr(), SystemID: "bridge", Password: "secret",
		BackoffMin: time.Millisecond, ResponseTimeout: time.Second, DrainTimeout: time.Millisecond,
		Store:  func(ctx context.Context, m bridge.MO) error { return r.StoreMO(ctx, m) },
		Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	links, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{link}, MaxSegments: 10})
	if err != nil {
		t.Fatal(err)
	}
	opt.carrier, opt.realTime = links, true
	r = newRig(t, opt)
	run(t, links.Run)
	return r, simulator
}

// run runs f until the test ends.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
}

// Over the wire: what the simulator's phones do to a message, and what its sender is told.
func TestOverSMPP(t *testing.T) {
	tests := []struct {
		name   string
		phone  string
		text   string
		state  bridge.State
		reason bridge.Reason
	}{
		{"short", "+33612300001", "Bonjour à tous", bridge.Delivered, ""},
		{"long, with an emoji", "+33612300002", strings.Repeat("déjà vu 🙂 ", 40), bridge.Delivered, ""},
		{"throttled for a while", "+33612300429", "Bonjour", bridge.Delivered, ""},
		{"refused for good", "+33612300404", "Bonjour", bridge.Failed, bridge.ReasonRejected},
		{"no answer", "+33612300408", "Bonjour", bridge.Unknown, bridge.ReasonUncertain},
		{"undeliverable", "+33612300410", "Bonjour", bridge.Failed, bridge.ReasonUndeliverable},
		{"expired", "+33612300419", "Bonjour", bridge.Expired, bridge.ReasonExpired},
		{"the receipt comes before the answer", "+33612300103", "Bonjour", bridge.Delivered, ""},
		{"the receipt comes twice", "+33612300208", "Bonjour", bridge.Delivered, ""},
		{"the receipt is in the other base", "+33612300303", "Bonjour", bridge.Delivered, ""},
	}
	r, _ := overSMPP(t, options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := r.accept(ann, addressing.MustParseMSISDN(tt.phone), tt.text, tt.name).ID
			var told []bridge.OUT
			r.messenger.until(t, "the end", func(all []bridge.OUT) bool {
				told = told[:0]
				for _, out := range all {
					if out.NetworkID == tt.name {
						told = append(told, out)
					}
				}
				return len(told) > 0
			})
			if len(told) != 1 || told[0].State != tt.state || told[0].Reason != tt.reason {
				t.Errorf("told %+v, story %+v", told, r.story(id))
			}
			if s := r.story(id); s.Attempts != 0 {
				t.Errorf("story %+v", s)
			}
		})
	}
}

// A long answer crosses back over the wire, whole.
func TestAnswerOverSMPP(t *testing.T) {
	r, simulator := overSMPP(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	text := strings.Repeat("ça va 🙂 ", 60)
	if _, err := simulator.Send(phone, number.String(), text); err != nil {
		t.Fatal(err)
	}
	got := r.messenger.of(t, ann, bridge.OUTText, 1)[0]
	if diff := cmp.Diff(text, got.Text); diff != "" {
		t.Error(diff)
	}
}
