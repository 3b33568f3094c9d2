package history_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/internal/chaos/history"
)

const ours = "+33700000001"

// mt and mo are the texts of the conversation of these tests.
func mt(seq int) history.Text { return history.Text{User: "ann", Phone: "33620000003", Seq: seq} }

func mo(seq int) history.Text {
	return history.Text{MO: true, User: "ann", Phone: "33620000003", Seq: seq}
}

// good is a history in which all went well: two texts, the first of two segments, each answered.
func good() []history.Event {
	var all []history.Event
	add := func(e ...history.Event) { all = append(all, e...) }
	for seq, parts := range []int{2, 1} {
		id := fmt.Sprint("m", seq)
		add(history.Event{Kind: history.Asked, Text: mt(seq)}, history.Event{Kind: history.Accepted, Text: mt(seq), ID: id})
		for part := 1; part <= parts; part++ {
			add(history.Event{
				Kind: history.Submit, Text: mt(seq), Number: ours, Part: part, Parts: parts, Taken: true, Answer: history.OK,
				SMSCID: fmt.Sprint(seq, part), Remote: "bind1",
			})
		}
		add(history.Event{Kind: history.Told, Text: mt(seq), ID: id, State: "sent"})
		for part := 1; part <= parts; part++ {
			add(history.Event{Kind: history.Receipt, SMSCID: fmt.Sprint(seq, part), Stat: "DELIVRD"})
		}
		add(
			history.Event{Kind: history.Told, Text: mt(seq), ID: id, State: "delivered"},
			history.Event{Kind: history.Shown, Text: mt(seq), ID: id, State: "delivered"},
			history.Event{Kind: history.Wrote, Text: mo(seq), Number: ours},
			history.Event{Kind: history.Taken, Text: mo(seq)},
			history.Event{Kind: history.Seen, Text: mo(seq), By: "ann", ID: fmt.Sprint("r", seq), Number: ours},
			history.Event{Kind: history.Listed, Text: mo(seq), By: "ann", ID: fmt.Sprint("r", seq), Number: ours},
		)
	}
	for i := range all {
		all[i].At = time.Duration(i) * 100 * time.Millisecond
	}
	return all
}

// at finds the n-th event of a kind.
func at(events []history.Event, kind history.Kind, n int) int {
	for i, e := range events {
		if e.Kind == kind {
			if n == 0 {
				return i
			}
			n--
		}
	}
	panic(fmt.Sprintf("there is no such %s", kind))
}

type change func([]history.Event) []history.Event

// without takes out all of a kind that a text had.
func without(kind history.Kind, text history.Text) change {
	return func(all []history.Event) []history.Event {
		return slices.DeleteFunc(all, func(e history.Event) bool { return e.Kind == kind && e.Text == text })
	}
}

// with changes the n-th event of a kind.
func with(kind history.Kind, n int, how func(*history.Event)) change {
	return func(all []history.Event) []history.Event {
		how(&all[at(all, kind, n)])
		return all
	}
}

// again repeats the n-th event of a kind right after it, with a difference.
func again(kind history.Kind, n int, how func(*history.Event)) change {
	return func(all []history.Event) []history.Event {
		i := at(all, kind, n)
		e := all[i]
		how(&e)
		return slices.Insert(all, i+1, e)
	}
}

// swapped exchanges two events of a kind.
func swapped(kind history.Kind, n, m int) change {
	return func(all []history.Event) []history.Event {
		i, j := at(all, kind, n), at(all, kind, m)
		all[i], all[j] = all[j], all[i]
		return all
	}
}

// late moves the submits of a text to the end.
func late(text history.Text) change {
	return func(all []history.Event) []history.Event {
		var moved []history.Event
		for _, e := range all {
			if e.Kind == history.Submit && e.Text == text {
				moved = append(moved, e)
			}
		}
		return append(without(history.Submit, text)(all), moved...)
	}
}

func same(*history.Event) {}

func all(changes ...change) change {
	return func(events []history.Event) []history.Event {
		for _, c := range changes {
			events = c(events)
		}
		return events
	}
}

// fault puts one at the beginning.
func fault(all []history.Event) []history.Event {
	return slices.Insert(all, 0, history.Event{Kind: history.Fault, Note: "kill", Doubt: true})
}

// TestCheckFinds breaks each invariant, one way after the other.
func TestCheckFinds(t *testing.T) {
	for _, test := range []struct {
		name      string
		broken    change
		invariant int
		what      string
	}{
		{"an accepted text that is lost", all(without(history.Submit, mt(1)), without(history.Told, mt(1))), 1, "nothing was ever heard"},
		{"an accepted text that is forgotten", with(history.Shown, 1, func(e *history.Event) { e.State = history.Forgotten }), 1, "knows nothing"},
		{"an answer of a phone that is lost", all(without(history.Seen, mo(1)), without(history.Listed, mo(1))), 1, "never saw it"},
		{"an answer that is not in the history any more", without(history.Listed, mo(1)), 1, "stands 0 times"},
		{"an answer that is in the history twice", again(history.Listed, 0, same), 1, "stands 2 times"},

		{"no final state", all(without(history.Told, mt(1))), 2, "never told how it ended"},
		{"two final states", again(history.Told, 1, func(e *history.Event) { e.State, e.Reason = "unknown", "uncertain" }), 2, `told "delivered", and at`},
		{"another state when asked", with(history.Shown, 0, func(e *history.Event) { e.State = "sent" }), 2, "when it is asked"},
		{"sent without a submit of each segment", with(history.Submit, 1, func(e *history.Event) { e.Taken = false }), 2, "no submit_sm"},
		{"delivered without any submit", without(history.Submit, mt(0)), 2, "never submitted"},
		{"delivered without a receipt", with(history.Receipt, 1, func(e *history.Event) { e.Stat = "UNDELIV" }), 2, "no DELIVRD"},
		{"delivered before its receipt", with(history.Told, 0, func(e *history.Event) { e.State = "delivered" }), 2, "no DELIVRD"},
		{"delivered by the receipt of a stranger", with(history.Receipt, 2, func(e *history.Event) { e.SMSCID = "9" }), 2, "no DELIVRD"},
		{"failed, and nobody refused it", with(history.Told, 3, func(e *history.Event) { e.State, e.Reason = "failed", "rejected" }), 2, "nobody refused"},
		{"failed in words alone, and nobody refused it", with(history.Told, 3, func(e *history.Event) { e.State = "failed" }), 2, "nobody refused"},
		{"undeliverable, and the receipt says otherwise", with(history.Told, 3, func(e *history.Event) { e.State, e.Reason = "failed", "undeliverable" }), 2, "nobody refused"},
		{"expired too soon", with(history.Told, 3, func(e *history.Event) { e.State = "expired" }), 2, "validity was not over"},
		{"unknown without a reason", with(history.Told, 3, func(e *history.Event) { e.State = "unknown" }), 2, "cast doubt"},
		{"a state that there is not", with(history.Told, 3, func(e *history.Event) { e.State = "lost" }), 2, "no such state"},

		{"texts in another order on the phone", swapped(history.Submit, 0, 2), 3, "after #1"},
		{"a text that the SMSC reads late", late(mt(0)), 3, "after #1"},
		{"segments in another order", swapped(history.Submit, 0, 1), 3, "after part 2"},
		{"answers in another order at the PC", swapped(history.Seen, 0, 1), 3, "after #1"},

		{"a segment that is submitted twice", again(history.Submit, 0, same), 4, "and again"},
		{"a segment that is sent again after no answer", all(with(history.Submit, 2, func(e *history.Event) { e.Answer = "" }), again(history.Submit, 2, same)), 4, "and again"},
		{"a text that nobody wrote", without(history.Asked, mt(1)), 4, "nobody wrote it"},
		{"a text with two ids", again(history.Accepted, 0, func(e *history.Event) { e.ID = "other" }), 4, "as 2 messages"},
		{"an answer that no phone wrote", without(history.Wrote, mo(1)), 4, "no phone wrote it"},
		{"an answer that is seen as two", again(history.Seen, 1, func(e *history.Event) { e.ID = "other" }), 4, "as 2 texts"},

		{"an answer that somebody else sees", again(history.Seen, 0, func(e *history.Event) { e.By = "bob" }), 5, "bob saw it"},
		{"an answer that came to another number", with(history.Seen, 0, func(e *history.Event) { e.Number = "+33700000009" }), 5, "come to +33700000009"},
		{"a conversation that changes its number", with(history.Submit, 2, func(e *history.Event) { e.Number = "+33700000009" }), 5, "those before it from"},
		{"two users with one number on a phone", again(history.Submit, 2, func(e *history.Event) { e.Text.User = "bob" }), 5, "ann's on this phone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := history.Check(history.History{Validity: time.Hour, Events: test.broken(good())})
			if !slices.ContainsFunc(found, func(v history.Violation) bool {
				return v.Invariant == test.invariant && strings.Contains(v.What, test.what)
			}) {
				t.Errorf("found %q; want a violation of invariant %d that says %q", found, test.invariant, test.what)
			}
		})
	}
}

// TestCheckAllows has what looks wrong and is not.
func TestCheckAllows(t *testing.T) {
	unknown := func(e *history.Event) { e.State, e.Reason = "unknown", "uncertain" }
	elsewhere := func(e *history.Event) { e.Remote, e.SMSCID = "bind2", "again" }
	for _, test := range []struct {
		name   string
		resend bool
		change change
	}{
		{"all went well", false, all()},
		{"a final state that comes twice after a crash", false, again(history.Told, 1, same)},
		{"an answer that comes twice under its id", false, again(history.Seen, 0, same)},
		{"a text that was refused for now and sent again", false, all(
			again(history.Submit, 2, same), with(history.Submit, 2, func(e *history.Event) { e.Taken, e.Answer = false, "ESME_RTHROTTLED" }),
		)},
		{"unknown after a kill", false, all(
			fault, without(history.Shown, mt(1)), with(history.Told, 2, unknown), with(history.Told, 3, unknown),
		)},
		{"read late by the SMSC, after its sender was told that it is unknown", false, all(
			with(history.Told, 0, unknown), with(history.Told, 1, unknown), without(history.Shown, mt(0)), late(mt(0)), fault,
		)},
		{"sent again after no answer, as chosen", true, all(
			again(history.Submit, 2, elsewhere), with(history.Submit, 2, func(e *history.Event) { e.Answer = "" }),
		)},
		{"sent again after a kill, as chosen", true, all(fault, with(history.Submit, 0, func(e *history.Event) { e.At = 0 }), again(history.Submit, 0, elsewhere))},
		{"a text whose acceptance nobody heard", false, all(without(history.Accepted, mt(1)))},
		{"a receipt of a stranger", false, again(history.Receipt, 0, func(e *history.Event) { e.SMSCID = "9" })},
		{"rejected", false, all(
			with(history.Submit, 2, func(e *history.Event) { e.Taken, e.Answer = false, "ESME_RINVDSTADR" }),
			without(history.Shown, mt(1)), without(history.Receipt, history.Text{}),
			func(events []history.Event) []history.Event {
				i, j := at(events, history.Told, 2), at(events, history.Told, 3)
				events[j].State, events[j].Reason = "failed", "rejected"
				return slices.Delete(events, i, i+1)
			},
			without(history.Told, mt(0)), without(history.Shown, mt(0)), without(history.Accepted, mt(0)),
		)},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := history.History{Validity: time.Hour, Resend: test.resend, Events: test.change(good())}
			if found := history.Check(h); len(found) > 0 {
				t.Errorf("found %q; want nothing", found)
			}
		})
	}
}

// TestResendIsForDoubt: who chose to resend did not choose to double what was answered.
func TestResendIsForDoubt(t *testing.T) {
	for name, broken := range map[string]change{
		"answered on the same connection": all(fault, again(history.Submit, 0, same)),
		"nothing had happened":            again(history.Submit, 0, func(e *history.Event) { e.Remote = "bind2" }),
	} {
		t.Run(name, func(t *testing.T) {
			found := history.Check(history.History{Validity: time.Hour, Resend: true, Events: broken(good())})
			if len(found) == 0 || found[0].Invariant != 4 {
				t.Errorf("found %q; want a violation of invariant 4", found)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	events := all(without(history.Told, mt(1)), without(history.Seen, mo(0)))(good())
	if diff := cmp.Diff([]history.Text{mo(0), mt(1)}, history.Open(history.History{Events: events})); diff != "" {
		t.Error(diff)
	}
}

func TestCount(t *testing.T) {
	events := all(again(history.Submit, 0, same), again(history.Told, 1, same), again(history.Seen, 0, same))(good())
	want := history.Figures{
		Accepted: 2, Submits: 4, Ended: map[string]int{"delivered": 2}, Again: 1, ToldTwice: 1, Wrote: 2, Taken: 2, Seen: 2,
	}
	if diff := cmp.Diff(want, history.Count(history.History{Events: events})); diff != "" {
		t.Error(diff)
	}
}

func TestTextNamesItself(t *testing.T) {
	for _, text := range []history.Text{mt(0), mt(1234), mo(7)} {
		got, ok := history.ParseText("some words " + text.String() + " and more " + mt(99).String())
		if !ok || got != text {
			t.Errorf("%s reads as %s, %t", text, got, ok)
		}
	}
	for _, cut := range []string{"", "nn>33620000003#1.", "/ann>33620000003#1", "/ann>33620000003#99999999999999999999."} {
		if got, ok := history.ParseText(cut); ok {
			t.Errorf("%q reads as %s", cut, got)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	r := history.NewRecorder(true, time.Hour)
	for _, e := range good() {
		r.Add(e)
	}
	want := r.History()
	var file bytes.Buffer
	if err := want.Write(&file); err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(&file)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := history.Read(strings.NewReader("")); err == nil {
		t.Error("an empty file reads as a history")
	}
	if _, err := history.Read(strings.NewReader("{}\n{")); err == nil {
		t.Error("half an event reads as a history")
	}
}
