package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// reloads is how often the file changes under load; SMSBRIDGE_RELOADS asks for more.
const reloads = 15

// reloadConfig has three links, of which only the last changes from round to round, with the
// routes and the policy.
func reloadConfig(dir, smscAddr string, hashes map[string]string, round int) string {
	config := testConfig(dir, smscAddr, hashes, fmt.Sprintf(`routes:
  - {links: {one: %d, two: 1, three: 2}}
policy: {max_conversations: %d}
`, 1+round%3, 1000+round))
	var links strings.Builder
	for _, name := range []string{"one", "two"} {
		fmt.Fprintf(&links, "  - {name: %s, address: %q, system_id: %s, password: secret, window: 20}\n", name, smscAddr, name)
	}
	fmt.Fprintf(&links, "  - {name: three, address: %q, system_id: three, password: secret, window: %d}\nweb:\n", smscAddr, 10+round)
	start, end := strings.Index(config, "  - {name: main"), strings.Index(config, "web:\n")
	return config[:start] + links.String() + config[end+len("web:\n"):]
}

// TestReloadUnderLoad: while people write, the file changes again and again, with one of three
// links, the routes and the policy. Each text arrives once, in order, and the links that did not
// change stay bound.
func TestReloadUnderLoad(t *testing.T) {
	rounds := reloads
	if n, err := strconv.Atoi(os.Getenv("SMSBRIDGE_RELOADS")); err == nil {
		rounds = n
	}
	all, hashes := people("ann", "bob")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond, MaxMessages: 100_000, MaxText: 8 << 20})
	dir := t.TempDir()
	p := startDaemon(t, reloadConfig(dir, s.Addr(), hashes, 0), "--no-watch")
	o := operatorAt{t: t, ops: p.ops}
	for _, name := range []string{"one", "two", "three"} {
		o.link(name, "is bound", isBound)
	}

	const phones = 10
	sent := make([]atomic.Int64, len(all))
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i, who := range all {
		who.base = p.web
		for phone := range phones {
			writers.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					m, err := who.send(t.Context(), phoneOf(phone), fmt.Sprintf("%s writes text %06d", who.name, n), fmt.Sprintf("%d-%d", phone, n))
					if err != nil || m.Code != http.StatusAccepted {
						t.Errorf("%s to phone %d, text %d: %+v, %v", who.name, phone, n, m, err)
						return
					}
					sent[i].Add(1)
				}
			})
		}
	}
	for round := 1; round <= rounds && !t.Failed(); round++ {
		p.configure(t, reloadConfig(dir, s.Addr(), hashes, round))
		o.does("reload", fmt.Sprintf("smsc.three.window: %d, was %d", 10+round, 9+round), fmt.Sprintf("policy.max_conversations: %d", 1000+round), "settings changed.")
		o.link("three", "has bound again", func(l ops.LinkRow) bool { return isBound(l) && l.Window == 10+round && l.Binds == uint64(1+round) })
	}
	close(stop)
	writers.Wait()

	total := 0
	for i, who := range all {
		n := int(sent[i].Load())
		total += n
		for id, state := range who.awaitFinal(t, n) {
			if state != "delivered" {
				m, err := who.status(t.Context(), id)
				t.Errorf("%s is %s: %+v, %v", id, state, m, err)
			}
		}
	}
	if arrived := (crowd{people: all, phones: phones}).check(t, s); arrived != total {
		t.Errorf("%d texts arrived, %d were accepted", arrived, total)
	}
	for _, l := range o.links().Links {
		if want := map[string]uint64{"one": 1, "two": 1, "three": uint64(1 + rounds)}[l.Name]; l.Binds != want {
			t.Errorf("%s has bound %d times, want %d", l.Name, l.Binds, want)
		}
	}
	t.Logf("%d reloads, %d texts", rounds, total)
}

// configure writes the file of a daemon anew, whole or not at all as an editor does.
func (p *process) configure(t *testing.T, config string) {
	t.Helper()
	if err := writeDurably(p.config, []byte(config)); err != nil {
		t.Fatal(err)
	}
}

// configState is what the daemon says of its file.
func (o operatorAt) configState() (state ops.ConfigState) {
	o.t.Helper()
	response, err := http.Get(o.ops + "/admin/v1/reload")
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&state); err != nil {
		o.t.Fatal(err)
	}
	return state
}

// TestReload: what a reload refuses, and what it puts in place, by command, by signal and by the
// change of the file.
func TestReload(t *testing.T) {
	m := listenAsSystemd(t)
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	dir := t.TempDir()
	good := testConfig(dir, s.Addr(), hashes, "")
	p := startDaemon(t, good)
	ann.base = p.web
	o := operatorAt{t: t, ops: p.ops}
	m.hears("READY=1")
	o.link("main", "is bound", isBound)
	o.does("reload", "0 settings changed.")
	m.hears("RELOADING=1", "MONOTONIC_USEC=")
	m.hears("READY=1", "STATUS=Serving.")

	// Wrong, and then what needs a restart, beside what does not.
	for _, bad := range []struct{ name, config, want string }{
		{"a mistake", strings.Replace(good, "window: 20", "window: many", 1), "smsc[0].window"},
		{"no YAML", "data_dir: [", "is not YAML"},
		{"another folder", strings.Replace(good, dir, dir+"/elsewhere", 1) + "mt: {max_segments: 1}\n", "data_dir: " + dir + "/elsewhere, was " + dir},
	} {
		p.configure(t, bad.config)
		o.mayNot("reload", bad.want)
		if state := o.configState(); state.OK || !strings.Contains(state.Error, bad.want) {
			t.Errorf("%s: %+v", bad.name, state)
		}
	}
	m.hears("READY=1", "STATUS=Serving, but")
	if ok := p.metric(t, "smsbridge_config_ok"); ok != 0 {
		t.Errorf("smsbridge_config_ok is %v", ok)
	}
	long := strings.Repeat("0123456789", 20)
	if got, err := ann.send(t.Context(), phoneOf(1), long, "long"); err != nil || got.Code != http.StatusAccepted {
		t.Errorf("half of a refused file is in use: %+v, %v", got, err)
	}

	// By signal: a policy, the length of texts, and a person who is not there any more.
	signalled := good + "mt: {max_segments: 1}\npolicy: {rules: [{action: deny, prefixes: [\"+336\"]}]}\n"
	p.configure(t, signalled)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	patiently(t, "the reload by SIGHUP", func() bool { return o.configState().OK })
	if got, err := ann.send(t.Context(), "+44 7911 123456", long, "x"); err != nil || got.Code != http.StatusUnprocessableEntity {
		t.Errorf("a text that is too long now: %+v, %v", got, err)
	}
	if got, err := ann.send(t.Context(), phoneOf(1), "hi", "y"); err != nil || got.Code < 400 {
		t.Errorf("a phone that is forbidden now: %+v, %v", got, err)
	}

	// By the change of the file alone.
	_, others := people("zoe")
	p.configure(t, testConfig(dir, s.Addr(), others, ""))
	// A count of reloads would not do: where the file was read before the signal, that reload may be counted late.
	patiently(t, "the reload by the file, without who was taken out", func() bool {
		got, err := ann.send(t.Context(), phoneOf(1), "hi", "z")
		return err == nil && got.Code == http.StatusUnauthorized
	})
	for _, l := range o.links().Links {
		if l.Binds != 1 {
			t.Errorf("%s has bound %d times", l.Name, l.Binds)
		}
	}
	o.does("queue audit", "reload")
}
