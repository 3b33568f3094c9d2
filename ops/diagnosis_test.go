package ops

import (
	"errors"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// hour makes samples, 10 s apart, the last of them at noon. at changes each; i counts from the
// oldest, which is 0.
func hour(n int, at func(i int, p *point)) []point {
	all := make([]point, n)
	for i := range all {
		all[i] = point{at: noon.Add(-time.Duration(n-1-i) * historyStep), read: true, accounts: []accountTotals{{account: "orange"}}}
		at(i, &all[i])
	}
	return all
}

func bound(name, account string) LinkState {
	return LinkState{Name: name, Account: account, Status: LinkBound, Since: noon.Add(-time.Hour)}
}

func down(name, account, lastError string) LinkState {
	return LinkState{Name: name, Account: account, Status: LinkDown, Since: noon.Add(-time.Second), LastError: lastError}
}

func TestDiagnosis(t *testing.T) {
	orange := []LinkState{bound("orange", "orange")}
	queue := func(stage string, n uint64, age time.Duration) []QueueDepth {
		return []QueueDepth{{Stage: stage, Messages: n, OldestAt: noon.Add(-age)}}
	}
	for _, tt := range []struct {
		name string
		c    condition
		want []string // severity and kind
		say  []string // in the summary
		// advise is in the advice of the first.
		advise string
	}{
		{name: "all is well", c: condition{links: orange}, say: []string{"All is well: 1 of 1 link is bound, and nothing waits for a phone."}},
		{name: "one message that waits is nothing wrong", c: condition{links: orange, queue: queue("mt", 1, time.Second)}, say: []string{"All is well", "1 message waits, for 1 s."}},
		{
			name: "the only link is down",
			c: condition{
				links: []LinkState{down("orange", "orange", "connection refused")}, unbound: map[string]time.Time{"orange": noon.Add(-4 * time.Minute)},
				routes: []RouteState{{Name: "all", Links: []string{"orange"}, Waiting: 214, OldestAt: noon.Add(-4 * time.Minute)}},
				queue:  queue("mt", 214, 10*time.Minute),
			},
			want: []string{"error link_down"},
			say:  []string{"Link orange has been down for 4 min: connection refused. 214 messages wait, the oldest for 4 min."},
		},
		{
			name: "another link carries what one does not",
			c: condition{
				links:  []LinkState{down("orange", "orange", ""), bound("blue", "blue")},
				routes: []RouteState{{Name: "all", Links: []string{"orange", "blue"}, Waiting: 3, OldestAt: noon}},
			},
			want: []string{"warning link_down"}, say: []string{"Link orange has been down", "by other links"},
		},
		{
			name: "one of two binds is down", c: condition{links: []LinkState{bound("a", "orange"), down("b", "orange", "ESME_RALYBND")}},
			want: []string{"warning link_partly_down"}, say: []string{"1 of the 2 links of orange", "ESME_RALYBND"},
		},
		{
			name: "a bind that is refused", c: condition{links: []LinkState{down("orange", "orange", "smpp: bind refused: ESME_RINVPASWD")}},
			want: []string{"error link_down"}, say: []string{": bind refused: ESME_RINVPASWD."},
		},
		{
			name: "a certificate that nobody vouches for", c: condition{links: []LinkState{down("orange", "orange", "cannot connect to [::1]:2775: tls: failed to verify certificate: x509: certificate signed by unknown authority")}},
			want: []string{"error link_down"}, advise: "smsc.tls",
		},
		{
			name: "quarantined", c: condition{links: []LinkState{{Name: "orange", Account: "orange", Status: LinkQuarantined, Since: noon.Add(-time.Hour)}}},
			want: []string{"error link_down"}, say: []string{"quarantined for 60 min", "drops each bind at once"},
		},
		{name: "a link that has just begun to connect", c: condition{links: []LinkState{{Name: "orange", Account: "orange", Status: LinkConnecting, Since: noon.Add(-time.Second)}}}, say: []string{"The links are binding: 0 of 1 link is bound"}},
		{name: "a link that connects for too long", c: condition{links: []LinkState{{Name: "orange", Account: "orange", Status: LinkConnecting, Since: noon.Add(-time.Minute)}}}, want: []string{"error link_down"}},
		{
			name: "throttled for three minutes",
			c: condition{links: orange, queue: queue("mt", 40, time.Minute), points: hour(60, func(i int, p *point) {
				p.accounts[0].throttled, p.accounts[0].sent = uint64(max(0, i-41)), uint64(10*i)
			})},
			want: []string{"warning throttled"},
			say:  []string{"Orange has throttled us for 3 min: it refused 3 submits in the last 30 s and took 30. 40 messages wait, the oldest for 60 s."},
		},
		{
			name: "links that a reload has replaced count anew",
			c: condition{links: orange, points: hour(10, func(i int, p *point) {
				p.accounts[0].throttled, p.accounts[0].permanent, p.accounts[0].sent = uint64(100*((9-i)/2)), uint64(100*((9-i)/2)), uint64(i)
				if i > 7 {
					p.accounts[0].throttled, p.accounts[0].permanent = 0, 0
				}
			})},
		},
		{
			name: "throttled, and nothing is taken",
			c:    condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].throttled = uint64(i) })},
			want: []string{"error throttled"},
		},
		{
			name: "throttled before the first sample says so",
			c:    condition{links: []LinkState{{Name: "orange", Account: "orange", Status: LinkPaused}}},
			want: []string{"error throttled"},
		},
		{
			name: "throttled until a while ago",
			c: condition{links: orange, points: hour(60, func(i int, p *point) {
				p.accounts[0].throttled = uint64(min(i, 50))
			})},
		},
		{
			name: "errors of the SMSC", c: condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].temporary, p.accounts[0].sent = uint64(i), uint64(i) })},
			want: []string{"warning refusing"}, say: []string{"has been refusing messages", "and took 3"},
		},
		{
			name: "no answers", c: condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].unanswered = uint64(i) })},
			want: []string{"error no_answers"}, say: []string{"nobody knows what became of 3 submits"},
		},
		{
			name: "rejected for good", c: condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].permanent, p.accounts[0].sent = uint64(3*i), uint64(i) })},
			want: []string{"warning rejecting"}, say: []string{"9 in the last 30 s, and took 3"},
		},
		{
			name: "some are always rejected", c: condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].permanent, p.accounts[0].sent = uint64(i), uint64(3*i) })},
		},
		{
			name: "no receipts for ten minutes",
			c: condition{links: orange, points: hour(120, func(i int, p *point) {
				p.accounts[0].receiptsDue, p.accounts[0].receiptsCame = uint64(5*i), uint64(5*min(i, 59))
			})},
			want: []string{"error no_receipts"},
			say:  []string{"No receipt has come from orange for 10 min, while it took 300 messages"},
		},
		{
			name: "no receipts, and none before",
			c:    condition{links: orange, points: hour(20, func(i int, p *point) { p.accounts[0].receiptsDue = uint64(i) })},
			want: []string{"warning no_receipts"}, say: []string{"for 3 min, while it took 19 messages"},
		},
		{
			name: "receipts come late",
			c:    condition{links: orange, points: hour(10, func(i int, p *point) { p.accounts[0].receiptsDue = uint64(i) })},
		},
		{
			name: "a phone or two that are off",
			c:    condition{links: orange, points: hour(300, func(i int, p *point) { p.accounts[0].receiptsDue = uint64(min(i, 3)) })},
		},
		{
			name: "nothing was sent since the last receipt",
			c: condition{links: orange, points: hour(300, func(i int, p *point) {
				p.accounts[0].receiptsDue, p.accounts[0].receiptsCame = uint64(min(i, 100)), uint64(min(i, 101))
			})},
		},
		{
			name: "receipts that another instance gets",
			c: condition{
				links: orange, elsewhere: map[string]time.Time{"orange": noon.Add(-20 * time.Second)},
				points: hour(100, func(i int, p *point) { p.accounts[0].receiptsDue = uint64(i) }),
			},
		},
		{
			name: "receipts that another instance got until five minutes ago",
			c: condition{
				links: orange, elsewhere: map[string]time.Time{"orange": noon.Add(-5 * time.Minute), "blue": noon},
				points: hour(100, func(i int, p *point) { p.accounts[0].receiptsDue = uint64(i) }),
			},
			want: []string{"warning no_receipts"}, say: []string{"No receipt has come from orange for 5 min"},
		},
		{name: "the disk is gone", c: condition{links: orange, queueErr: errors.New("read-only file system")}, want: []string{"error queue_down"}, say: []string{"read-only file system"}},
		{name: "a queue that is nearly full", c: condition{links: orange, queue: []QueueDepth{{Stage: "mo", Bytes: 90, MaxBytes: 100}}}, want: []string{"warning queue_full"}, say: []string{"90 %"}},
		{name: "a queue that is full", c: condition{links: orange, queue: []QueueDepth{{Stage: "mo", Bytes: 100, MaxBytes: 100}}}, want: []string{"error queue_full"}, say: []string{"refused"}},
		{
			name: "a messenger that is away, and what waits for it", c: condition{
				links: orange, queue: queue("out", 5, 10*time.Minute),
				messengers: []MessengerState{{Network: "xmpp", Since: noon.Add(-10 * time.Minute), LastError: "no route to host"}},
			},
			want: []string{"error messenger_away"}, say: []string{"xmpp has been away for 10 min: no route to host", "5 messages wait"},
		},
		{name: "a messenger that another instance has", c: condition{links: orange, messengers: []MessengerState{{Network: "xmpp", Elsewhere: true}}}},
		{name: "held up, and nobody knows why", c: condition{links: orange, queue: queue("mt", 2, time.Hour)}, want: []string{"warning waiting"}, say: []string{"held up", "60 min"}},
		{
			name: "a link that is paused, and another carries its messages",
			c: condition{
				links:  []LinkState{{Name: "a", Account: "a", Status: LinkBound, Held: true}, bound("b", "b")},
				holds:  []bridge.Hold{{Kind: bridge.HoldLink, Name: "a", At: noon.Add(-time.Hour), By: "ed"}},
				routes: []RouteState{{Name: "all", Links: []string{"a", "b"}, Waiting: 3, OldestAt: noon.Add(-time.Hour)}},
			},
			want: []string{"notice held"}, say: []string{"All is well"},
		},
		{
			name: "a link that is paused, and nothing else carries its messages",
			c: condition{
				links: []LinkState{{Name: "a", Account: "a", Status: LinkBound, Held: true}, bound("b", "b")}, queue: queue("mt", 3, time.Hour),
				holds:  []bridge.Hold{{Kind: bridge.HoldLink, Name: "a", At: noon.Add(-time.Hour), By: "ed"}},
				routes: []RouteState{{Name: "all", Links: []string{"a"}, Waiting: 3, OldestAt: noon.Add(-time.Hour)}},
			},
			want: []string{"warning held"}, say: []string{"Link a has been paused for 60 min by ed. 3 messages wait, the oldest for 60 min."},
		},
		{
			name: "a stage that has just been paused",
			c:    condition{links: orange, queue: queue("out", 3, time.Second), holds: []bridge.Hold{{Kind: bridge.HoldStage, Name: "out", At: noon.Add(-time.Second)}}},
			want: []string{"notice held"},
		},
		{
			name: "a route that was paused and forgotten",
			c: condition{
				links: orange, holds: []bridge.Hold{{Kind: bridge.HoldRoute, Name: "+33", At: noon.Add(-time.Hour)}},
				routes: []RouteState{{Name: "+33", Links: []string{"orange"}, Waiting: 2, OldestAt: noon.Add(-time.Hour)}, {Name: "all", Links: []string{"orange"}, Waiting: 5, OldestAt: noon}},
			},
			want: []string{"warning held"}, say: []string{"Route +33 has been paused for 60 min by an operator. 2 messages wait"},
		},
		{
			name: "old dead letters", c: condition{links: orange, queue: queue("dead", 2, 50*time.Hour)}, want: []string{"notice dead_letters"}, say: []string{"All is well"},
		},
		{
			name: "new dead letters, by a defect",
			c: condition{links: orange, queue: queue("dead", 2, time.Minute), points: hour(20, func(i int, p *point) {
				p.hub.dead, p.hub.panics = uint64(i/19), uint64(i/19)
			})},
			want: []string{"warning dead_letters", "warning defect"},
		},
		{
			name: "the worst comes first, and then what lasts longest",
			c: condition{
				links:   []LinkState{down("new", "new", ""), down("old", "old", "")},
				unbound: map[string]time.Time{"new": noon.Add(-time.Minute), "old": noon.Add(-time.Hour)},
				queue:   queue("dead", 1, time.Hour),
			},
			want: []string{"error link_down", "error link_down", "notice dead_letters"}, say: []string{"Link old"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.now = noon
			found := diagnose(tt.c)
			var got []string
			for _, f := range found {
				got = append(got, f.Severity+" "+f.Kind)
				if f.Text == "" || f.Advice == "" || f.Since.After(noon) {
					t.Errorf("%+v", f)
				}
			}
			if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
				t.Errorf("found %q; want %q", got, tt.want)
			}
			if tt.advise != "" && !strings.Contains(found[0].Advice, tt.advise) {
				t.Errorf("%q is not in the advice %q", tt.advise, found[0].Advice)
			}
			summary := tt.c.summary(found)
			for _, want := range tt.say {
				if !strings.Contains(summary, want) {
					t.Errorf("%q is not in %q", want, summary)
				}
			}
		})
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 90 * time.Second: "90 s", 4 * time.Minute: "4 min", 190 * time.Minute: "3 h 10 min", 72 * time.Hour: "3 days",
	} {
		if got := words(d); got != want {
			t.Errorf("%s is %q; want %q", d, got, want)
		}
	}
}
