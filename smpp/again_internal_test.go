package smpp

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/bridge"
)

func saying(text, id string) bridge.MO { return bridge.MO{Body: []byte(text), ID: id} }

// taken is the id that a message gets which would be new.
func (d *doubts) taken(text string) string {
	m := saying(text, "new")
	d.take(&m)
	return m.ID
}

func TestDoubts(t *testing.T) {
	tests := []struct {
		name string
		do   func(d *doubts)
		want []string // the ids that three get that say yes
	}{
		{"nothing failed", func(*doubts) {}, []string{"new", "new", "new"}},
		{"another failed", func(d *doubts) { d.put(saying("no", "a")) }, []string{"new", "new", "new"}},
		{"two of the same", func(d *doubts) { d.put(saying("yes", "a")); d.put(saying("yes", "b")) }, []string{"a", "b", "new"}},
		{"shortly before it is forgotten", func(d *doubts) { d.put(saying("yes", "a")); time.Sleep(doubtFor) }, []string{"a", "new", "new"}},
		{"one of them forgotten", func(d *doubts) {
			d.put(saying("yes", "a"))
			time.Sleep(doubtFor / 2)
			d.put(saying("yes", "b"))
			time.Sleep(doubtFor/2 + 1)
		}, []string{"b", "new", "new"}},
		{"too many", func(d *doubts) {
			d.put(saying("yes", "a"))
			for n := range maxDoubts - 1 {
				d.put(saying(fmt.Sprint(n), "other"))
			}
			d.put(saying("yes", "b"))
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
			d.put(saying(fmt.Sprint(n), "a"))
		}
		if len(d.said) != maxDoubts || d.all.Len() != maxDoubts {
			t.Errorf("%d contents, %d ids", len(d.said), d.all.Len())
		}
		time.Sleep(doubtFor + 1)
		d.taken("yes")
		if len(d.said) != 0 || d.all.Len() != 0 {
			t.Errorf("%d contents, %d ids", len(d.said), d.all.Len())
		}
	})
}
