package main

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// The size of a terminal where nobody says.
const (
	defaultWidth  = 80
	defaultHeight = 24
)

// topState is all that a frame of top shows.
type topState struct {
	answers topAnswers
	from    string    // the URL of the daemon
	err     error     // the daemon did not answer
	lost    time.Time // since when it does not
	width   int
	height  int // 0: as many lines as there are
	color   bool
	live    bool // q quits
}

// The styles (ECMA-48, 8.3.117).
const (
	styleBad   = "1;31"
	styleWarn  = "1;33"
	styleGood  = "1;32"
	styleBold  = "1"
	styleFaint = "2"
	styleHead  = "4"
)

// topFrame draws s in lines that are no wider than it, the most important first: what does not fit
// is left out at the end.
func topFrame(s topState) string {
	f := &frame{topState: s}
	f.header()
	switch {
	case s.err != nil && s.answers.Findings.At.IsZero():
		f.wrap(styleBad, "NO ANSWER", s.err.Error())
		return f.String()
	case s.err != nil:
		f.wrap(styleBad, "NO ANSWER", fmt.Sprintf("since %s; what is below is from then. %v", clockTime(s.lost), s.err))
	case s.answers.Findings.At.IsZero():
		f.line("", "Asking the daemon...")
		return f.String()
	}
	f.findings()
	f.stages()
	f.rates()
	f.links()
	f.routes()
	return f.String()
}

// frame collects lines.
type frame struct {
	topState
	lines []string
}

func (f *frame) String() string {
	if f.height > 0 && len(f.lines) > f.height {
		f.lines = append(f.lines[:f.height-1], f.style(styleFaint, "... the window is too low for the rest"))
	}
	return strings.Join(f.lines, "\n")
}

func (f *frame) style(code, text string) string {
	if !f.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line adds a line, cut to the width.
func (f *frame) line(code, text string) {
	f.lines = append(f.lines, f.style(code, fit(text, f.width)))
}

func (f *frame) header() {
	text := "smsbridge top  " + f.from
	if !f.answers.Findings.At.IsZero() {
		text += "  " + clockTime(f.answers.Findings.At)
	}
	if f.live {
		text += "  q quits"
	}
	f.line(styleBold, text)
	f.line("", "")
}

// wrap adds a text behind a word, in as many lines as it needs.
func (f *frame) wrap(code, word, text string) {
	const indent = 10
	for i, part := range wrapped(text, max(20, f.width-indent)) {
		lead := ""
		if i == 0 {
			lead = word
		}
		f.lines = append(f.lines, f.style(code, fmt.Sprintf("%-*s", indent, lead))+part)
	}
}

// findings has what to do beside the first one only: the rest need the room.
func (f *frame) findings() {
	all := f.answers.Findings
	if len(all.Findings) == 0 || all.Findings[0].Severity == ops.SeverityNotice {
		f.wrap(styleGood, "OK", all.Summary)
	}
	for i, x := range all.Findings {
		switch x.Severity {
		case ops.SeverityError:
			f.wrap(styleBad, "BROKEN", x.Text)
		case ops.SeverityWarning:
			f.wrap(styleWarn, "TROUBLE", x.Text)
		default:
			f.wrap(styleFaint, "to do", x.Text)
		}
		if i == 0 && x.Severity != ops.SeverityNotice {
			f.wrap(styleFaint, "", x.Advice)
		}
	}
	f.line("", "")
}

func (f *frame) stages() {
	if len(f.answers.Queue.Stages) == 0 {
		return
	}
	const before = 34
	f.line(styleHead, fmt.Sprintf("%-6s%9s  %-10s %-6s%s", "QUEUE", "WAITING", "OLDEST", "", "THE LAST HOUR"))
	for _, q := range f.answers.Queue.Stages {
		oldest, held := "-", ""
		if q.Messages > 0 {
			oldest = lasts(q.OldestAgeSeconds)
		}
		if q.Held.Held {
			held = "held"
		}
		text := fmt.Sprintf("%-6s%9d  %-10s %-6s", q.Stage, q.Messages, oldest, held)
		if room := f.width - before - 8; room > 0 { // the greatest value stands behind it
			text += sparkline(f.answers.History.Depth[q.Stage], min(room, 60))
		}
		f.line("", text)
	}
	f.line("", "")
}

func (f *frame) rates() {
	var all []string
	for _, rate := range []struct{ key, name string }{
		{"accepted", "accepted"}, {"sent", "sent"}, {"delivered", "delivered"}, {"failed", "failed"}, {"mo", "from phones"}, {"throttled", "throttled"},
	} {
		if v := latest(f.answers.History.Rates[rate.key]); v != nil {
			all = append(all, fmt.Sprintf("%s %s", rate.name, strings.TrimSuffix(fmt.Sprintf("%.1f", *v), ".0")))
		}
	}
	if len(all) > 0 {
		f.wrap(styleBold, "A second", strings.Join(all, ", "))
	}
	var took []string
	for _, end := range []struct{ key, name string }{{"sent", "with the SMSC"}, {"delivered", "delivered"}} {
		half, most := latest(f.answers.History.LatencySeconds[end.key+"_p50"]), latest(f.answers.History.LatencySeconds[end.key+"_p99"])
		if half != nil && most != nil {
			took = append(took, fmt.Sprintf("%s in %s (99 %%: %s)", end.name, brief(*half), brief(*most)))
		}
	}
	if len(took) > 0 {
		f.wrap(styleBold, "Latency", strings.Join(took, ", "))
	}
	if len(all)+len(took) > 0 {
		f.line("", "")
	}
}

// latest is the last value; nil where there is none.
func latest(values []*float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	return values[len(values)-1]
}

// brief writes seconds of which fractions matter.
func brief(seconds float64) string {
	switch {
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	}
	return lasts(seconds)
}

func (f *frame) links() {
	if len(f.answers.Links.Links) == 0 {
		return
	}
	f.line(styleHead, fmt.Sprintf("%-14s %-12s%-8s%8s%9s%8s  %s", "LINK", "STATE", "FOR", "WINDOW", "SENT", "REFUSED", "LAST ERROR"))
	for _, l := range f.answers.Links.Links {
		state, code := l.Status, styleWarn
		switch {
		case l.Held.Held:
			state = "held"
		case l.Status == ops.LinkPaused:
			state = "throttled"
		case l.Status == ops.LinkBound:
			code = styleGood
		case l.Status == ops.LinkDown, l.Status == ops.LinkQuarantined:
			code = styleBad
		}
		last := l.LastError
		if last != "" && (l.Status == ops.LinkBound || l.Status == ops.LinkPaused) {
			last = "earlier: " + last
		}
		lasted := lasts(f.answers.Findings.At.Sub(l.Since).Seconds())
		refused := l.Submits[bridge.OutcomeThrottled] + l.Submits[bridge.OutcomeTemporary] + l.Submits[bridge.OutcomePermanent]
		window := fmt.Sprintf("%d/%d", l.InUse, l.Window)
		end := fmt.Sprintf("%-8s%8s%9d%8d  %s", lasted, window, l.Submits[bridge.OutcomeSent], refused, last)
		name := fit(fmt.Sprintf("%-14s", l.Name), 14)
		f.lines = append(f.lines, name+" "+f.style(code, fmt.Sprintf("%-12s", state))+fit(end, max(0, f.width-27)))
	}
	f.line("", "")
}

// routes are those on which something waits, or that are held.
func (f *frame) routes() {
	first := true
	for _, r := range f.answers.Links.Routes {
		if r.Waiting == 0 && !r.Held.Held {
			continue
		}
		if first {
			f.line(styleHead, fmt.Sprintf("%-24s%9s  %-10s %-6s%s", "ROUTE", "WAITING", "OLDEST", "", "LINKS"))
			first = false
		}
		oldest, held := "-", ""
		if r.Waiting > 0 {
			oldest = lasts(f.answers.Findings.At.Sub(r.OldestAt).Seconds())
		}
		if r.Held.Held {
			held = "held"
		}
		f.line("", fmt.Sprintf("%-24s%9d  %-10s %-6s%s", fit(r.Name, 23), r.Waiting, oldest, held, strings.Join(r.Links, " ")))
	}
}

var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values, of which the last is now, in n cells; an hour fills them. Each cell has the
// greatest value of its time, so that no peak is lost, and none where nothing is known.
func sparkline(values []*float64, n int) string {
	const hour = 360
	cells := make([]float64, n)
	for i := range cells {
		cells[i] = math.NaN()
	}
	top := 0.0
	for i, v := range values {
		at := n - 1 - (len(values)-1-i)*n/hour
		if v == nil || at < 0 {
			continue
		}
		if math.IsNaN(cells[at]) || *v > cells[at] {
			cells[at] = *v
		}
		top = max(top, *v)
	}
	var b strings.Builder
	for _, v := range cells {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case top == 0:
			b.WriteRune(sparks[0])
		default:
			b.WriteRune(sparks[int(math.Ceil(v/top*float64(len(sparks)-1)))])
		}
	}
	if top > 0 {
		fmt.Fprintf(&b, " %.0f", top)
	}
	return b.String()
}

// fit cuts a text to a width in columns. What is not printable, such as an escape sequence in what an SMSC
// said, does not reach the terminal.
func fit(text string, width int) string {
	text = printable(text)
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if used += g.Width(); used > width-1 {
			break
		}
		b.WriteString(g.Str())
	}
	if width > 0 {
		b.WriteString("…")
	}
	return b.String()
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// wrapped breaks a text at spaces into lines of at most width columns.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(printable(text)) {
		switch {
		case line == "":
			line = word
		case uniseg.StringWidth(line)+1+uniseg.StringWidth(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, fit(line, width)), word
		}
	}
	return append(lines, fit(line, width))
}

func clockTime(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// lasts writes seconds in as few letters as can be.
func lasts(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 100*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}
