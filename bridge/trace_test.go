package bridge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"smsbridge/bridge"
)

// tracer keeps spans for a test to look at.
type tracer struct {
	*recorder[bridge.Span]
	begun atomic.Uint64
	never bool // nothing is sampled
}

var _ bridge.Tracer = (*tracer)(nil)

func newTracer() *tracer { return &tracer{recorder: newRecorder[bridge.Span]()} }

func (r *tracer) Begin(parent bridge.Trace) bridge.Trace {
	switch {
	case r.never:
		return ""
	case parent != "":
		return parent.Child()
	default:
		return bridge.NewTrace(fmt.Sprintf("%032x", r.begun.Add(1)), "00000000000000ff", true)
	}
}

func (r *tracer) Record(s bridge.Span) { r.add(s) }

// until waits for spans of these names, whatever their order, and checks that they hang together:
// one trace, each below one that is there, or below outer.
func (r *tracer) hasAll(t *testing.T, id string, outer bridge.Trace, want ...bridge.SpanName) map[bridge.SpanName][]bridge.Span {
	t.Helper()
	slices.Sort(want)
	var mine []bridge.Span
	r.until(t, fmt.Sprintf("the spans %v", want), func(all []bridge.Span) bool {
		mine = nil
		var names []bridge.SpanName
		for _, s := range all {
			if s.Self.ID() == id {
				mine, names = append(mine, s), append(names, s.Name)
			}
		}
		slices.Sort(names)
		return slices.Equal(names, want)
	})
	by, known := make(map[bridge.SpanName][]bridge.Span), map[bridge.Trace]bool{outer: true}
	for _, s := range mine {
		if known[s.Self] {
			t.Errorf("two spans are called %s", s.Self)
		}
		known[s.Self], by[s.Name] = true, append(by[s.Name], s)
	}
	for _, s := range mine {
		if !known[s.Parent] || s.To.Before(s.From) || s.MessageID == "" || !s.Self.Sampled() {
			t.Errorf("span %+v", s)
		}
		if told := fmt.Sprintf("%+v", s); strings.Contains(told, phone.Digits()) || strings.Contains(told, "Bonjour") {
			t.Errorf("it tells too much: %s", told)
		}
	}
	return by
}

func TestParseTrace(t *testing.T) {
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct {
		name, header string
		want         bridge.Trace
	}{
		{"sampled", "00-" + trace + "-" + span + "-01", "00-" + trace + "-" + span + "-01"},
		{"not sampled", "00-" + trace + "-" + span + "-00", "00-" + trace + "-" + span + "-00"},
		{"other flags", "00-" + trace + "-" + span + "-03", "00-" + trace + "-" + span + "-01"},
		{"a later version", "cc-" + trace + "-" + span + "-01-what-the-future-brings", "00-" + trace + "-" + span + "-01"},
		{"a later version without more", "cc-" + trace + "-" + span + "-01", "00-" + trace + "-" + span + "-01"},
		{"a later version that runs on", "cc-" + trace + "-" + span + "-01x", ""},
		{"version 00 with more", "00-" + trace + "-" + span + "-01-x", ""},
		{"version ff", "ff-" + trace + "-" + span + "-01", ""},
		{"no trace", "00-00000000000000000000000000000000-" + span + "-01", ""},
		{"no span", "00-" + trace + "-0000000000000000-01", ""},
		{"capitals", "00-" + strings.ToUpper(trace) + "-" + span + "-01", ""},
		{"other signs", "00-" + trace + "_" + span + "-01", ""},
		{"short", "00-" + trace, ""},
		{"empty", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bridge.ParseTrace(tt.header)
			if got != tt.want || bridge.ParseTrace(string(got)) != got {
				t.Errorf("%q", got)
			}
			if got != "" && (got.ID() != trace || got.SpanID() != span || got.Child().ID() != trace || got.Child().SpanID() == span || got.Child().Sampled() != got.Sampled()) {
				t.Errorf("%q, child %q", got, got.Child())
			}
		})
	}
	if none := bridge.Trace(""); none.ID() != "" || none.SpanID() != "" || none.Child() != "" || none.Sampled() {
		t.Error("the empty trace says something")
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, header string) {
		got := bridge.ParseTrace(header)
		if got != "" && (bridge.ParseTrace(string(got)) != got || len(got.ID()) != 32 || len(got.SpanID()) != 16) {
			t.Errorf("%q gives %q", header, got)
		}
	})
}

// A long text over the real SMPP: its trace goes on in that of its program, from the intake over
// each segment and its receipt to the word to its sender.
func TestTraceOfMT(t *testing.T) {
	spans := newTracer()
	r, _ := overSMPP(t, options{tracer: spans})
	came := bridge.ParseTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	s, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: phone.String(), Text: strings.Repeat("Bonjour ", 25), NetworkID: "1", ReplyTo: "desk", Trace: came})
	if err != nil {
		t.Fatal(err)
	}
	r.messenger.of(t, ann, bridge.OUTStatus, 1)
	by := spans.hasAll(t, came.ID(), came, "intake", "queue", "submit", "submit_sm", "submit_sm", "receipt", "receipt", "tell", "deliver")
	intake, submit := by["intake"][0], by["submit"][0]
	if intake.Parent != came || submit.Parent != intake.Self || submit.Outcome != "sent" || submit.Failed || submit.Link != "one" || submit.Attempt != 1 || submit.Segments != 2 {
		t.Errorf("intake %+v, submit %+v", intake, submit)
	}
	story := r.story(s.ID)
	for i, one := range by["submit_sm"] {
		if one.Parent != submit.Self || one.Segment != i+1 || one.SMSCID != story.Segments[i].SMSCID || one.Link != "one" || one.Failed || one.From.Before(submit.From) || one.To.After(submit.To) {
			t.Errorf("segment %+v of %+v", one, submit)
		}
	}
	for _, receipt := range by["receipt"] {
		if receipt.Parent != intake.Self || receipt.State != "delivered" || receipt.Failed || receipt.SMSCID == "" {
			t.Errorf("receipt %+v", receipt)
		}
	}
	if tell := by["tell"][0]; by["deliver"][0].Parent != tell.Self || tell.State != "delivered" || by["deliver"][0].Network != "xmpp" {
		t.Errorf("%+v", by)
	}
	if story.Trace != intake.Self {
		t.Errorf("the story has %q", story.Trace)
	}
}

// However a message ends, its trace says so; a repeat adds nothing.
func TestTraceOfEachEnd(t *testing.T) {
	tests := []struct {
		name    string
		answers []answer
		after   func(*rig)
		want    []bridge.SpanName
		submits []string
		state   bridge.State
	}{
		{
			"later",
			[]answer{answers(bridge.OutcomeTemporary), answers(bridge.OutcomeSent, "11")},
			func(r *rig) { r.receipt("11", "UNDELIV", phone) },
			[]bridge.SpanName{"intake", "queue", "submit", "submit", "receipt", "tell", "deliver"},
			[]string{"temporary", "sent"},
			bridge.Failed,
		},
		{"refused", []answer{answers(bridge.OutcomePermanent)}, nil, []bridge.SpanName{"intake", "queue", "submit", "tell", "deliver"}, []string{"permanent"}, bridge.Failed},
		{"unknown", []answer{answers(bridge.OutcomeUnknown)}, nil, []bridge.SpanName{"intake", "queue", "submit", "tell", "deliver"}, []string{"unknown"}, bridge.Unknown},
		{"unroutable", []answer{func(context.Context, bridge.Submission) bridge.Result {
			return bridge.Result{Outcome: bridge.OutcomePermanent, Reason: bridge.ReasonUnroutable}
		}}, nil, []bridge.SpanName{"intake", "queue", "tell", "deliver"}, nil, bridge.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans := newTracer()
			r := newRig(t, options{tracer: spans})
			r.carrier.plays(tt.answers...)
			s := r.send(ann, phone, "Bonjour", "1")
			r.accept(ann, phone, "Bonjour", "1")
			if tt.after != nil {
				tt.after(r)
			}
			by := spans.hasAll(t, fmt.Sprintf("%032x", 1), "", tt.want...)
			var submits []string
			for i, submit := range by["submit"] {
				submits = append(submits, submit.Outcome)
				if submit.Attempt != i+1 || submit.Failed != (submit.Outcome != "sent") {
					t.Errorf("submit %+v", submit)
				}
			}
			if tell := by["tell"][0]; !slices.Equal(submits, tt.submits) || tell.State != string(tt.state) || tell.MessageID != s.ID {
				t.Errorf("submits %v, tell %+v", submits, tell)
			}
		})
	}
}

// Another process goes on with the trace that the message was stored with.
func TestTraceOverARestart(t *testing.T) {
	before := newTracer()
	r := newRig(t, options{tracer: before, idle: true})
	r.accept(ann, phone, "Bonjour", "1")
	id := before.get()[0].Self.ID()
	before.hasAll(t, id, "", "intake")
	after := newTracer()
	r.opt.tracer, r.opt.idle = after, false
	r.restart()
	r.messengerGets(t, id)
	after.hasAll(t, id, before.get()[0].Self, "queue", "submit", "receipt", "tell", "deliver")
}

// Traces may be turned on and off while messages wait: one that was stored without goes on without, and
// one that was stored with loses nothing but spans.
func TestTraceTurnedOnAndOff(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after *tracer
	}{{"on", nil, newTracer()}, {"off", newTracer(), nil}} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true})
			set := func(to *tracer) {
				if r.opt.tracer = nil; to != nil {
					r.opt.tracer = to
				}
				r.restart()
			}
			set(tt.before)
			r.accept(ann, phone, "Bonjour", "1")
			id := ""
			if tt.before != nil {
				id = tt.before.get()[0].Self.ID()
			}
			r.opt.idle = false
			set(tt.after)
			r.messengerGets(t, id)
			if got := r.messenger.of(t, ann, bridge.OUTStatus, 1)[0]; got.State != bridge.Delivered || got.Trace.ID() != id {
				t.Errorf("told %+v", got)
			}
			if tt.after != nil && len(tt.after.get()) > 0 {
				t.Errorf("spans %+v", tt.after.get())
			}
		})
	}
}

// messengerGets waits until the one message that there is was submitted, and ends it by a receipt.
func (r *rig) messengerGets(t *testing.T, trace string) {
	t.Helper()
	r.mt.until(t, "the dispatch", func(all []turn) bool { return len(all) > 0 && all[len(all)-1].err == nil })
	s := r.story(r.mt.get()[0].id)
	if s.Trace.ID() != trace {
		t.Errorf("its story has the trace %q", s.Trace)
	}
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
}

// A text from a phone is traced from the SMSC's PDU to its messenger; one in parts goes on in the trace of the first.
func TestTraceOfMO(t *testing.T) {
	spans := newTracer()
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	r.send(eve, other, "Bonjour", "1")
	r.opt.tracer = spans
	r.restart()

	r.fromPhone(phone, number, "Salut")
	by := spans.hasAll(t, fmt.Sprintf("%032x", 1), "", "deliver_sm", "dispatch", "deliver")
	if first := by["deliver_sm"][0]; first.Parent != "" || first.Link != "one" || first.Account != "acme" || first.Failed || by["deliver"][0].Network != "xmpp" {
		t.Errorf("%+v", by)
	}
	r.fromPhone(other, number, "Salut") // to who reads the log
	if by = spans.hasAll(t, fmt.Sprintf("%032x", 2), "", "deliver_sm", "dispatch", "deliver"); by["deliver"][0].Network != "web" {
		t.Errorf("%+v", by)
	}
	r.dispatched(r.longText(long, 7)...)
	by = spans.hasAll(t, fmt.Sprintf("%032x", 3), "", "deliver_sm", "dispatch", "join", "deliver")
	if join := by["join"][0]; len(join.Links) != 2 || join.Links[0].ID() != fmt.Sprintf("%032x", 4) || join.Segments != 3 {
		t.Errorf("%+v", join)
	}
	r.fromPhone(phone, nobodys, "à personne")
	if by = spans.hasAll(t, fmt.Sprintf("%032x", 6), "", "deliver_sm", "dispatch", "dead_letter"); by["dead_letter"][0].Reason != "unroutable" {
		t.Errorf("%+v", by)
	}
}

// What is not sampled leaves nothing, neither spans nor anything that is stored.
func TestNotTraced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tracer bridge.Tracer
	}{{"off", nil}, {"not sampled", &tracer{recorder: newRecorder[bridge.Span](), never: true}}} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalls()
			r := newRig(t, options{tracer: tt.tracer, calls: c})
			s := r.send(ann, phone, "Bonjour", "1")
			r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
			m := r.fromPhone(phone, number, "Salut")
			if got := r.story(s.ID); got.Trace != "" || c.of(t, s.ID).TraceID != "" || c.of(t, m.ID).TraceID != "" {
				t.Errorf("story %+v", got)
			}
			for _, out := range r.messenger.wait(t, "a status and a text", 2) {
				if out.Trace != "" {
					t.Errorf("%+v", out)
				}
			}
			if spans, is := tt.tracer.(*tracer); is && len(spans.get()) > 0 {
				t.Errorf("spans %+v", spans.get())
			}
			if r.carrier.submitted.get()[0].Answered != nil {
				t.Error("the carrier tells of each segment for nobody")
			}
		})
	}
}

// Call-detail records name the trace, of both ways.
func TestCallNamesItsTrace(t *testing.T) {
	c, spans := newCalls(), newTracer()
	r := newRig(t, options{calls: c, tracer: spans})
	s := r.send(ann, phone, "Bonjour", "1")
	r.receipt(s.Segments[0].SMSCID, "DELIVRD", phone)
	m := r.fromPhone(phone, number, "Salut")
	dead := r.fromPhone(phone, nobodys, "à personne")
	for n, id := range []string{s.ID, m.ID, dead.ID} {
		if got := c.of(t, id); got.TraceID != fmt.Sprintf("%032x", n+1) {
			t.Errorf("record %d: %+v", n, got)
		}
	}
}

// A message that could not be stored says so in its trace.
func TestTraceOfARefusal(t *testing.T) {
	spans := newTracer()
	r := newRig(t, options{tracer: spans, idle: true})
	r.store.onPublishMT = func(bridge.MT) error { return errBroken }
	if _, err := r.Accept(t.Context(), bridge.Request{Handle: ann, To: phone.String(), Text: "Bonjour", NetworkID: "1"}); err == nil {
		t.Fatal("accepted")
	}
	if by := spans.hasAll(t, fmt.Sprintf("%032x", 1), "", "intake"); !by["intake"][0].Failed {
		t.Errorf("%+v", by)
	}
}
