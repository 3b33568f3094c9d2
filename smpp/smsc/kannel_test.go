package smsc_test

import (
	"slices"
	"strings"
	"testing"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/smpp/smsc"
)

// TestKannel: a Kannel, which was not written here, is a client of the simulator as good
// as the bridge. Texts cross both ways, its reports come, and it goes on after faults.
func TestKannel(t *testing.T) {
	s, _ := start(t, smsc.Config{SystemID: "kannel", Password: "secret"})
	events := watch(t, web(t, s))
	kannel := peers.Kannel(t, s.Addr(), "kannel", "secret")
	long := strings.Repeat("Voilà des lettres accentuées : è é ù. ", 12)
	longWide := strings.Repeat("Un café ☕ à Noël, et une famille 👨‍👩‍👧. ", 8)

	for _, tt := range []struct {
		name, text string
		ucs2       bool
		segments   int
	}{
		{"gsm", "Ça fait 5 € [à peu près]", false, 1},
		{"emoji", "Ок 😀 👨‍👩‍👧", true, 1},
		{"long", long, false, 3},
		{"longWide", longWide, true, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kannel.Send(tt.name, ourAddr, phone.String(), tt.text, tt.ucs2)
			got := await(t, events, received(phone))
			if got.Text != tt.text || got.From != ourAddr || got.Segments != tt.segments {
				t.Errorf("the phone shows %+v; want %q in %d segments", got, tt.text, tt.segments)
			}
			kannel.ExpectReport(tt.name, peers.KannelAccepted)
			kannel.ExpectReport(tt.name, peers.KannelDelivered)
		})
	}
	t.Run("answers", func(t *testing.T) {
		for _, text := range []string{"Été à 5 €", "Ок 😀", long, longWide} {
			sent, err := s.Send(phone, ours, text)
			must(t, err)
			kannel.ExpectMO(phone.String(), ours, text)
			await(t, events, func(m smsc.Message) bool { return m.ID == sent.ID && m.State == smsc.Accepted })
		}
	})
}

// What the simulator refuses Kannel for good is reported to who sent it.
func TestKannelIsRefused(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	kannel := peers.Kannel(t, s.Addr(), "kannel", "secret")
	kannel.Send("rejected", ourAddr, "+33612300404", "hello", false)
	kannel.ExpectReport("rejected", peers.KannelRejected)
	kannel.Send("undelivered", ourAddr, "+33612300410", "hello", false)
	kannel.ExpectReport("undelivered", peers.KannelFailed)
}

// Kannel gets over faults: each text arrives, and once. What was under way when the link
// fell it sends again, as smsbridge does only where it is told to. It does not get over
// receipt-early: a receipt before the answer to its submit is lost to it.
func TestKannelGetsOver(t *testing.T) {
	for _, tt := range []struct {
		fault  string
		params smsc.Params
		again  bool // a text may come again
	}{
		{"throttled", smsc.Params{Count: 2}, false},
		{"queue-full", smsc.Params{Count: 2}, false},
		{"unbind", smsc.Params{Count: 1}, true},
		{"unknown-command", smsc.Params{Count: 5}, false},
		{"trickle", smsc.Params{Count: 10}, false},
		{"receipt-twice", smsc.Params{Count: 3}, false},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s, _ := start(t, smsc.Config{})
			base := web(t, s)
			kannel := peers.Kannel(t, s.Addr(), "kannel", "secret")
			must(t, s.SwitchOn(tt.fault, tt.params))
			texts := []string{"one", "two", "three"}
			for _, text := range texts {
				kannel.Send(text, ourAddr, phone.String(), text, false)
			}
			for _, text := range texts {
				kannel.ExpectReport(text, peers.KannelDelivered)
			}
			shown := make(map[string]int)
			for _, m := range getJSON[[]smsc.Message](t, base+"phones/"+phone.String()+"/messages") {
				shown[m.Text]++
			}
			for _, text := range texts {
				if n := shown[text]; n == 0 || n > 1 && !tt.again {
					t.Errorf("the phone shows %v", shown)
				}
			}
			all := s.Faults()
			if f := all[slices.IndexFunc(all, func(f smsc.Fault) bool { return f.Name == tt.fault })]; f.Struck == 0 {
				t.Error("the fault never struck")
			}
		})
	}
}

func received(by addressing.MSISDN) func(smsc.Message) bool {
	return func(m smsc.Message) bool { return m.Phone == by && m.Direction == smsc.Received }
}
