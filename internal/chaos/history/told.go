package history

import "slices"

// This file judges what users were told.

// told: exactly one final state, and each state true when it was told.
func (c *checker) told(t Text, s *story) {
	end := ""
	for _, i := range s.told {
		e := c.Events[i]
		if why := c.untrue(s, i); why != "" {
			c.violate(2, t, "its sender was told %q at %s, but %s", e.State, c.at(i), why)
		}
		if !final[e.State] {
			continue
		}
		if end != "" && end != e.State {
			c.violate(2, t, "its sender was told %q, and at %s %q", end, c.at(i), e.State)
		}
		end = e.State
	}
	if len(s.accepted) > 0 && end == "" && len(s.submits) > 0 {
		c.violate(2, t, "it was accepted at %s and submitted, and its sender was never told how it ended", c.at(s.accepted[0]))
	}
	for _, i := range s.shown {
		if state := c.Events[i].State; end != "" && state != end {
			c.violate(2, t, "its sender was told %q, and the bridge says %q when it is asked", end, state)
		}
	}
}

// untrue says why a state was not true when it was told; empty where it was.
func (c *checker) untrue(s *story, told int) string {
	e := c.Events[told]
	since := e.At
	if len(s.asked) > 0 {
		since = c.Events[s.asked[0]].At
	}
	switch e.State {
	case "sent":
		return c.missing(s, "submit_sm", func(part int) bool {
			return c.before(s.submits, told, func(e Event) bool { return e.Part == part && e.Taken })
		})
	case "delivered":
		return c.missing(s, "DELIVRD receipt", func(part int) bool { return c.receiptBefore(s, told, part, "DELIVRD") })
	case "failed":
		wordy := e.Reason == "" // it was told in words alone
		switch {
		case (e.Reason == "rejected" || wordy) && c.before(s.submits, told, func(e Event) bool { return e.Answer != "" && e.Answer != OK }):
		case (e.Reason == "undeliverable" || wordy) && (c.receiptBefore(s, told, 0, "UNDELIV") || c.receiptBefore(s, told, 0, "REJECTD")):
		default:
			return "nobody refused it (reason " + e.Reason + ")"
		}
	case "expired":
		if !c.receiptBefore(s, told, 0, "EXPIRED") && e.At-since < c.Validity {
			return "its validity was not over"
		}
	case "unknown":
		silent := c.before(s.submits, told, func(e Event) bool { return e.Answer == "" })
		if !silent && !c.doubtBetween(since-doubtFor, e.At) {
			return "nothing had happened that could cast doubt on it"
		}
	case "accepted":
	default:
		return "there is no such state"
	}
	return ""
}

// missing names the first part of a message that has no such thing before it was told.
func (c *checker) missing(s *story, what string, has func(part int) bool) string {
	if len(s.submits) == 0 {
		return "it was never submitted"
	}
	parts := c.Events[s.submits[0]].Parts
	for part := 1; part <= parts; part++ {
		if !has(part) {
			return "there was no " + what + " that says so"
		}
	}
	return ""
}

// before tells whether one of some events came before another, and is such.
func (c *checker) before(some []int, limit int, such func(Event) bool) bool {
	return slices.ContainsFunc(some, func(i int) bool { return i < limit && such(c.Events[i]) })
}

// receiptBefore looks for a receipt of a part, or of any part for 0.
func (c *checker) receiptBefore(s *story, limit, part int, stat string) bool {
	return c.before(s.receipts, limit, func(e Event) bool {
		of := c.Events[c.bySMSC[e.SMSCID]].Part
		return e.Stat == stat && (part == 0 || part == of)
	})
}
