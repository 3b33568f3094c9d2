package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// toCode makes what a phone sends to the shared code, as the SMSC delivers it.
func (r *rig) toCode(text string) bridge.MO {
	r.t.Helper()
	return r.fromPhone(phone, shared, text)
}

var shared = addressing.MustParseNumber("+33700000010")

func sharing(cfg addressing.Config) options {
	cfg.Shared = []addressing.Number{shared}
	return options{book: cfg}
}

// The first text over a shared Number says who writes, the second does not.
func TestFirstTextSaysWhoWrites(t *testing.T) {
	r := newRig(t, sharing(addressing.Config{Pool: []addressing.Number{}}))
	r.send(ann, phone, "one", "1")
	r.send(ann, phone, "two", "2")
	r.send(bob, phone, "three", "1")
	if diff := cmp.Diff([]string{"From ann: one", "two", "From bob: three"}, r.carrier.texts()); diff != "" {
		t.Error(diff)
	}
}

// The phone is asked for whom its texts are, once; they wait for the answer, also through a
// restart, and go where it says.
func TestQuestion(t *testing.T) {
	r := newRig(t, sharing(addressing.Config{Pool: []addressing.Number{}}))
	r.send(ann, phone, "hello", "1")
	r.toCode("only ann can be meant")
	r.send(bob, phone, "hello", "1")
	first, second := r.toCode("first"), r.toCode("second")
	r.restart()
	r.toCode("7")
	r.toCode("2")
	if diff := cmp.Diff([]string{"first", "second", "7"}, r.told(bob, 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"only ann can be meant"}, r.told(ann, 1)); diff != "" {
		t.Error(diff)
	}
	for _, m := range []bridge.MO{first, second} { // a crash brings both back
		if err := r.DispatchMO(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	asked := 0
	for _, text := range r.carrier.texts() {
		if strings.Contains(text, "For whom is your message?") {
			asked++
			if !strings.HasSuffix(text, "1 ann, 2 bob") {
				t.Errorf("asked %q", text)
			}
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// An answer that a crash brings back does its work again, and no other question's.
func TestAnswerComesBack(t *testing.T) {
	opt := sharing(addressing.Config{Pool: []addressing.Number{}})
	opt.idle = true
	r := newRig(t, opt)
	r.accept(ann, phone, "hello", "1")
	r.accept(bob, phone, "hello", "1")
	s := r.bind("s")
	text, answer := r.text(s, phone, shared, "for bob"), r.text(s, phone, shared, "2")
	broken := true
	r.store.onLog = func(bridge.Entry) error {
		if broken {
			return errBroken
		}
		return nil
	}
	if err := r.DispatchMO(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	if err := r.DispatchMO(t.Context(), answer); err == nil {
		t.Fatal("a broken log was not told")
	}
	broken = false
	if err := r.DispatchMO(t.Context(), answer); err != nil {
		t.Fatal(err)
	}
	if log := r.log(bob, phone); !slices.Contains(log, "mo for bob") {
		t.Errorf("bob's log is %q", log)
	}
	if log := r.log(ann, phone); slices.Contains(log, "mo for bob") {
		t.Errorf("ann's log is %q", log)
	}
}

// STOP ends what it names, is told to both sides, and START undoes it.
func TestStopAndStart(t *testing.T) {
	r := newRig(t, options{book: addressing.Config{Pool: numbers(2)}})
	a := r.send(ann, phone, "hello", "1")
	r.send(bob, phone, "hello", "1")
	r.fromPhone(phone, a.Number, " Arrêt ")
	if got := r.told(ann, 1); !strings.Contains(got[0], "wants no more messages") {
		t.Errorf("ann was told %q", got)
	}
	wantRefusal(t, r.try(ann, phone.String(), "2"), bridge.ReasonStopped)
	if err := r.try(bob, phone.String(), "2"); err != nil {
		t.Errorf("bob: %v", err)
	}
	r.clock.pass(time.Hour)
	r.fromPhone(phone, a.Number, "stop")
	wantRefusal(t, r.try(bob, phone.String(), "3"), bridge.ReasonStopped)
	r.clock.pass(time.Hour)
	r.fromPhone(phone, a.Number, "stop") // says nothing new, and is not answered
	r.fromPhone(phone, a.Number, "START")
	for _, h := range []addressing.Handle{ann, bob} {
		if err := r.try(h, phone.String(), "4"); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	var answers []string
	r.carrier.submitted.until(t, "three answers", func(all []bridge.Submission) bool {
		answers = nil
		for _, s := range all {
			if strings.HasPrefix(s.Text, "You will get") {
				answers = append(answers, strings.Fields(s.Text)[3]+" "+strings.Fields(s.Text)[4])
			}
		}
		return len(answers) >= 3
	})
	r.settle()
	if diff := cmp.Diff([]string{"no more", "no more", "messages again."}, answers); diff != "" {
		t.Error(diff)
	}
	if k := r.Stats().Keywords; k[addressing.KeywordStop] != 1 || k[addressing.KeywordStopAll] != 1 {
		t.Errorf("%v were counted", k)
	}
}

// The same STOP twice is one STOP, and not the second that means everybody.
func TestStopComesBack(t *testing.T) {
	r := newRig(t, options{idle: true, book: addressing.Config{Pool: numbers(2)}})
	s := r.accept(ann, phone, "hello", "1")
	r.accept(bob, phone, "hello", "1")
	stop := r.text(r.bind("s"), phone, s.Number, "STOP")
	r.store.onLog = fails(1, func(bridge.Entry) bool { return true })
	if err := r.DispatchMO(t.Context(), stop); err == nil {
		t.Fatal("a broken log was not told")
	}
	if err := r.DispatchMO(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, r.try(ann, phone.String(), "2"), bridge.ReasonStopped)
	if err := r.try(bob, phone.String(), "2"); err != nil {
		t.Errorf("bob: %v", err)
	}
	for _, text := range []string{"START", "start", "HELP"} { // the second has nothing to undo
		if err := r.DispatchMO(t.Context(), r.text(r.bind("s"), phone, s.Number, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	counted := map[addressing.Keyword]uint64{addressing.KeywordStop: 1, addressing.KeywordStart: 1, addressing.KeywordHelp: 1}
	if diff := cmp.Diff(counted, r.Stats().Keywords); diff != "" {
		t.Error(diff)
	}
}

// Nobody who answers by itself can keep the bridge answering.
func TestRepliesAreBounded(t *testing.T) {
	r := newRig(t, options{})
	for range 20 {
		r.fromPhone(phone, number, "HELP")
		r.clock.pass(2 * time.Minute)
	}
	r.settle()
	if n := len(r.carrier.texts()); n == 0 || n > 10 {
		t.Errorf("%d answers to 20 calls for help", n)
	}
}

// A sender that nobody can answer is told so, once.
func TestNobodyCanAnswerAName(t *testing.T) {
	name := addressing.MustParseNumber("Acme")
	r := newRig(t, options{book: addressing.Config{Dedicated: map[addressing.Number]addressing.Handle{name: ann}}})
	r.send(ann, phone, "one", "1")
	r.send(ann, phone, "two", "2")
	if got := r.told(ann, 1); len(got) != 1 || !strings.Contains(got[0], "cannot answer") {
		t.Errorf("ann was told %q", got)
	}
}

// A short code reaches phones of its country only.
func TestShortCodeStaysInItsCountry(t *testing.T) {
	r := newRig(t, options{idle: true, book: addressing.Config{Shared: []addressing.Number{code}, Pool: []addressing.Number{}}})
	if s := r.accept(ann, phone, "hello", "1"); s.Number != code {
		t.Errorf("sent from %v", s.Number)
	}
	wantRefusal(t, r.try(ann, "+4915112345678", "2"), bridge.ReasonNoNumber)
}
