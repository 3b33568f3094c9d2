package bridge_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
)

// long is a text of three parts with characters at the seams.
var long = strings.Repeat("a", 150) + "€€€" + strings.Repeat("b", 150) + "{}~" + strings.Repeat("c", 100)

// longText makes the parts of a text from the phone.
func (r *rig) longText(text string, ref byte) []bridge.MO {
	r.t.Helper()
	return r.bind("s").texts(r.t, phone, number, r.clock.now(), text, ref)
}

// A long text is joined in whatever order its parts come, with repeats and others between.
func TestPartsInAnyOrder(t *testing.T) {
	for _, order := range []string{"123", "321", "213", "1123", "3312", "1213"} {
		t.Run(order, func(t *testing.T) {
			r := newRig(t, options{})
			r.send(ann, phone, "Bonjour", "1")
			parts := r.longText(long, 7)
			if len(parts) != 3 {
				t.Fatalf("%d parts", len(parts))
			}
			s := r.bind("s")
			for _, n := range order {
				m := s.deliver(phone, number, r.clock.now())
				part := parts[n-'1']
				m.ESMClass, m.DataCoding, m.Body = part.ESMClass, part.DataCoding, part.Body
				r.dispatched(m)
			}
			if diff := cmp.Diff([]string{long}, r.told(ann, 1)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Other texts are not held up by parts, and other messages' parts do not mix.
func TestPartsOfTwoMessages(t *testing.T) {
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	a, b := r.longText(strings.Repeat("a", 200), 1), r.longText(strings.Repeat("b", 200), 2)
	r.dispatched(a[0], b[1])
	r.fromPhone(phone, number, "short")
	r.dispatched(b[0], a[1])
	if diff := cmp.Diff([]string{"short", strings.Repeat("b", 200), strings.Repeat("a", 200)}, r.told(ann, 3)); diff != "" {
		t.Error(diff)
	}
}

// Joining survives a restart between the parts.
func TestPartsOverARestart(t *testing.T) {
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	parts := r.longText(long, 7)
	r.dispatched(parts[2], parts[0])
	r.restart()
	r.dispatched(parts[1])
	if diff := cmp.Diff([]string{long}, r.told(ann, 1)); diff != "" {
		t.Error(diff)
	}
}

// runParts runs RunParts until the function that it returns is called.
func (r *rig) runParts() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.RunParts(ctx) }()
	return func() {
		r.t.Helper()
		cancel()
		if err := receive(r.t, ended, "the end of RunParts"); !errors.Is(err, context.Canceled) {
			r.t.Error(err)
		}
	}
}

// What has not all come in time is delivered, and says what is missing.
func TestMissingPart(t *testing.T) {
	r := newRig(t, options{hub: bridge.Config{PartsWait: time.Millisecond}})
	r.send(ann, phone, "Bonjour", "1")
	r.dispatched(r.longText(long, 7)[1])
	stop := r.runParts()
	r.clock.pass(time.Second)
	got := r.told(ann, 1)
	for len(r.log(ann, phone)) < 3 { // the line follows the text; the test's own deadline ends this
		runtime.Gosched()
	}
	stop()
	if len(got) != 1 || !strings.HasPrefix(got[0], "[part 1 of 3 is missing]") || !strings.Contains(got[0], "bbb") || !strings.HasSuffix(got[0], "[part 3 of 3 is missing]") {
		t.Errorf("got %q", got)
	}
	log := r.log(ann, phone)
	if log[len(log)-1] != "mo "+got[0] {
		t.Errorf("log %q", log)
	}
}

// Before its time nothing is released.
func TestPartsWaitTheirTime(t *testing.T) {
	r := newRig(t, options{hub: bridge.Config{PartsWait: time.Hour}})
	r.send(ann, phone, "Bonjour", "1")
	parts := r.longText(long, 7)
	r.dispatched(parts[0], parts[1])
	looked := make(chan struct{}, 1)
	r.store.mu.Lock()
	r.store.onRange = func() { looked <- struct{}{} }
	r.store.mu.Unlock()
	r.clock.pass(59 * time.Minute)
	stop := r.runParts()
	receive(t, looked, "a look at the parts")
	stop()
	r.dispatched(parts[2])
	if diff := cmp.Diff([]string{long}, r.told(ann, 1)); diff != "" {
		t.Error(diff)
	}
}

// The missing part comes just as the rest is released: one text, whole or not, and no part lost.
func TestPartComesAtTheRelease(t *testing.T) {
	tests := []struct {
		name string
		late []int // parts that come after RunParts has looked
		want func(got []string) bool
	}{
		{"the last", []int{2}, func(got []string) bool { return slices.Equal(got, []string{long}) }},
		{"not the last", []int{1}, func(got []string) bool {
			return len(got) == 1 && strings.Contains(got[0], "aaa") && strings.Contains(got[0], "bbb") && strings.HasSuffix(got[0], "[part 3 of 3 is missing]")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{hub: bridge.Config{PartsWait: time.Minute}})
			r.send(ann, phone, "Bonjour", "1")
			parts := r.longText(long, 7)
			r.dispatched(parts[0])
			if tt.late[0] == 2 {
				r.dispatched(parts[1])
			}
			looked := make(chan struct{})
			r.store.mu.Lock()
			r.store.onRange = func() {
				for _, n := range tt.late {
					r.dispatched(parts[n])
				}
				close(looked)
			}
			r.store.mu.Unlock()
			r.clock.pass(time.Minute)
			stop := r.runParts()
			receive(t, looked, "a look at the parts")
			got := r.told(ann, 1)
			stop()
			if !tt.want(got) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A phone uses a reference again before the first message was whole: nothing is lost, and
// nothing is made of parts that do not belong together.
func TestReferenceUsedAgain(t *testing.T) {
	r := newRig(t, options{})
	r.send(ann, phone, "Bonjour", "1")
	first, second := r.longText(strings.Repeat("a", 200), 7), r.longText(strings.Repeat("b", 200), 7)
	r.dispatched(first[0], second[0], second[1])
	want := []string{strings.Repeat("a", 153) + "[part 2 of 2 is missing]", strings.Repeat("b", 200)}
	if diff := cmp.Diff(want, r.told(ann, 2)); diff != "" {
		t.Error(diff)
	}
}

// A long text to nobody: every part of it is kept.
func TestPartsToNobody(t *testing.T) {
	r := newRig(t, options{})
	r.dispatched(r.longText(long, 7)...)
	var bodies [][]byte
	for _, d := range r.store.dead.wait(t, "the dead letters", 3) {
		bodies = append(bodies, d.MO.Body)
	}
	var want [][]byte
	for _, m := range r.longText(long, 7) {
		want = append(want, m.Body)
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
	if n := len(r.carrier.submitted.wait(t, "the answer", 1)); n != 1 {
		t.Errorf("%d answers", n)
	}
}

// A crash right after the last part was delivered: it comes again, and the text is seen once.
// Another under the same reference is seen as well.
func TestPartsOverACrashAtTheEnd(t *testing.T) {
	tests := []struct {
		name  string
		crash func(s *store)
	}{
		{"before its mark", func(s *store) { s.onSetMark = fails(1, func(string) bool { return true }) }},
		{"before the rest is forgotten", func(s *store) { s.onDelete = fails(1, func(string) bool { return true }) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, options{idle: true, hub: bridge.Config{PartsWait: time.Minute}})
			r.accept(eve, phone, "Bonjour", "1")
			parts := r.longText(long, 7)
			for _, m := range parts[:2] {
				if err := r.DispatchMO(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			tt.crash(r.store)
			if err := r.DispatchMO(t.Context(), parts[2]); !errors.Is(err, errBroken) {
				t.Fatalf("got %v", err)
			}
			r.restart()
			if err := r.DispatchMO(t.Context(), parts[2]); err != nil {
				t.Fatal(err)
			}
			looked := make(chan struct{})
			r.store.mu.Lock()
			r.store.onRange = func() { looked <- struct{}{} }
			r.store.mu.Unlock()
			r.clock.pass(time.Hour)
			stop := r.runParts()
			receive(t, looked, "a look at the parts")
			stop()
			other := strings.ToUpper(long)
			for _, m := range r.longText(other, 7) {
				if err := r.DispatchMO(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]string{"mt acceptedBonjour", "mo " + long, "mo " + other}, r.log(eve, phone)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
