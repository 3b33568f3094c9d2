package bridge_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// defective is a Reader on which the bridge panics where it is told to.
type defective struct {
	*smpp.Reader
	reads, joins bool
}

func (d *defective) ReadMO(m bridge.MO) (bridge.Short, error) {
	if d.reads && !m.IsReceipt() {
		panic("a defect")
	}
	return d.Reader.ReadMO(m)
}

func (d *defective) JoinMO(segments []bridge.MO) (string, error) {
	if d.joins {
		panic("a defect")
	}
	return d.Reader.JoinMO(segments)
}

// A text from a phone that a defect of the bridge ended is a dead letter, and has its one
// call-detail record as any other.
func TestCallOfADefect(t *testing.T) {
	inTheLog := func(r *rig) {
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		r.store.onLog = func(e bridge.Entry) error {
			if e.Kind == bridge.EntryMO {
				panic("a defect")
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name   string
		reader defective
		setup  func(*rig)
		play   func(*rig) []bridge.MO // the first part has the record
		want   bridge.Call
	}{
		{
			name: "in reading it", reader: defective{reads: true},
			play: func(r *rig) []bridge.MO { return []bridge.MO{r.text(r.bind("s"), phone, number, "Salut")} },
			want: bridge.Call{Segments: 1},
		},
		{
			name: "in giving it to who reads the log", setup: inTheLog,
			play: func(r *rig) []bridge.MO { return []bridge.MO{r.text(r.bind("s"), other, number, "Salut")} },
			want: bridge.Call{Segments: 1, Number: number.String(), Phone: other.Masked()},
		},
		{
			name: "in joining its parts", reader: defective{joins: true},
			play: func(r *rig) []bridge.MO { return r.longText(long, 7) },
			want: bridge.Call{Segments: 3, Number: number.String(), Phone: phone.Masked()},
		},
		{
			name: "in handing it to the messenger",
			setup: func(r *rig) {
				r.messenger.script(func(_ context.Context, out bridge.OUT) error {
					if out.Text == "Salut" {
						panic("a defect")
					}
					return nil
				})
			},
			play: func(r *rig) []bridge.MO { return []bridge.MO{r.text(r.bind("s"), phone, number, "Salut")} },
			want: bridge.Call{Segments: 1, Number: number.String(), Phone: phone.Masked(), Handle: ann.String()},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalls()
			r := newRig(t, options{calls: c, reader: &defective{Reader: &smpp.Reader{Region: "FR"}, reads: tt.reader.reads, joins: tt.reader.joins}})
			r.send(ann, phone, "Bonjour", "1")
			r.send(eve, other, "Bonjour", "1")
			if tt.setup != nil {
				tt.setup(r)
			}
			parts := tt.play(r)
			r.arrive(parts...)
			got := c.of(t, parts[0].ID)
			coding := byte(0)
			want := tt.want
			want.V, want.ID, want.Kind, want.State, want.Reason = 1, parts[0].ID, bridge.CallMO, bridge.Failed, bridge.ReasonInternal
			want.DataCoding, want.Link, want.Account, want.AcceptedAt, want.EndedAt = &coding, "one", "acme", got.AcceptedAt, got.EndedAt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			r.counted()
			c.of(t, parts[0].ID)
		})
	}
}

// counted waits until one dead letter of a defect is counted.
func (r *rig) counted() {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		n := r.Stats().DeadLetters[bridge.ReasonInternal]
		if n == 1 {
			return
		}
		if n > 1 || time.Now().After(end) {
			r.t.Fatalf("%d dead letters of a defect", n)
		}
	}
}

// A receipt on which the bridge panics has no record: it is no message.
func TestNoCallOfADefectiveReceipt(t *testing.T) {
	c := newCalls()
	r := newRig(t, options{calls: c})
	s := r.send(ann, phone, "Bonjour", "1")
	r.store.mu.Lock()
	r.store.onPutStory = func(s bridge.Story) error {
		if s.State == bridge.Delivered {
			panic("a defect")
		}
		return nil
	}
	r.store.mu.Unlock()
	r.arrive(r.receiptOf(s.Segments[0].SMSCID, "DELIVRD", phone))
	r.counted()
	if all := c.get(); len(all) != 0 {
		t.Errorf("records %+v", all)
	}
}

// A defect that shows where a long message is given up ends that message, and neither the daemon
// nor another message.
func TestDefectInGivingUp(t *testing.T) {
	c := newCalls()
	reader := &defective{Reader: &smpp.Reader{Region: "FR"}, joins: true}
	r := newRig(t, options{calls: c, reader: reader, hub: bridge.Config{PartsWait: time.Millisecond}})
	r.send(ann, phone, "Bonjour", "1")
	parts := r.longText(long, 7)
	r.dispatched(parts[0], parts[2])
	stop := r.runParts()
	defer stop()
	r.clock.pass(time.Second)
	if got := c.of(t, parts[0].ID); got.State != bridge.Failed || got.Reason != bridge.ReasonInternal || got.Segments != 2 {
		t.Errorf("record %+v", got)
	}
	if dead := r.store.dead.get(); len(dead) != 2 || dead[0].Reason != bridge.ReasonInternal || dead[0].MO.ID != parts[0].ID || dead[1].MO.ID != parts[2].ID {
		t.Errorf("dead letters %+v", dead)
	}
	if r.Stats().Panics != 1 {
		t.Errorf("%d panics", r.Stats().Panics)
	}
}
