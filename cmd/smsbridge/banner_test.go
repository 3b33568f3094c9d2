package main

import (
	"strings"
	"syscall"
	"testing"

	"smsbridge/configs"
	"smsbridge/smpp/smsc"
)

// The block for a person says where everything is, and no secret.
func TestBanner(t *testing.T) {
	_, hashes := people("ann")
	config := testConfig(t.TempDir(), "127.0.0.1:1", hashes, "")
	cfg, err := configs.Parse("/etc/smsbridge.yaml", []byte(strings.Replace(config, "window: 20", "window: 20, binds: 2", 1)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), cfg, newLogger(t.Output(), cfg.Log))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	got := a.banner()
	for _, want := range []string{
		"with /etc/smsbridge.yaml", cfg.DataDir, "outlives a loss of power", "main (127.0.0.1:1, 2 binds)",
		"web (http://" + a.webListener.Addr().String() + ")", "http://" + a.ops.Addr() + ", with /readyz", "smsbridge link ls --ops http://",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("a secret is in\n%s", got)
	}
	cfg.Queue.URL = "nats://ann:hunter2@one:4222"
	if got := a.banner(); !strings.Contains(got, "NATS at nats://[secret]@one:4222") || strings.Contains(got, "hunter2") {
		t.Errorf("got\n%s", got)
	}
}

// A daemon that drains waits for an answer of its SMSC; a second signal ends it at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	all, hashes := people("ann")
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0"})
	if err := s.SwitchOn("no-answer", smsc.Params{}); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(testConfig(t.TempDir(), s.Addr(), hashes, ""), "drain_timeout: 10s", "drain_timeout: 10m", 1)
	p := startDaemon(t, strings.Replace(config, "window: 20", "window: 20, response_timeout: 5m", 1))
	all[0].base = p.web
	if m, err := all[0].send(t.Context(), phoneOf(1), "hi", "1"); err != nil || m.Code != 202 {
		t.Fatalf("%+v, %v", m, err)
	}
	o := operatorAt{t: t, ops: p.ops}
	patiently(t, "the submit", func() bool { return o.links().Links[0].InUse == 1 })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	patiently(t, "the drain", func() bool { return strings.Contains(p.stderr.String(), "stopping: nothing new is taken") })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if state := p.cmd.ProcessState.Sys().(syscall.WaitStatus); state.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", p.cmd.ProcessState)
	}
}

// One that drains by itself says what remains in the queue.
func TestDrainSaysWhatRemains(t *testing.T) {
	all, hashes := people("ann")
	p := startDaemon(t, testConfig(t.TempDir(), "127.0.0.1:1", hashes, ""))
	all[0].base = p.web
	if m, err := all[0].send(t.Context(), phoneOf(1), "hi", "1"); err != nil || m.Code != 202 {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if said := p.stderr.String(); p.cmd.ProcessState.ExitCode() != exitOK || !strings.Contains(said, `"mt":1,"mo":0,"out":0`) {
		t.Errorf("%v; it said\n%s", p.cmd.ProcessState, said)
	}
}
