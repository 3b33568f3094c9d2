//go:build unix

package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// TestInstancesSentAgain: the cluster stands still for longer than the SMSC waits for an answer. What the SMSC then
// sends again, over the bind of another instance, is stored with the first, and the person
// reads it once. What the phone says again after that is read again.
func TestInstancesSentAgain(t *testing.T) {
	all, hashes := people("ann")
	f := newFleet(t, 1, time.Minute, hashes, "")
	tries := make(chan struct{}, 100)
	f.smsc = startSMSC(t, smsc.Config{
		Addr: "127.0.0.1:0", ReceiptDelay: 20 * time.Millisecond, RetryMin: time.Millisecond,
		Session: smpp.SessionConfig{ResponseTimeout: 6 * time.Second}, // longer than any answer takes that is not late
		Observe: func(x smsc.Exchange) {
			if x.Command == smpp.DeliverSM && x.Stat == "" && !x.Answered {
				tries <- struct{}{}
			}
		},
	})
	one, two := f.start(0), f.start(1)
	awaitShares(t, one, 4, 4)
	for _, p := range []*process{one, two} {
		patiently(t, "both to be bound", func() bool { return statusOf(t, p.ops+"/readyz") == http.StatusOK })
	}
	c := crowd{people: all, phones: 1, perPhone: 1}
	c.at(two)
	c.write(t)
	c.final(t)
	phone := addressing.MustParseMSISDN(phoneOf(0))
	number := messages(t, f.smsc, phoneOf(0))[0].From
	say := func(text string) {
		t.Helper()
		if _, err := f.smsc.Send(phone, number, text); err != nil {
			t.Fatal(err)
		}
	}

	f.nats.Freeze(0)
	say("yes")
	<-tries
	select { // the second
	case <-tries:
	case <-time.After(patience):
		t.Error("the SMSC does not send again")
	}
	f.nats.Thaw(0)
	read := func(until string) (all []string) {
		c.people[0].events(t, func(e event) bool {
			if e.Direction == "mo" {
				all = append(all, e.Text)
			}
			return e.Text != until
		})
		return all
	}
	say("that was once")
	if got, want := read("that was once"), []string{"yes", "that was once"}; !slices.Equal(got, want) {
		t.Errorf("the person reads %q, want %q", got, want)
	}
	say("yes")
	say("no")
	if got, want := read("no"), []string{"yes", "that was once", "yes", "no"}; !slices.Equal(got, want) {
		t.Errorf("the person reads %q, want %q", got, want)
	}
}
