package bridge_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

func patterns(t *testing.T, all ...string) []addressing.Pattern {
	t.Helper()
	var found []addressing.Pattern
	for _, s := range all {
		p, err := addressing.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	return found
}

// numbers are as many Numbers as people may need on one phone.
func numbers(n int) []addressing.Number {
	all := make([]addressing.Number, n)
	for i := range all {
		all[i] = addressing.MustParseNumber(fmt.Sprintf("+337000000%02d", i+1))
	}
	return all
}

func (r *rig) try(handle addressing.Handle, to, id string) error {
	_, err := r.Accept(r.t.Context(), bridge.Request{Handle: handle, To: to, Text: "Bonjour", NetworkID: id})
	return err
}

// The first rule that fits decides.
func TestWhoMayTextWhom(t *testing.T) {
	const american = "+12025550123"
	rules := []bridge.Rule{
		{Handles: patterns(t, "xmpp:ann@corp.example")},
		{Deny: true, Networks: []string{"web"}, Prefixes: []string{"1"}},
		{Deny: true, Handles: patterns(t, "xmpp:*@corp.example"), Prefixes: []string{"336876", "44"}},
	}
	tests := []struct {
		name   string
		rules  []bridge.Rule
		handle addressing.Handle
		to     string
		denied bool
	}{
		{"no rules", nil, eve, american, false},
		{"allowed before it is denied", rules, ann, other.String(), false},
		{"denied by handle and prefix", rules, bob, other.String(), true},
		{"denied by handle and prefix, written at home", rules, bob, "06 87 65 43 21", true},
		{"another prefix", rules, bob, phone.String(), false},
		{"another handle", rules, eve, other.String(), false},
		{"denied by network and prefix", rules, eve, american, true},
		{"no rule fits", rules, eve, phone.String(), false},
		{"nobody else", append(rules[:1:1], bridge.Rule{Deny: true}), bob, phone.String(), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true, hub: bridge.Config{Policy: bridge.Policy{Rules: tt.rules}}})
			err := r.try(tt.handle, tt.to, "1")
			if !tt.denied {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, err, bridge.ReasonNotPermitted)
			if r.queued("mt") != 0 || r.Stats().Refused[bridge.Refused{Network: tt.handle.Network(), Reason: bridge.ReasonNotPermitted}] != 1 {
				t.Error("a refused message is queued, or not counted")
			}
			// Nothing is left behind of the attempt.
			to, _ := addressing.ParseMSISDN(tt.to, "FR")
			if all, _, err := r.store.LoadRecord(t.Context(), to); err != nil || len(all.Entries) != 0 {
				t.Errorf("the phone has %v, %v", all.Entries, err)
			}
		})
	}
}

// sms114 is the emergency number of France that takes texts.
var sms114 = addressing.MustParseMSISDN("114;phone-context=+33")

func TestWhichNumbersMayBeTexted(t *testing.T) {
	const premium, fiction = "+33899123456", "+33639980012"
	tests := []struct {
		name, to string
		rules    addressing.Rules
		reason   bridge.Reason // empty: accepted
		says     string
	}{
		{"premium rate", premium, addressing.Rules{}, bridge.ReasonNotPermitted, "premium-rate"},
		{"premium rate, allowed", premium, addressing.Rules{Premium: true}, "", ""},
		{"possible", fiction, addressing.Rules{}, "", ""},
		{"possible, where only valid ones may", fiction, addressing.Rules{Valid: true}, bridge.ReasonBadNumber, "no range of numbers"},
		{"valid", phone.String(), addressing.Rules{Valid: true}, "", ""},
		{"emergency", "112", addressing.Rules{Premium: true}, bridge.ReasonBadNumber, "emergency number"},
		{"short", "3620", addressing.Rules{Premium: true}, bridge.ReasonBadNumber, "short number"},
		{"short, in full", "3620;phone-context=+33", addressing.Rules{Premium: true}, bridge.ReasonNotPermitted, "short number"},
		{"emergency, allowed", "114", addressing.Rules{Short: []addressing.MSISDN{sms114}}, "", ""},
		{"emergency, allowed, in full", "114;phone-context=+33", addressing.Rules{Valid: true, Short: []addressing.MSISDN{sms114}}, "", ""},
		{"emergency, another allowed", "112", addressing.Rules{Short: []addressing.MSISDN{sms114}}, bridge.ReasonBadNumber, "emergency number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true, hub: bridge.Config{Policy: bridge.Policy{Numbers: tt.rules}}})
			err := r.try(ann, tt.to, "1")
			if tt.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefusal(t, err, tt.reason)
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("told %v", err)
			}
		})
	}
}

// What was accepted stays accepted, whatever the policy says later.
func TestRepeatOutlivesThePolicy(t *testing.T) {
	r := newRig(t, options{})
	first := r.send(ann, phone, "Bonjour", "1")
	r.opt.hub.Policy.Rules = []bridge.Rule{{Deny: true}}
	r.Hub = r.newHub()
	if again := r.accept(ann, phone, "Bonjour", "1"); again.ID != first.ID {
		t.Errorf("the repeat is %+v", again)
	}
	wantRefusal(t, r.try(ann, phone.String(), "2"), bridge.ReasonNotPermitted)
}

// A handle begins as many conversations as it may, goes on with those, and may begin
// others when these have ended.
func TestHowManyConversations(t *testing.T) {
	const open = 3 * 24 * time.Hour
	r := newRig(t, options{
		idle: true, book: addressing.Config{Pool: numbers(3)},
		hub: bridge.Config{Policy: bridge.Policy{Conversations: 2, OpenFor: open}},
	})
	phones := []string{"+33612345671", "+33612345672", "+33612345673", "+33612345674"}
	ok := func(h addressing.Handle, to, id string) {
		t.Helper()
		if err := r.try(h, to, id); err != nil {
			t.Fatalf("%s to %s: %v", h, to, err)
		}
	}
	full := func(to, id string) {
		t.Helper()
		err := r.try(ann, to, id)
		wantRefusal(t, err, bridge.ReasonTooManyOpen)
		if !strings.Contains(err.Error(), "2 phones") || !strings.Contains(err.Error(), "3 days") {
			t.Errorf("told %v", err)
		}
	}
	ok(ann, phones[0], "1")
	ok(ann, phones[1], "2")
	full(phones[2], "3")
	ok(ann, phones[0], "4") // an open one goes on
	ok(bob, phones[2], "5") // others have a count of their own
	r.restart()
	full(phones[2], "6") // after a restart as well
	r.clock.reach(r.clock.now().Add(open / 2))
	ok(ann, phones[1], "7")
	r.clock.reach(r.clock.now().Add(open/2 + time.Hour))
	ok(ann, phones[2], "8") // the first one has ended
	full(phones[3], "9")
	ok(ann, phones[1], "10")
	full(phones[0], "11") // and would begin again
}

// A phone that wrote first is answered, however many conversations are open.
func TestAnswersAreNotCounted(t *testing.T) {
	r := newRig(t, options{
		book: addressing.Config{Dedicated: map[addressing.Number]addressing.Handle{number: ann}},
		hub:  bridge.Config{Policy: bridge.Policy{Conversations: 1}},
	})
	r.accept(ann, phone, "Bonjour", "1")
	wantRefusal(t, r.try(ann, other.String(), "2"), bridge.ReasonTooManyOpen)
	r.fromPhone(other, number, "Salut")
	r.messenger.of(t, ann, bridge.OUTText, 1)
	if err := r.try(ann, other.String(), "3"); err != nil {
		t.Error(err)
	}
}

// Many at once, on two instances: never more than allowed, and as many.
func TestConversationsBegunAtOnce(t *testing.T) {
	const limit, tries = 5, 24
	r := newRig(t, options{
		idle: true, realTime: true, book: addressing.Config{Pool: numbers(1)},
		hub: bridge.Config{Policy: bridge.Policy{Conversations: limit}},
	})
	instances := []*bridge.Hub{r.Hub, r.newHub()}
	var all sync.WaitGroup
	results := newRecorder[error]()
	for i := range tries {
		all.Go(func() {
			_, err := instances[i%2].Accept(t.Context(), bridge.Request{Handle: ann, To: fmt.Sprintf("+336123456%02d", i), Text: "Bonjour"})
			results.add(err)
		})
	}
	all.Wait()
	accepted := 0
	for _, err := range results.get() {
		if err == nil {
			accepted++
			continue
		}
		wantRefusal(t, err, bridge.ReasonTooManyOpen)
	}
	book := 0
	err := r.store.RangeRecords(t.Context(), func(_ addressing.MSISDN, rec addressing.Record) bool {
		book += len(rec.Entries)
		return true
	})
	if err != nil || accepted != limit || book != limit {
		t.Errorf("%d were accepted and %d are in the Book, %v; want %d", accepted, book, err, limit)
	}
}

// What a crash leaves in the list without a conversation counts no longer than it could be
// on its way.
func TestBegunAndNotMade(t *testing.T) {
	r := newRig(t, options{idle: true, hub: bridge.Config{Policy: bridge.Policy{Conversations: 1}}})
	left := bridge.Begun{V: 1, Phones: []bridge.BeganWith{{Phone: other, At: r.clock.now()}}}
	if err := r.store.SaveBegun(t.Context(), ann, left, 0); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, r.try(ann, phone.String(), "1"), bridge.ReasonTooManyOpen)
	r.clock.reach(r.clock.now().Add(2 * time.Minute))
	if err := r.try(ann, phone.String(), "2"); err != nil {
		t.Error(err)
	}
	if err := r.store.SaveBegun(t.Context(), ann, left, 0); !errors.Is(err, bridge.ErrConflict) {
		t.Errorf("a stale SaveBegun = %v; want ErrConflict", err)
	}
}

func TestLimitNeedsAStore(t *testing.T) {
	r := newRig(t, options{idle: true})
	ports := r.Ports
	ports.Begun = nil
	if _, err := bridge.New(bridge.Config{Policy: bridge.Policy{Conversations: 1}}, ports); err == nil {
		t.Error("a hub was made that cannot count")
	}
}
