package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/ops"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// What the file says of links and routes is what the links are told.
func TestWireLinks(t *testing.T) {
	cfg, err := configs.Parse("test.yaml", []byte(`
data_dir: data
numbers: {pool: [+33700000001]}
smsc:
  - {name: main, address: "[::1]:2775", system_id: a, password: b, binds: 2, interface_version: 5.0, bind_address: "::1"}
  - {name: calls, system_id: a, password: b, outbind: {listen: "127.0.0.1:0", system_id: smsc, password: c}}
routes:
  - {prefix: +33, networks: [web], links: {main: 3, calls: 1}}
portability: {url: "https://hlr.example.net/{msisdn}", token: t}
web:
  listen: 127.0.0.1:0
  users:
    - name: ann
      password_hash: $argon2id$v=19$m=65536,t=3,p=1$c21zYnJpZGdlZXhhbXBsZQ$TQ4GzTlCHwpUik0j3qwjvNHKG1yPW2e67xz45JoQyp0
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DataDir = t.TempDir()
	d := &app{cfg: cfg, log: zerolog.Nop()}
	if d.store, err = queue.Open(t.Context(), queueConfig(cfg, d.log)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	links, err := d.newLinks()
	if err != nil {
		t.Fatal(err)
	}
	var got [][3]string
	for _, st := range links.Status() {
		got = append(got, [3]string{st.Name, st.Pool, st.Account})
	}
	want := [][3]string{{"main-1", "main", "main"}, {"main-2", "main", "main"}, {"calls", "calls", "calls"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	main, calls := linkConfig(cfg.SMSCs[0], 0, d.log, nil), linkConfig(cfg.SMSCs[1], 0, d.log, nil)
	if main.Version != smpp.Version50 || main.LocalAddr.String() != "::1" || main.Outbind != nil {
		t.Errorf("main is %+v", main)
	}
	if diff := cmp.Diff(&smpp.OutbindConfig{Listen: "127.0.0.1:0", SystemID: "smsc", Password: "c"}, calls.Outbind); diff != "" {
		t.Error(diff)
	}
	routes := []smpp.Route{{Prefix: "33", Networks: []string{"web"}, Targets: []smpp.Target{{Name: "calls", Weight: 1}, {Name: "main", Weight: 3}}}}
	if diff := cmp.Diff(routes, routeConfigs(cfg)); diff != "" {
		t.Error(diff)
	}
	if p := portabilityConfig(cfg.Portability, d.log); p.Authorization != "Bearer t" || p.URL != cfg.Portability.URL {
		t.Errorf("the look-up is %+v", p)
	}
}

// The operator's listener knows each state that a link may be in.
func TestLinkStatesAgree(t *testing.T) {
	var want []string
	for _, status := range smpp.LinkStatuses() {
		want = append(want, string(status))
	}
	if diff := cmp.Diff(want, ops.LinkStatuses()); diff != "" {
		t.Errorf("-smpp +ops:\n%s", diff)
	}
}

// What became of a message stays in the journal until it is told as unknown, an hour after its validity,
// with time for a bridge that was off.
func TestJournalOutlivesValidity(t *testing.T) {
	_, hashes := people("ann")
	for _, more := range []string{
		"", "mt: {validity: 7d}", "mt: {validity: 36h}\nqueue: {keep: {journal: 36h}}", "queue: {keep: {journal: 48h}}", "mt: {validity: 1m}\nqueue: {keep: {journal: 1h}}",
	} {
		cfg, err := configs.Parse("test.yaml", []byte(testConfig("data", "127.0.0.1:2775", hashes, more)))
		if err != nil {
			t.Fatal(err)
		}
		validity := cfg.MT.Validity
		if validity == 0 {
			validity = bridge.DefaultValidity
		}
		if kept := queueConfig(cfg, zerolog.Nop()).SentFor; kept < validity+2*time.Hour {
			t.Errorf("%q: kept for %s, with a validity of %s", more, kept, validity)
		}
	}
}
