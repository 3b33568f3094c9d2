package history

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Violation is one way in which a history breaks an invariant of docs/architecture.md.
type Violation struct {
	Invariant int // 1 to 5
	Text      Text
	What      string
}

func (v Violation) String() string {
	return fmt.Sprintf("invariant %d: %s: %s", v.Invariant, v.Text, v.What)
}

// Check judges a history that has come to rest: nobody writes any more, and all had the
// time to be told. It is a function of the history alone.
//
//  1. What was accepted, or answered with ESME_ROK, is not lost.
//  2. Each message ends in exactly one final state, which its sender is told and which is true.
//  3. Within a conversation order is kept, both ways.
//  4. Nothing is submitted twice, unless its outcome was in doubt and the operator chose to
//     resend; a phone's text is seen once.
//  5. A reply goes to whom the phone answered, and no two users share a number on a phone.
func Check(h History) []Violation {
	c := newChecker(h)
	for _, t := range c.order {
		s := c.stories[t]
		if t.MO {
			c.textFromPhone(t, s)
		} else {
			c.accepted(t, s)
			c.told(t, s)
			c.doubled(t, s)
		}
	}
	c.inOrder()
	c.numbers()
	return c.found
}

// story is all that happened to one text, each list in the order of the history.
type story struct {
	asked, accepted, submits, receipts, told, shown []int
	wrote, taken, seen, listed                      []int
}

type checker struct {
	History
	stories map[Text]*story
	order   []Text // as they first appear
	bySMSC  map[string]int
	doubts  []time.Duration
	cut     map[talk]bool // conversations of which the beginning is not shown
	found   []Violation
}

func newChecker(h History) *checker {
	c := &checker{History: h, stories: make(map[Text]*story), bySMSC: make(map[string]int), cut: make(map[talk]bool)}
	for i, e := range h.Events {
		if e.Kind == Fault {
			if e.Doubt {
				c.doubts = append(c.doubts, e.At)
			}
			continue
		}
		if e.Kind == Cut {
			c.cut[talk{mo: true, user: e.Text.User, phone: e.Text.Phone}] = true
			continue
		}
		if e.Kind == Submit && e.Taken {
			c.bySMSC[e.SMSCID] = i
		}
		t := e.Text
		if e.Kind == Receipt {
			submit, known := c.bySMSC[e.SMSCID]
			if !known {
				continue // a stranger's, on purpose
			}
			t = h.Events[submit].Text
		}
		s := c.stories[t]
		if s == nil {
			s = &story{}
			c.stories[t] = s
			c.order = append(c.order, t)
		}
		if list := s.list(e.Kind); list != nil {
			*list = append(*list, i)
		}
	}
	return c
}

func (s *story) list(k Kind) *[]int {
	return map[Kind]*[]int{
		Asked: &s.asked, Accepted: &s.accepted, Submit: &s.submits, Receipt: &s.receipts, Told: &s.told, Shown: &s.shown,
		Wrote: &s.wrote, Taken: &s.taken, Seen: &s.seen, Listed: &s.listed,
	}[k]
}

func (c *checker) violate(invariant int, t Text, format string, args ...any) {
	c.found = append(c.found, Violation{Invariant: invariant, Text: t, What: fmt.Sprintf(format, args...)})
}

// final are the states that no other follows.
var final = map[string]bool{"delivered": true, "failed": true, "expired": true, "unknown": true}

// Final tells whether no other state follows one.
func Final(state string) bool { return final[state] }

// accepted: what was accepted is not lost, and has one id.
func (c *checker) accepted(t Text, s *story) {
	if len(s.asked) == 0 {
		c.violate(4, t, "it was submitted or told of, but nobody wrote it")
	}
	ids := make(map[string]bool)
	for _, i := range s.accepted {
		ids[c.Events[i].ID] = true
	}
	if len(ids) > 1 {
		c.violate(4, t, "it was accepted as %d messages: %v", len(ids), slices.Sorted(maps.Keys(ids)))
	}
	if slices.ContainsFunc(s.shown, func(i int) bool { return c.Events[i].State == Forgotten }) {
		c.violate(1, t, "it was accepted at %s, and the bridge knows nothing of it when it is asked", c.at(s.accepted[0]))
	}
	if len(s.accepted) > 0 && len(s.submits) == 0 && !c.ended(s) {
		c.violate(1, t, "it was accepted at %s, and nothing was ever heard of it again", c.at(s.accepted[0]))
	}
}

func (c *checker) at(i int) time.Duration { return c.Events[i].At.Round(time.Millisecond) }

func (c *checker) ended(s *story) bool {
	return slices.ContainsFunc(s.told, func(i int) bool { return final[c.Events[i].State] })
}

// doubled: no segment is submitted again, but after a refusal, or where nobody can know.
func (c *checker) doubled(t Text, s *story) {
	last := make(map[int]Event) // by part
	before := 0
	for _, i := range s.submits {
		e := c.Events[i]
		previous, again := last[e.Part]
		last[e.Part] = e
		switch {
		case !again && e.Part < before && !c.Resend:
			c.violate(3, t, "part %d was submitted at %s, after part %d", e.Part, c.at(i), before)
		case !again, !previous.Taken && previous.Answer != "" && previous.Answer != OK: // refused
		case c.Resend && c.inDoubt(previous, e):
		default:
			c.violate(4, t, "part %d was submitted at %s and again at %s; the first was answered %q", e.Part, previous.At, e.At, previous.Answer)
		}
		before = e.Part
	}
}

// inDoubt tells whether nobody could know what became of a submit when it was sent again:
// it was not answered, or its answer may have been lost with its connection.
func (c *checker) inDoubt(first, again Event) bool {
	return first.Answer == "" || first.Remote != again.Remote && c.doubtBetween(first.At-doubtFor, again.At)
}

// doubtFor is how long a fault may cast doubt on what is submitted after its beginning.
const doubtFor = 10 * time.Second

func (c *checker) doubtBetween(from, to time.Duration) bool {
	return slices.ContainsFunc(c.doubts, func(at time.Duration) bool { return from <= at && at <= to })
}

// textFromPhone: a phone's text that the bridge took is seen once, by whom it is for.
func (c *checker) textFromPhone(t Text, s *story) {
	ids := make(map[string]bool)
	for _, i := range slices.Concat(s.seen, s.listed) {
		e := c.Events[i]
		ids[e.ID] = true
		if e.By != t.User {
			c.violate(5, t, "%s saw it at %s", e.By, c.at(i))
		}
		if len(s.wrote) == 0 {
			c.violate(4, t, "it was seen at %s, but no phone wrote it", c.at(i))
		} else if to := c.Events[s.wrote[0]].Number; e.Number != "" && e.Number != to {
			c.violate(5, t, "the phone wrote it to %s, and its user saw it come to %s", to, e.Number)
		}
	}
	if len(ids) > 1 {
		c.violate(4, t, "it was seen as %d texts: %v", len(ids), slices.Sorted(maps.Keys(ids)))
	}
	if len(s.taken) > 0 && len(s.seen) == 0 {
		c.violate(1, t, "the bridge took it at %s, and its user never saw it", c.at(s.taken[0]))
	}
	older := c.cut[talk{mo: true, user: t.User, phone: t.Phone}] && len(s.listed) == 0
	if len(s.taken) > 0 && len(s.listed) != 1 && !older {
		c.violate(1, t, "it stands %d times in its user's history", len(s.listed))
	}
}

// talk is a conversation one way.
type talk struct {
	mo          bool
	user, phone string
}

// inOrder: of two texts of a conversation the SMSC, or the user, never sees the later one
// first. A text of which the sender has been told that nobody knows whether it arrived holds
// up no other, and may arrive after that: an SMSC may read it late.
func (c *checker) inOrder() {
	last := make(map[talk]int)
	seen, unknown := make(map[Text]bool), make(map[Text]bool)
	for i, e := range c.Events {
		switch {
		case e.Kind == Told && e.State == "unknown":
			unknown[e.Text] = true
			continue
		case e.Kind == Submit && unknown[e.Text]:
			continue
		case e.Kind == Submit:
		case e.Kind == Seen && !seen[e.Text]: // only its first sight counts
			seen[e.Text] = true
		default:
			continue
		}
		k := talk{mo: e.Text.MO, user: e.Text.User, phone: e.Text.Phone}
		before, known := last[k]
		if known && e.Text.Seq < before {
			c.violate(3, e.Text, "it came at %s, after #%d of the same conversation", c.at(i), before)
		}
		last[k] = max(before, e.Text.Seq)
	}
}

// numbers: a conversation has one number, and on a phone a number is one user's.
func (c *checker) numbers() {
	type pair struct{ a, b string }
	numberOf, userOf := make(map[pair]string), make(map[pair]string)
	for i, e := range c.Events {
		if e.Kind != Submit {
			continue
		}
		conversation, place := pair{e.Text.User, e.Text.Phone}, pair{e.Text.Phone, e.Number}
		if number, known := numberOf[conversation]; known && number != e.Number {
			c.violate(5, e.Text, "it came from %s at %s, and those before it from %s", e.Number, c.at(i), number)
		}
		if user, known := userOf[place]; known && user != e.Text.User {
			c.violate(5, e.Text, "it came from %s, which is %s's on this phone", e.Number, user)
		}
		numberOf[conversation], userOf[place] = e.Number, e.Text.User
	}
}
