package ops

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file is the part of the diagnosis that looks at what an SMSC answers, from the counters of
// the last hour.

// span gives the first sample within the time before now, or else the last before it, and the
// one of now. Both are zero where there is none.
func (c condition) span(within time.Duration) (first, last point) {
	if len(c.points) == 0 {
		return point{}, point{}
	}
	last = c.points[len(c.points)-1]
	first = c.points[0]
	for _, p := range c.points {
		if c.now.Sub(p.at) < within {
			break
		}
		first = p
	}
	return first, last
}

// refusals says what the SMSC of an account does with submits that reach it.
func (c condition) refusals(account string) (all []Finding) {
	first, last := c.span(lately)
	before, now := first.account(account), last.account(account)
	over := words(c.now.Sub(first.at))
	took := rise(before.sent, now.sent)
	severity := SeverityWarning
	if took == 0 {
		severity = SeverityError
	}
	taken := fmt.Sprintf("and took %d", took)
	behind := ""
	if n := c.messages("mt").Messages; n > 0 {
		behind = " " + sentence(waits(n, c.age("mt"))) + "."
	}
	throttled := func(a accountTotals) uint64 { return a.throttled }
	if n := rise(throttled(before), throttled(now)); n > 0 || c.paused(account) {
		f := Finding{Severity: severity, Kind: "throttled", Subject: account, Since: c.runOf(account, throttled)}
		f.Text = fmt.Sprintf("%s has throttled us for %s: it refused %s in the last %s %s.%s",
			sentence(account), words(since(c.now, f.Since)), plural(int(n), "submit", "submits"), over, taken, behind)
		f.Advice = "The account may send less a second than we do: set smsc.rate below its limit, or ask the operator for more. They are sent again by themselves."
		all = append(all, f)
	}
	temporary := func(a accountTotals) uint64 { return a.temporary }
	if n := rise(temporary(before), temporary(now)); n > 0 {
		f := Finding{Severity: severity, Kind: "refusing", Subject: account, Since: c.runOf(account, temporary)}
		f.Text = fmt.Sprintf("%s has been refusing messages for %s: %s in the last %s, %s.%s",
			sentence(account), words(since(c.now, f.Since)), plural(int(n), "submit", "submits"), over, taken, behind)
		f.Advice = "The SMSC has trouble of its own; the status is in the story of each message. They are tried again by the schedule."
		all = append(all, f)
	}
	unanswered := func(a accountTotals) uint64 { return a.unanswered }
	if n := rise(unanswered(before), unanswered(now)); n > 0 {
		f := Finding{Severity: severity, Kind: "no_answers", Subject: account, Since: c.runOf(account, unanswered)}
		f.Text = fmt.Sprintf("%s does not answer: nobody knows what became of %s in the last %s; it took %d.%s",
			sentence(account), plural(int(n), "submit", "submits"), over, took, behind)
		f.Advice = "Ask the operator of the SMSC; `mt.unknown` in the configuration says whether such messages are sent again."
		all = append(all, f)
	}
	permanent := func(a accountTotals) uint64 { return a.permanent }
	if n := rise(permanent(before), permanent(now)); n > took {
		f := Finding{Severity: SeverityWarning, Kind: "rejecting", Subject: account, Since: c.runOf(account, permanent)}
		f.Text = fmt.Sprintf("%s rejects most messages for good: %d in the last %s, %s.", sentence(account), n, over, taken)
		f.Advice = "Look at the story of one: a wrong sender, TON or NPI, or an account that may not send there."
		all = append(all, f)
	}
	return append(all, c.receipts(account)...)
}

// paused: throttling is known before the next sample is.
func (c condition) paused(account string) bool {
	return slices.ContainsFunc(c.links, func(l LinkState) bool { return l.Account == account && l.Status == LinkPaused })
}

// runOf is since when a counter of the account has risen without a longer pause; now, where it
// has not.
func (c condition) runOf(account string, of func(accountTotals) uint64) time.Time {
	begin, seen := c.now, c.now
	for i := len(c.points) - 1; i > 0; i-- {
		before, after := c.points[i-1], c.points[i]
		if rise(of(before.account(account)), of(after.account(account))) > 0 {
			begin, seen = before.at, before.at
		} else if seen.Sub(before.at) > runGap {
			break
		}
	}
	return begin
}

// receipts says that none come, though they are due. What became due in the last moments may
// still come; a message to a phone that is off has none for long, so one alone proves nothing.
func (c condition) receipts(account string) []Finding {
	if len(c.points) == 0 {
		return nil
	}
	last := c.points[len(c.points)-1].account(account)
	// heard is the sample with which the last receipt came, here or at another instance, or the oldest that there is.
	heard := c.points[0]
	for i := len(c.points) - 1; i > 0; i-- {
		came := c.points[i].account(account).receiptsCame > c.points[i-1].account(account).receiptsCame
		if came || c.points[i-1].at.Before(c.elsewhere[account]) {
			heard = c.points[i]
			break
		}
	}
	due := heard.account(account).receiptsDue
	silent := heard.at // the silence begins with the first message that waits
	var ripe uint64    // messages that wait for long enough
	for _, p := range c.points {
		n := p.account(account).receiptsDue
		if p.at.After(heard.at) && n == due {
			silent = p.at
		}
		if n > due && c.now.Sub(p.at) >= receiptsAfter {
			ripe = n - due
		}
	}
	if ripe < receiptsAtOnce {
		return nil
	}
	f := Finding{Severity: SeverityWarning, Kind: "no_receipts", Subject: account, Since: silent}
	if c.now.Sub(silent) >= receiptsError {
		f.Severity = SeverityError
	}
	f.Text = fmt.Sprintf("No receipt has come from %s for %s, while it took %d messages: their senders do not know whether they arrived.",
		account, words(c.now.Sub(silent)), last.receiptsDue-due)
	f.Advice = "Ask the operator of the SMSC; check that a link of the account binds as receiver or transceiver, and that no other program is bound to it and takes the receipts."
	return []Finding{f}
}

// Words.

func (c condition) messages(stage string) QueueDepth {
	for _, d := range c.queue {
		if d.Stage == stage {
			return d
		}
	}
	return QueueDepth{}
}

func (c condition) age(stage string) time.Duration { return c.messages(stage).oldestAge(c.now) }

// since is never negative, and 0 where the time is not known.
func since(now, at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at))
}

func waits(n uint64, oldest time.Duration) string {
	switch n {
	case 0:
		return "nothing waits"
	case 1:
		return "1 message waits, for " + words(oldest)
	}
	return fmt.Sprintf("%d messages wait, the oldest for %s", n, words(oldest))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func why(lastError string) string {
	if lastError == "" {
		return ""
	}
	return ": " + strings.TrimPrefix(strings.TrimSuffix(lastError, "."), "smpp: ") // which room said so helps nobody
}

func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// words are how long something lasts, as people say it.
func words(d time.Duration) string {
	switch d = max(0, d); {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
