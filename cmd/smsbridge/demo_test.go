package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"smsbridge/smpp"
)

// simulator is `smsbridge demo --smsc-only`, run through the command line.
type simulator struct {
	smpp string // host:port
	page string // URL, with a slash at its end
}

var simulatorSays = regexp.MustCompile(`(?s)SMPP binds at (\S+), from anybody\.\n.*(http://\S+)\n`)

// startSimulator runs it with more flags until the test ends.
func startSimulator(t *testing.T, flags ...string) simulator {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	exited := make(chan int, 1)
	const free = "127.0.0.1:0"
	args := append([]string{"demo", "--smsc-only", "--data", t.TempDir(), "--addr", free, "--smsc-addr", free}, flags...)
	go func() {
		exited <- execute(ctx, args, &stdio{in: strings.NewReader(""), out: in, err: os.Stderr})
		_ = in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-exited; code != exitOK {
			t.Errorf("the simulator ended with %d", code)
		}
	})
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if m := simulatorSays.FindStringSubmatch(said.String()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return simulator{smpp: m[1], page: m[2]}
		}
	}
	t.Fatalf("the simulator said %q", said.String())
	return simulator{}
}

// bind binds over TLS, where a CA is given, or over plain TCP.
func (s simulator) bind(t *testing.T, ca []byte) error {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.smpp)
	if err != nil {
		return err
	}
	if ca != nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	}
	session := smpp.NewSession(conn, smpp.SessionConfig{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = session.Run(t.Context()) // Bind says what is wrong
	}()
	_, err = session.Bind(t.Context(), smpp.BindTransceiver, smpp.Bind{SystemID: "a", InterfaceVersion: smpp.Version34})
	_ = session.Close()
	<-ended
	return err
}

// --fault switches faults on, as often as it is given and with their parameters.
func TestFaultFlag(t *testing.T) {
	s := startSimulator(t, "--fault", "bind-refused:count=2", "--fault", "throttled:seconds=3600,after=1")
	for i, want := range []bool{true, true, false} {
		err := s.bind(t, nil)
		if refused, ok := errors.AsType[*smpp.StatusError](err); ok != want || ok && refused.Status != smpp.StatusBindFail {
			t.Errorf("bind %d: %v; want it refused: %v", i, err, want)
		}
	}
	response, err := http.Get(s.page + "faults")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var faults []struct {
		Name          string
		On            bool
		Seconds       float64
		Count, Struck int
		After         int
	}
	if err := json.NewDecoder(response.Body).Decode(&faults); err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		switch f.Name {
		case "bind-refused":
			if f.On || f.Count != 2 || f.Struck != 2 {
				t.Errorf("%+v", f)
			}
		case "throttled":
			if !f.On || f.Seconds != 3600 || f.After != 1 {
				t.Errorf("%+v", f)
			}
		default:
			if f.On {
				t.Errorf("%s is on", f.Name)
			}
		}
	}
}

// --smsc-tls has the simulator speak TLS, and stores who vouches for it.
func TestSMSCTLSFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	s := startSimulator(t, "--smsc-tls", file, "--fault", "tls-wrong-name:count=1")
	ca, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bind(t, ca); err == nil {
		t.Error("the certificate is to have the wrong name at first")
	}
	if err := s.bind(t, ca); err != nil {
		t.Error(err)
	}
}

// What the flags cannot mean ends the command with a word on what to write.
func TestFlagsOfTheSimulatorRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no such fault", []string{"--fault", "gremlins"}, `--fault: the fault cannot be switched on: there is none named "gremlins"; there are black-hole, `},
		{"no number", []string{"--fault", "throttled:count=often"}, "write it like throttled:count=3,seconds=5"},
		{"no such parameter", []string{"--fault", "throttled:often=3"}, `"throttled:often=3"`},
		{"TLS is off", []string{"--fault", "tls-wrong-name"}, "start it with --smsc-tls"},
		{"no such folder", []string{"--smsc-tls", filepath.Join(t.TempDir(), "none", "ca.pem")}, "--smsc-tls: the certificate cannot be stored; choose another file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"demo", "--smsc-only", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--smsc-addr", "127.0.0.1:0"}, tt.args...)
			code, out, errs := smsbridge(t, "", args...)
			if code != exitFailed || out != "" || !strings.Contains(errs, tt.want) {
				t.Errorf("code %d, stdout %q, stderr %q; want %q", code, out, errs, tt.want)
			}
		})
	}
}
