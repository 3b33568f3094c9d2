package ops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/bridge"
)

// This file says in words what is wrong, from the states and counters that there are. It looks
// at nothing else, so that the same condition always gives the same findings.

// The severities of a [Finding], the worst first.
const (
	SeverityError   = "error"   // messages do not move, or are refused
	SeverityWarning = "warning" // they move more slowly, or some were given up
	SeverityNotice  = "notice"  // somebody should look at it one day
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Severity string `json:"severity"` // one of the Severity constants
	// Kind is of a closed set: queue_down, queue_full, link_down, link_partly_down, throttled, refusing,
	// no_answers, no_receipts, rejecting, messenger_away, held, waiting, dead_letters or defect.
	Kind    string    `json:"kind"`
	Subject string    `json:"subject,omitempty"` // the account, stage or network; may be empty
	Since   time.Time `json:"since,omitzero"`
	Text    string    `json:"text"`   // what is wrong, in a sentence or two
	Advice  string    `json:"advice"` // what to do
}

// How long, and how much, until something is said.
const (
	lately         = 30 * time.Second // what happens now is what happened within it
	runGap         = time.Minute      // a pause that does not end a run of refusals
	connectingFor  = 5 * time.Second  // a link may take this long to bind
	receiptsAfter  = 2 * time.Minute  // receipts that all fail to come for this long are missing
	receiptsAtOnce = 5                // where at least so many are due: a phone or two may be off
	receiptsError  = 10 * time.Minute
	waitingAfter   = 5 * time.Minute // how old the oldest message may be
	nearlyFull     = 0.8
	full           = 0.97
)

// condition is how the daemon is at one moment.
type condition struct {
	now        time.Time
	points     []point // of the last hour, the oldest first; the last is of now
	queue      []QueueDepth
	queueErr   error
	links      []LinkState
	unbound    map[string]time.Time // since when links are not bound, by name
	routes     []RouteState
	messengers []MessengerState
	holds      []bridge.Hold
	elsewhere  map[string]time.Time // when other instances last had a receipt, by account
}

// diagnose lists what is wrong, the worst first, and what lasts longest first among those.
func diagnose(c condition) []Finding {
	all := []Finding{}
	all = append(all, c.queueTrouble()...)
	for _, account := range c.accounts() {
		all = append(all, c.accountTrouble(account)...)
	}
	all = append(all, c.messengerTrouble()...)
	all = append(all, c.held()...)
	all = append(all, c.waiting(all)...)
	all = append(all, c.deadLetters()...)
	all = append(all, c.defects()...)
	order := []string{SeverityError, SeverityWarning, SeverityNotice}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity)), cmp.Compare(since(c.now, b.Since), since(c.now, a.Since)))
	})
	return all
}

// summary is one sentence on all of it.
func (c condition) summary(all []Finding) string {
	if len(all) > 0 && all[0].Severity != SeverityNotice {
		return all[0].Text
	}
	var bound int
	for _, l := range c.links {
		if l.bound() {
			bound++
		}
	}
	text := "All is well"
	if bound < len(c.links) {
		text = "The links are binding"
	}
	text += fmt.Sprintf(": %d of %s bound, ", bound, plural(len(c.links), "link is", "links are"))
	if n := c.messages("mt").Messages; n > 0 {
		return text + waits(n, c.age("mt")) + "."
	}
	return text + "and nothing waits for a phone."
}

func (c condition) queueTrouble() (all []Finding) {
	if c.queueErr != nil {
		return []Finding{{
			Severity: SeverityError, Kind: "queue_down", Text: fmt.Sprintf("The queue cannot be read, so no message is accepted: %v.", c.queueErr),
			Advice: "Look at the disk of data_dir, or at the NATS cluster; /readyz has the reason. The daemon goes on by itself.",
		}}
	}
	for _, d := range c.queue {
		share := float64(d.Bytes) / float64(max(d.MaxBytes, 1))
		if d.MaxBytes == 0 || share < nearlyFull {
			continue
		}
		f := Finding{
			Severity: SeverityWarning, Kind: "queue_full", Subject: d.Stage,
			Text:   fmt.Sprintf("The queue %s is %.0f %% full.", d.Stage, 100*share),
			Advice: "Find what holds its messages up, or raise its limit in the configuration.",
		}
		if share >= full {
			f.Severity, f.Text = SeverityError, fmt.Sprintf("The queue %s is full: new messages are refused.", d.Stage)
		}
		all = append(all, f)
	}
	return all
}

// accounts are those of the links, in their order.
func (c condition) accounts() (all []string) {
	for _, l := range c.links {
		if !slices.Contains(all, l.Account) {
			all = append(all, l.Account)
		}
	}
	return all
}

// accountTrouble says of an account that is down only that.
func (c condition) accountTrouble(account string) []Finding {
	var down, links []LinkState
	for _, l := range c.links {
		if l.Account != account {
			continue
		}
		links = append(links, l)
		if !l.bound() && (l.Status != LinkConnecting || l.LastError != "" || c.now.Sub(c.downSince(l)) >= connectingFor) {
			down = append(down, l)
		}
	}
	if len(down) == len(links) {
		return []Finding{c.allDown(account, down)}
	}
	var all []Finding
	if len(down) > 0 {
		all = append(all, c.someDown(account, down, len(links)))
	}
	return append(all, c.refusals(account)...)
}

func (c condition) downSince(l LinkState) time.Time {
	if at, ok := c.unbound[l.Name]; ok {
		return at
	}
	return l.Since
}

func (c condition) allDown(account string, down []LinkState) Finding {
	first := slices.MinFunc(down, func(a, b LinkState) int { return c.downSince(a).Compare(c.downSince(b)) })
	f := Finding{Severity: SeverityError, Kind: "link_down", Subject: account, Since: c.downSince(first)}
	name := "Link " + first.Name + " has been"
	if len(down) > 1 {
		name = fmt.Sprintf("All %d links of %s have been", len(down), account)
	}
	f.Text = fmt.Sprintf("%s down for %s%s.", name, words(c.now.Sub(f.Since)), why(first.LastError))
	f.Advice = "Ask whether the SMSC and the network to it are up; check smsc.address. The link is tried again by itself."
	if untrusted(first.LastError) {
		f.Advice = "The SMSC answers, but not as smsc.tls expects: check its ca_file (whose certificates count), server_name (for whom it is) and cert_file, and whether that port speaks TLS. The link is tried again by itself."
	}
	if refused(first.LastError) {
		f.Advice = "The SMSC answers and refuses the bind: check system_id, password, system_type, and how many binds the account may have."
	}
	if first.Status == LinkQuarantined {
		f.Text = fmt.Sprintf("%s quarantined for %s: the SMSC drops each bind at once%s.", name, words(c.now.Sub(f.Since)), why(first.LastError))
		f.Advice = "Ask the operator of the SMSC; then `smsbridge link rebind " + first.Name + "` tries at once."
	}
	stuck, oldest, elsewhere := c.carriedBy(down)
	switch {
	case stuck > 0:
		f.Text += " " + sentence(waits(uint64(stuck), since(c.now, oldest))) + "."
	case elsewhere:
		f.Severity = SeverityWarning
		f.Text += " Its messages leave by other links."
	}
	return f
}

// refused tells an SMSC that answered from one that was not reached.
func refused(lastError string) bool {
	return strings.Contains(lastError, "ESME_R")
}

// untrusted tells an SMSC that was reached, but not over TLS as configured.
func untrusted(lastError string) bool {
	return strings.Contains(lastError, "tls: ") || strings.Contains(lastError, "x509: ")
}

// carriedBy counts what waits on routes that have no bound link because these are down, and tells whether
// other routes go on by other links.
func (c condition) carriedBy(down []LinkState) (stuck int, oldest time.Time, elsewhere bool) {
	for _, r := range c.routes {
		if !slices.ContainsFunc(down, func(l LinkState) bool { return slices.Contains(r.Links, l.Name) }) {
			continue
		}
		if slices.ContainsFunc(c.links, func(l LinkState) bool { return l.bound() && slices.Contains(r.Links, l.Name) }) {
			elsewhere = true
			continue
		}
		stuck += r.Waiting
		if r.Waiting > 0 && (oldest.IsZero() || r.OldestAt.Before(oldest)) {
			oldest = r.OldestAt
		}
	}
	return stuck, oldest, elsewhere
}

func (c condition) someDown(account string, down []LinkState, of int) Finding {
	return Finding{
		Severity: SeverityWarning, Kind: "link_partly_down", Subject: account, Since: c.downSince(down[0]),
		Text:   fmt.Sprintf("%d of the %d links of %s are down; the others carry its messages. %s%s.", len(down), of, account, down[0].Name, why(down[0].LastError)),
		Advice: "The account may have fewer binds than are configured; ask the operator of the SMSC.",
	}
}

func (c condition) messengerTrouble() (all []Finding) {
	for _, m := range c.messengers {
		if m.Connected || m.Elsewhere {
			continue
		}
		all = append(all, Finding{
			Severity: SeverityError, Kind: "messenger_away", Subject: m.Network, Since: m.Since,
			Text: fmt.Sprintf("The messenger network %s has been away for %s%s. Answers from phones are kept: %s.",
				m.Network, words(since(c.now, m.Since)), why(m.LastError), waits(c.messages("out").Messages, c.age("out"))),
			Advice: "Look at that server, and at its address and secret in the configuration. It is tried again by itself.",
		})
	}
	return all
}

// held reminds of what operators have paused: it is meant, until it was forgotten.
func (c condition) held() (all []Finding) {
	for _, h := range c.holds {
		f := Finding{Severity: SeverityNotice, Kind: "held", Subject: string(h.Kind) + " " + h.Name, Since: h.At}
		f.Text = fmt.Sprintf("%s %s has been paused for %s by %s.", sentence(string(h.Kind)), h.Name, words(since(c.now, h.At)), cmp.Or(h.By, "an operator"))
		f.Advice = "Resume it when its reason is gone: here, or with smsbridge link resume or queue resume."
		if n, oldest := c.heldUp(h); n > 0 {
			f.Text += " " + sentence(waits(n, oldest)) + "."
			if oldest >= waitingAfter {
				f.Severity = SeverityWarning
			}
		}
		all = append(all, f)
	}
	return all
}

// heldUp is what waits for a hold alone: a link's messages may leave by another.
func (c condition) heldUp(h bridge.Hold) (n uint64, oldest time.Duration) {
	if h.Kind == bridge.HoldStage {
		return c.messages(h.Name).Messages, c.age(h.Name)
	}
	open := func(l LinkState) bool { return l.bound() && !l.Held }
	for _, r := range c.routes {
		switch {
		case r.Waiting == 0:
			continue
		case h.Kind == bridge.HoldRoute && h.Name != r.Name:
			continue
		case h.Kind == bridge.HoldLink && (!slices.Contains(r.Links, h.Name) || slices.ContainsFunc(c.links, func(l LinkState) bool { return open(l) && slices.Contains(r.Links, l.Name) })):
			continue
		}
		n += uint64(r.Waiting)
		oldest = max(oldest, since(c.now, r.OldestAt))
	}
	return n, oldest
}

// waiting is said of a queue that is old where nothing else says why.
func (c condition) waiting(known []Finding) (all []Finding) {
	explained := func(kinds ...string) bool {
		return slices.ContainsFunc(known, func(f Finding) bool { return slices.Contains(kinds, f.Kind) })
	}
	for _, w := range []struct {
		stage, what, advice string
		why                 []string
	}{
		{"mt", "Messages to phones", "Look which route they wait for in the table of links: a rate that is too low, a held route, or a window that is full.", []string{"link_down", "throttled", "refusing", "no_answers", "held"}},
		{"mo", "Short messages from phones", "They cannot be read or given on: look into the log for errors of the queue and the Book.", []string{"held"}},
		{"out", "Texts and statuses for messengers", "A messenger does not take them: look into the log for its network.", []string{"messenger_away", "held"}},
	} {
		age := c.age(w.stage)
		if age < waitingAfter || explained(w.why...) {
			continue
		}
		all = append(all, Finding{
			Severity: SeverityWarning, Kind: "waiting", Subject: w.stage, Since: c.now.Add(-age),
			Text: w.what + " are held up: " + waits(c.messages(w.stage).Messages, age) + ".", Advice: w.advice,
		})
	}
	return all
}

func (c condition) deadLetters() []Finding {
	n := c.messages("dead").Messages
	if n == 0 {
		return nil
	}
	f := Finding{
		Severity: SeverityNotice, Kind: "dead_letters", Since: c.now.Add(-c.age("dead")),
		Text:   plural(int(n), "message was given up and waits", "messages were given up and wait") + " for a decision.",
		Advice: "The list of dead letters has the reasons: send each again, or drop it.",
	}
	if first, last := c.span(time.Hour); last.hub.dead > first.hub.dead {
		f.Severity = SeverityWarning
		f.Text = plural(int(last.hub.dead-first.hub.dead), "message was given up", "messages were given up") + " within the last hour; " + plural(int(n), "waits", "wait") + " for a decision."
	}
	return []Finding{f}
}

func (c condition) defects() []Finding {
	first, last := c.span(time.Hour)
	if last.hub.panics == first.hub.panics {
		return nil
	}
	return []Finding{{
		Severity: SeverityWarning, Kind: "defect",
		Text:   plural(int(last.hub.panics-first.hub.panics), "message", "messages") + " ended by a defect of the bridge within the last hour.",
		Advice: "Please report it with the stack from the log; the messages are dead letters.",
	}}
}
