package queue

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestShareOutSettles: from any start, with instances that act in any order on what is
// there, the lanes end shared evenly and then nothing moves.
func TestShareOutSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var live []string
		for n := range rapid.IntRange(1, 9).Draw(t, "instances") {
			live = append(live, fmt.Sprint(n))
		}
		owners := make([]string, rapid.IntRange(1, 64).Draw(t, "lanes"))
		for lane := range owners {
			owners[lane] = rapid.SampledFrom(append([]string{""}, live...)).Draw(t, "owner")
		}
		moves := 0
		for quiet := 0; quiet < 2*len(live); quiet++ {
			me := live[rapid.IntRange(0, len(live)-1).Draw(t, "who")]
			if quiet > 0 {
				me = live[quiet%len(live)] // everybody has a look before it counts as quiet
			}
			take, give := shareOut(me, live, owners)
			for _, lane := range take {
				if owners[lane] != "" {
					t.Fatalf("%s takes lane %d of %s", me, lane, owners[lane])
				}
				owners[lane] = me
			}
			for _, lane := range give {
				if owners[lane] != me {
					t.Fatalf("%s gives lane %d of %q", me, lane, owners[lane])
				}
				owners[lane] = ""
			}
			if moved := len(take) + len(give); moved > 0 {
				quiet = 0
				if moves += moved; moves > 4*len(owners) {
					t.Fatalf("the lanes move for ever: %v", owners)
				}
			}
		}
		least, most := len(owners)/len(live), (len(owners)+len(live)-1)/len(live)
		for _, id := range live {
			n := 0
			for _, owner := range owners {
				if owner == id {
					n++
				}
			}
			if n < least || n > most {
				t.Fatalf("%s holds %d of %v", id, n, owners)
			}
		}
		if slices.Contains(owners, "") {
			t.Fatalf("a lane is nobody's: %v", owners)
		}
	})
}
