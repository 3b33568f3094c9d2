package smpp

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/bridge"
)

func saying(text, id string) bridge.MO { return bridge.MO{Body: []byte(text), ID: id} }

// taken is the id that a message gets which would be new.
func (d *doubts) taken(text string) string {
	m := saying(text, "new")
	d.begin(&m, time.Now())
	d.end(m.ID)
	return m.ID
}

// answer lets a message be answered so long after it came.
func (d *doubts) answer(text, id string, after time.Duration) {
	came := time.Now()
	time.Sleep(after)
	d.stored(saying(text, id), came)
}

func TestDoubts(t *testing.T) {
	tests := []struct {
		name string
		do   func(d *doubts)
		want []string // the ids that three get that say yes
	}{
		{"nothing failed", func(*doubts) {}, []string{"new", "new", "new"}},
		{"another failed", func(d *doubts) { d.failed(saying("no", "a")) }, []string{"new", "new", "new"}},
		{"two of the same", func(d *doubts) { d.failed(saying("yes", "a")); d.failed(saying("yes", "b")) }, []string{"a", "b", "new"}},
		{"shortly before it is forgotten", func(d *doubts) { d.failed(saying("yes", "a")); time.Sleep(failedFor) }, []string{"a", "new", "new"}},
		{"one of them forgotten", func(d *doubts) {
			d.failed(saying("yes", "a"))
			time.Sleep(failedFor / 2)
			d.failed(saying("yes", "b"))
			time.Sleep(failedFor/2 + 1)
		}, []string{"b", "new", "new"}},
		{"answered in time", func(d *doubts) { d.answer("yes", "a", lateAfter) }, []string{"new", "new", "new"}},
		{"answered late", func(d *doubts) { d.answer("yes", "a", lateAfter+1) }, []string{"a", "new", "new"}},
		{"answered late, and long ago", func(d *doubts) { d.answer("yes", "a", lateAfter+1); time.Sleep(lateFor + 1) }, []string{"new", "new", "new"}},
		{"answered late long ago, after one that failed", func(d *doubts) {
			d.failed(saying("yes", "a"))
			d.answer("yes", "b", lateAfter+1)
			time.Sleep(lateFor + 1)
		}, []string{"a", "new", "new"}},
		{"too many", func(d *doubts) {
			d.failed(saying("yes", "a"))
			for n := range maxDoubts - 1 {
				d.failed(saying(fmt.Sprint(n), "other"))
			}
			d.failed(saying("yes", "b"))
		}, []string{"b", "new", "new"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d doubts
				tt.do(&d)
				for i, want := range tt.want {
					if got := d.taken("yes"); got != want {
						t.Errorf("number %d got the id %s, want %s", i, got, want)
					}
				}
			})
		})
	}
}

// What is forgotten leaves nothing behind.
func TestDoubtsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d doubts
		for n := range 2 * maxDoubts {
			d.failed(saying(fmt.Sprint(n), "a"))
		}
		if len(d.said) != maxDoubts || d.all.Len() != maxDoubts {
			t.Errorf("%d contents, %d ids", len(d.said), d.all.Len())
		}
		time.Sleep(failedFor + 1)
		d.taken("yes")
		if len(d.said) != 0 || d.all.Len() != 0 || len(d.under) != 0 {
			t.Errorf("%d contents, %d ids, %d under way", len(d.said), d.all.Len(), len(d.under))
		}
	})
}

// The store takes its time, and the SMSC does not wait for it: what it sends again meanwhile,
// and waits behind the first, is the same message. What a person says at once is another.
func TestAnsweredLate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration // the first
		same  bool
	}{
		{"said twice", time.Second, false},
		{"sent again", lateAfter, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				ids := make(chan string, 2)
				link, err := NewLink(LinkConfig{
					Name: "one", Addr: "smsc.example:2775", SystemID: "a", Bind: Transceiver,
					Store: func(_ context.Context, m bridge.MO) error {
						time.Sleep(lateAfter + time.Second)
						ids <- m.ID
						return nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				s := NewSession(ours, SessionConfig{Handler: newIncoming(link), EnquireInterval: time.Hour})
				ended := make(chan error, 1)
				go func() { ended <- s.Run(t.Context()) }()
				go func() { _, _ = io.Copy(io.Discard, theirs) }() // the answers
				for n := range uint32(2) {
					frame, err := Encode(&PDU{Command: DeliverSM, Sequence: n + 1, Short: &Short{Source: bridge.Address{Addr: "33612345678"}, Body: []byte("yes")}})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := theirs.Write(frame); err != nil {
						t.Fatal(err)
					}
					time.Sleep(tt.after)
				}
				if first, second := <-ids, <-ids; (first == second) != tt.same {
					t.Errorf("the ids are %s and %s; the same: want %t", first, second, tt.same)
				}
				_ = theirs.Close()
				<-ended
			})
		})
	}
}

// What the hub asks: whether one that came may be another that the SMSC sent again.
func TestDoubtsHold(t *testing.T) {
	ask := func(d *doubts, id, again string) bool {
		return d.holds(bridge.Doubt{ID: id, Again: again, CameAt: time.Now()})
	}
	tests := []struct {
		name string
		do   func(d *doubts)
		want []bool // of a: b, b again, c
		left string // the id that one gets which says the same after that
	}{
		{"nothing known", func(*doubts) {}, []bool{false, false, false}, "new"},
		{"it failed", func(d *doubts) { d.failed(saying("yes", "a")) }, []bool{true, true, false}, "new"},
		{"it failed long ago", func(d *doubts) { d.failed(saying("yes", "a")); time.Sleep(failedFor + 1) }, []bool{false, false, false}, "new"},
		{"another failed", func(d *doubts) { d.failed(saying("yes", "other")) }, []bool{false, false, false}, "other"},
		{"it came again here", func(d *doubts) { d.failed(saying("yes", "a")); d.taken("yes") }, []bool{false, false, false}, "new"},
		{"it was answered in time", func(d *doubts) { d.answer("yes", "a", lateAfter) }, []bool{false, false, false}, "new"},
		{"it was answered late", func(d *doubts) { d.answer("yes", "a", lateAfter+1) }, []bool{true, true, false}, "new"},
		{"it was answered late, and long ago", func(d *doubts) { d.answer("yes", "a", lateAfter+1); time.Sleep(lateFor + 1) }, []bool{false, false, false}, "new"},
		{"it is being stored", func(d *doubts) {
			m := saying("yes", "a")
			d.begin(&m, time.Now())
			time.Sleep(lateAfter - 1)
		}, []bool{false, false, false}, "new"},
		{"it is being stored for long", func(d *doubts) {
			m := saying("yes", "a")
			d.begin(&m, time.Now())
			time.Sleep(lateAfter)
		}, []bool{true, true, false}, "new"},
		{"it was asked about while it was being stored, and then failed", func(d *doubts) {
			m := saying("yes", "a")
			d.begin(&m, time.Now())
			time.Sleep(lateAfter)
			ask(d, "a", "b")
			d.failed(m)
			d.end("a")
		}, []bool{true, true, false}, "new"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d doubts
				tt.do(&d)
				for i, again := range []string{"b", "b", "c"} {
					if got := ask(&d, "a", again); got != tt.want[i] {
						t.Errorf("question %d: got %t", i, got)
					}
				}
				if got := d.taken("yes"); got != tt.left {
					t.Errorf("what is said after that has the id %s, want %s", got, tt.left)
				}
			})
		})
	}
}

// Somebody sets the time of day back after the first came: when the second came is told by
// the clock that nobody sets.
func TestClockIsSetBetweenDoubts(t *testing.T) {
	up := uptime()
	if up == (bridge.Uptime{}) {
		t.Skip("this system does not tell for how long it has been switched on")
	}
	const set = -36 * time.Minute
	tests := []struct {
		name string
		came time.Duration // before the second
		want bool
	}{
		{"while the first was being stored for long", lateAfter + time.Second, true},
		{"at once", time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d doubts
			m := saying("yes", "a")
			d.begin(&m, time.Now().Add(-tt.came))
			if got := d.holds(bridge.Doubt{ID: "a", Again: "b", CameAt: time.Now().Add(set).UTC(), Came: up}); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	t.Run("after the first failed", func(t *testing.T) {
		var d doubts
		d.failed(saying("yes", "a"))
		if !d.holds(bridge.Doubt{ID: "a", Again: "b", CameAt: time.Now().Add(-set).UTC(), Came: up}) {
			t.Error("it is not in doubt")
		}
	})
}
