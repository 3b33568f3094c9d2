package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// links are the links and routes of a daemon, as it tells them.
func (o operatorAt) links() (list ops.LinkList) {
	o.t.Helper()
	code, out, errs := smsbridge(o.t, "", "link", "ls", "--json", "--ops", o.ops)
	if err := json.Unmarshal([]byte(out), &list); code != exitOK || err != nil {
		o.t.Fatalf("link ls: code %d, %s%s: %v", code, out, errs, err)
	}
	return list
}

// link waits until a link is as it should be.
func (o operatorAt) link(name, what string, holds func(ops.LinkRow) bool) {
	o.t.Helper()
	patiently(o.t, name+" "+what, func() bool {
		all := o.links().Links
		i := slices.IndexFunc(all, func(l ops.LinkRow) bool { return l.Name == name })
		return i >= 0 && holds(all[i])
	})
}

// route waits until a route is as it should be.
func (o operatorAt) route(name, what string, holds func(ops.RouteRow) bool) {
	o.t.Helper()
	patiently(o.t, name+" "+what, func() bool {
		all := o.links().Routes
		i := slices.IndexFunc(all, func(r ops.RouteRow) bool { return r.Name == name })
		return i >= 0 && holds(all[i])
	})
}

func isBound(l ops.LinkRow) bool { return l.Status == ops.LinkBound }

// twoSMSCs is testConfig with a second SMSC, and routes to each.
func twoSMSCs(dir, main, other string, hashes map[string]string) string {
	config := testConfig(dir, main, hashes, `routes:
  - {prefix: "+33", links: [main]}
  - {prefix: "+44", links: [other]}
`)
	return strings.Replace(config, "web:\n", fmt.Sprintf("  - {name: other, address: %q, system_id: bridge, password: secret, window: 20}\nweb:\n", other), 1)
}

// TestLinkLs: a daemon tells how its links are, and what waits for each route since when.
func TestLinkLs(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	p := startDaemon(t, twoSMSCs(t.TempDir(), s.Addr(), quietPort(t), hashes))
	ann.base = p.web
	o := operatorAt{t, p.ops}
	before := time.Now()
	for _, to := range []string{"+33612345678", "+447700900123", "+447700900124"} {
		if m, err := ann.send(t.Context(), to, "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", to, m, err)
		}
	}
	o.route("+44", "has what waits", func(r ops.RouteRow) bool {
		if r.Waiting != 2 {
			return false
		}
		if r.OldestAt.Before(before.Add(-time.Second)) || r.OldestAt.After(time.Now().Add(time.Second)) {
			t.Errorf("the oldest came at %s", r.OldestAt)
		}
		return slices.Equal(r.Links, []string{"other"})
	})
	o.route("+33", "is empty again", func(r ops.RouteRow) bool { return r.Waiting == 0 && r.OldestAt.IsZero() })
	o.link("main", "has sent one", func(l ops.LinkRow) bool {
		return isBound(l) && l.Submits["sent"] == 1 && l.Segments == 1 && l.Window == 20
	})
	o.link("other", "is down", func(l ops.LinkRow) bool { return l.Status == ops.LinkDown && l.LastError != "" && !l.RetryAt.IsZero() })
	o.does("link ls", "main", "bound", "0 of 20", "no limit", "+44", "refused")
}
