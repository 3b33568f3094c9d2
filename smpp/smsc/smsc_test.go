package smsc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 10 * time.Second // for what must come
	ourAddr  = "33700000001"
	ours     = "+" + ourAddr
)

var phone = addressing.MustParseMSISDN("+33612345678")

// start runs a server until the test ends, or until stop is called.
func start(t *testing.T, cfg smsc.Config) (s *smsc.Server, stop func()) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.ReceiptDelay == 0 {
		cfg.ReceiptDelay = time.Millisecond
	}
	if cfg.RetryMin == 0 {
		cfg.RetryMin = time.Millisecond
	}
	s, err := smsc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// client is a bound connection to a server, and what it was sent.
type client struct {
	t       *testing.T
	session *smpp.Session
	got     chan *smpp.PDU
	ended   chan error
}

// connect opens a connection that is not bound. verdict answers what it is sent; nil
// takes all.
func connect(t *testing.T, s *smsc.Server, verdict func(*smpp.PDU) *smpp.PDU) *client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, got: make(chan *smpp.PDU, 1000), ended: make(chan error, 1)}
	c.session = smpp.NewSession(conn, smpp.SessionConfig{
		ResponseTimeout: patience,
		Handler: smpp.HandlerFunc(func(_ context.Context, _ *smpp.Session, p *smpp.PDU) *smpp.PDU {
			answer := p.Answer(smpp.StatusOK)
			if verdict != nil {
				answer = verdict(p)
			}
			c.got <- p
			return answer
		}),
	})
	go func() {
		c.ended <- c.session.Run(t.Context())
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.session.Close()
		<-c.ended
	})
	return c
}

// bind is connect and bind_transceiver.
func bind(t *testing.T, s *smsc.Server, verdict func(*smpp.PDU) *smpp.PDU) *client {
	t.Helper()
	c := connect(t, s, verdict)
	if _, err := c.session.Bind(t.Context(), smpp.BindTransceiver, smpp.Bind{SystemID: "ann", InterfaceVersion: smpp.Version34}); err != nil {
		t.Fatal(err)
	}
	return c
}

// submit sends a text and gives the answers to its segments.
func (c *client) submit(to, text string, registered byte) []*smpp.PDU {
	c.t.Helper()
	segments, err := smpp.Split(text, smpp.SplitOptions{Ref: smpp.RefOf(text)})
	if err != nil {
		c.t.Fatal(err)
	}
	answers := make([]*smpp.PDU, len(segments))
	for i, segment := range segments {
		answer, err := c.session.Request(c.t.Context(), &smpp.PDU{Command: smpp.SubmitSM, Short: &smpp.Short{
			Source:             c.address(ourAddr),
			Destination:        c.address(to),
			ESMClass:           segment.ESMClass,
			DataCoding:         segment.DataCoding,
			RegisteredDelivery: registered,
			Body:               segment.Body,
		}})
		if err != nil {
			c.t.Fatal(err)
		}
		answers[i] = answer
	}
	return answers
}

func (c *client) address(digits string) bridge.Address {
	return bridge.Address{TON: 1, NPI: 1, Addr: digits}
}

// next gives the next deliver_sm.
func (c *client) next() bridge.MO {
	c.t.Helper()
	select {
	case p := <-c.got:
		return bridge.MO{
			Source: p.Short.Source, Destination: p.Short.Destination, ESMClass: p.Short.ESMClass,
			DataCoding: p.Short.DataCoding, Body: p.Short.Body, TLVs: p.Short.TLVs,
		}
	case <-time.After(patience):
		c.t.Fatal("no deliver_sm came")
		return bridge.MO{}
	}
}

// read gives the next deliver_sm as the bridge reads it.
func (c *client) read() bridge.Short {
	c.t.Helper()
	short, err := (&smpp.Reader{Region: "FR"}).ReadMO(c.next())
	if err != nil {
		c.t.Fatal(err)
	}
	return short
}

// web serves the HTTP API as the demo does, under a prefix.
func web(t *testing.T, s *smsc.Server) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/phone/", http.StripPrefix("/phone", s.Handler()))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/phone/"
}

// watch reads the events.
func watch(t *testing.T, base string) <-chan smsc.Message {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan smsc.Message, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(events)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			if !found {
				continue
			}
			var m smsc.Message
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Error(err)
			}
			events <- m
		}
	}()
	t.Cleanup(func() {
		_ = response.Body.Close()
		<-ended
		transport.CloseIdleConnections()
	})
	return events
}

// await gives the first event that fits.
func await(t *testing.T, events <-chan smsc.Message, fits func(smsc.Message) bool) smsc.Message {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-events:
			if fits(m) {
				return m
			}
		case <-timeout:
			t.Fatal("the event never came")
		}
	}
}

// getJSON reads a path of the HTTP API.
func getJSON[T any](t *testing.T, url string) T {
	t.Helper()
	status, _, body := request(t, http.MethodGet, url, "", "")
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	return v
}
