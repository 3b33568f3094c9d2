package smsc_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// carry runs the bridge's links against a server until the test ends. What is stored
// comes out of the channel.
func carry(t *testing.T, addr string, store func(bridge.MO) error) (*smpp.Links, <-chan bridge.MO) {
	t.Helper()
	stored := make(chan bridge.MO, 1000)
	link, err := smpp.NewLink(smpp.LinkConfig{
		Name: "demo", Addr: addr, SystemID: "ann", ResponseTimeout: time.Second, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond,
		Store: func(_ context.Context, m bridge.MO) error {
			if store != nil {
				if err := store(m); err != nil {
					return err
				}
			}
			stored <- m
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	links, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{link}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- links.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return links, stored
}

func submission(id string, to addressing.MSISDN, text string) bridge.Submission {
	return bridge.Submission{ID: id, Number: addressing.MustParseNumber(ours), Phone: to, Text: text, ExpiresAt: time.Now().Add(time.Hour)}
}

// readMO reads one message as the hub does.
func readMO(t *testing.T, stored <-chan bridge.MO) (bridge.Short, bridge.MO) {
	t.Helper()
	select {
	case m := <-stored:
		short, err := (&smpp.Reader{Region: "FR"}).ReadMO(m)
		if err != nil {
			t.Fatal(err)
		}
		return short, m
	case <-time.After(patience):
		t.Fatal("no MO came")
		return bridge.Short{}, bridge.MO{}
	}
}

// The main road, over real SMPP: a long text to a phone, its receipts, and a long answer.
func TestLinksBothWays(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	events := watch(t, web(t, s))
	links, stored := carry(t, s.Addr(), nil)
	for i, text := range []string{"Hello, été", long} {
		result := links.Submit(t.Context(), submission(fmt.Sprint(i), phone, text))
		if result.Outcome != bridge.OutcomeSent || len(result.SMSCIDs) != result.Total {
			t.Fatalf("%+v", result)
		}
		shown := await(t, events, func(m smsc.Message) bool { return m.Direction == smsc.Received })
		if shown.Text != text || shown.From != ours || shown.Segments != result.Total {
			t.Errorf("the phone shows %q from %s", shown.Text, shown.From)
		}
		for _, id := range result.SMSCIDs {
			r, _ := readMO(t, stored)
			if r.Receipt == nil || !slices.Contains(r.Receipt.Candidates, id) || r.Receipt.State != bridge.ReceiptDelivered || r.Phone != phone {
				t.Errorf("%+v, want the receipt of %s", r, id)
			}
		}
	}
	for _, text := range []string{"Hi, été", long} {
		sent, err := s.Send(phone, ours, text)
		if err != nil {
			t.Fatal(err)
		}
		var parts []bridge.MO
		for range sent.Segments {
			short, m := readMO(t, stored)
			if short.Phone != phone || short.Number.String() != ours {
				t.Errorf("from %s to %s", short.Phone, short.Number)
			}
			parts = append(parts, m)
		}
		if got, err := (&smpp.Reader{}).JoinMO(parts); err != nil || got != text {
			t.Errorf("the bridge read %q, %v", got, err)
		}
		await(t, events, func(m smsc.Message) bool { return m.ID == sent.ID && m.State == smsc.Accepted })
	}
}

// What the bridge could not store comes again.
func TestLinksStoreFails(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	var tries atomic.Int32
	_, stored := carry(t, s.Addr(), func(bridge.MO) error {
		if tries.Add(1) <= 2 {
			return bridge.ErrFull
		}
		return nil
	})
	for _, text := range []string{"one", "two"} {
		if _, err := s.Send(phone, ours, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one", "two"} {
		if short, _ := readMO(t, stored); short.Text != want {
			t.Errorf("%q, want %q", short.Text, want)
		}
	}
	if n := tries.Load(); n != 4 {
		t.Errorf("%d tries", n)
	}
}

// Each magic number, as the bridge sees it.
func TestLinksMagic(t *testing.T) {
	s, _ := start(t, smsc.Config{BusyFor: time.Hour, LateAfter: 1500 * time.Millisecond})
	tests := []struct {
		suffix  string
		outcome bridge.Outcome
		receipt bridge.ReceiptState
	}{
		{"00500", bridge.OutcomeTemporary, ""},
		{"00404", bridge.OutcomePermanent, ""},
		{"00408", bridge.OutcomeUnknown, ""},
		{"00504", bridge.OutcomeUnknown, bridge.ReceiptDelivered},
		{"00410", bridge.OutcomeSent, bridge.ReceiptFailed},
		{"00419", bridge.OutcomeSent, bridge.ReceiptExpired},
		{"00204", bridge.OutcomeSent, ""},
		{"00103", bridge.OutcomeSent, bridge.ReceiptDelivered},
		{"00208", bridge.OutcomeSent, bridge.ReceiptDelivered},
		{"00303", bridge.OutcomeSent, bridge.ReceiptDelivered},
		{"00503", bridge.OutcomeThrottled, ""},
		{"00429", bridge.OutcomeThrottled, ""},
	}
	if len(tests) != len(smsc.Magic()) {
		t.Errorf("%d of %d magic numbers are tested", len(tests), len(smsc.Magic()))
	}
	links, stored := carry(t, s.Addr(), nil)
	for _, tt := range tests {
		t.Run(tt.suffix, func(t *testing.T) {
			to := addressing.MustParseMSISDN("+" + magicPrefix + tt.suffix)
			result := links.Submit(t.Context(), submission(tt.suffix, to, "a"))
			if result.Outcome != tt.outcome {
				t.Fatalf("%+v, want %s", result, tt.outcome)
			}
			if tt.receipt == "" {
				return
			}
			for {
				short, _ := readMO(t, stored)
				if short.Phone != to {
					continue // the second receipt of the number before
				}
				if short.Receipt == nil || short.Receipt.State != tt.receipt {
					t.Errorf("%+v, want %s", short.Receipt, tt.receipt)
				}
				return
			}
		})
	}
}

// The bridge finds the SMSC again after a restart.
func TestLinksSurviveARestart(t *testing.T) {
	addr := peers.FreeAddress(t)
	_, stop := start(t, smsc.Config{Addr: addr})
	links, stored := carry(t, addr, nil)
	for _, when := range []string{"before", "after"} {
		if result := links.Submit(t.Context(), submission(when, phone, when)); result.Outcome != bridge.OutcomeSent {
			t.Errorf("%s: %+v", when, result)
		}
		if short, _ := readMO(t, stored); short.Receipt == nil {
			t.Errorf("%s: %+v is no receipt", when, short)
		}
		if when == "after" {
			break
		}
		stop()
		s, _ := start(t, smsc.Config{Addr: addr})
		if _, err := s.Send(phone, ours, "Hi"); err != nil {
			t.Fatal(err)
		}
		if short, _ := readMO(t, stored); short.Text != "Hi" {
			t.Errorf("%+v", short)
		}
	}
}
