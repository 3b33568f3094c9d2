//go:build unix

package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"smsbridge/ops"
)

// paths are the links and routes of a daemon.
func (p *process) paths(t *testing.T) (list ops.LinkList) {
	t.Helper()
	answer, err := http.Get(p.ops + "/admin/v1/links")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestInstancesHoldTogether: a link that is paused at one of two daemons is paused at the other, and
// messages wait at both until somebody resumes it, at whichever; so it is with a route. Each message
// then arrives once and has one record, whichever daemon accepted it and whichever sent it.
func TestInstancesHoldTogether(t *testing.T) {
	all, hashes := people("ann", "bob")
	f := newFleet(t, 1, leaseTime, hashes, "call_records: {}\n")
	one, two := f.start(0), f.start(1)
	awaitShares(t, one, 4, 4)
	atOne, atTwo := operatorAt{t, one.ops}, operatorAt{t, two.ops}
	held := func(p *process, want bool) {
		t.Helper()
		patiently(t, "the other to know of the pause", func() bool { return p.paths(t).Links[0].Held.Held == want })
	}

	atOne.does("link pause main", "is paused")
	held(one, true)
	held(two, true)
	atTwo.does("link ls", "paused by")
	atTwo.does("link pause main", "was paused before")
	// All are accepted by one, and wait in the lanes of both.
	c := crowd{people: all, phones: 20, perPhone: 3}
	c.at(one)
	c.write(t)
	patiently(t, "all to wait", func() bool {
		here, there := one.paths(t).Routes[0].Waiting, two.paths(t).Routes[0].Waiting
		return here > 0 && there > 0 && here+there == c.messages()
	})
	if n := c.arrived(t, f.smsc); n != 0 {
		t.Errorf("%d texts arrived over a link that is paused", n)
	}
	// The route is paused before the link is not any more.
	atTwo.does("queue pause route all", "is paused")
	patiently(t, "the other to know that the route is paused", func() bool { return one.paths(t).Routes[0].Held.Held })
	atTwo.does("link resume main", "is resumed")
	held(one, false)
	if n := c.arrived(t, f.smsc); n != 0 {
		t.Errorf("%d texts arrived by a route that is paused", n)
	}
	atOne.does("queue resume route all", "is resumed")
	if states := c.final(t); states["delivered"] != c.messages() {
		t.Errorf("final states: %v; want %d delivered", states, c.messages())
	}
	if n := c.check(t, f.smsc); n != c.messages() {
		t.Errorf("%d texts arrived; want %d", n, c.messages())
	}
	for _, p := range []*process{one, two} {
		if n := p.metric(t, `smsbridge_bridge_submits_total{outcome="sent"}`); n == 0 {
			t.Error("one of the two has sent nothing")
		}
	}
	atOne.does("link rebind main", "binds anew", "each of the 2 has binds of its own")

	one.terminate(t)
	two.terminate(t)
	found, again := records(t, f.dirs[0]), records(t, f.dirs[1])
	for id := range again {
		if _, twice := found[id]; twice {
			t.Errorf("%s has a record at both", id)
		}
	}
	maps.Copy(found, again)
	if len(found) != c.messages() {
		t.Errorf("%d records of %d messages", len(found), c.messages())
	}
}
