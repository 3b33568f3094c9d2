package xmpp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"mellium.im/xmpp/jid"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

var _ bridge.Messenger = (*Component)(nil)

// Hub takes the messages that people write to phones; [bridge.Hub] is one. Accept
// may be called concurrently.
type Hub interface {
	Accept(ctx context.Context, r bridge.Request) (bridge.Story, error)
}

// Config is how a Component reaches its server and whom it serves.
type Config struct {
	// Server is the component port of the XMPP server, host:port.
	Server string
	// Domain is the component's own, as sms.example.org; every phone is an address there.
	Domain string
	// Secret is what the server knows the component by (XEP-0114, 3).
	Secret string
	// TLS is for servers whose component port speaks TLS from the first octet. Nil: plain
	// text, for a server on the same machine or in a trusted network only.
	TLS *tls.Config
	// Region is the home region, an ISO 3166-1 code: national spellings of a number are
	// answered with the right address.
	Region string
	Hub    Hub
	// Allow says who may write to phones: "ann@corp.example", "*@corp.example", or "*"
	// for everybody whom the server lets through, which with federation is the whole
	// world at the operator's cost. Empty: the users of the domain above the
	// component's, *@example.org for sms.example.org.
	Allow []string
	// PingInterval is how often the server is asked whether it is still there, and how
	// long an answer to any ping may take. Default 15 s.
	PingInterval time.Duration
	// Version is what XEP-0092 is answered with. Default "unknown".
	Version string
	Logger  zerolog.Logger
}

// Component is the bridge's presence on an XMPP server. All methods may be called
// concurrently, Run by one at a time.
type Component struct {
	cfg    Config
	domain jid.JID
	allow  allowList
	log    zerolog.Logger
	lanes  lanes
	stats  counters

	mu      sync.Mutex
	current *session      // nil while away
	changed chan struct{} // closed when current changes
	state   State
}

// State is what health checks ask for.
type State struct {
	Connected bool
	// Since is when Connected last changed; zero before the first connection.
	Since time.Time
	// LastError says why the last connection ended or could not be made, in plain
	// words; empty while connected.
	LastError string
}

// New makes a Component. The error names the setting that is wrong.
func New(cfg Config) (*Component, error) {
	domain, err := jid.Parse(cfg.Domain)
	if err != nil || domain.Localpart() != "" || domain.Resourcepart() != "" || domain.Domainpart() == "" {
		return nil, fmt.Errorf("xmpp: domain: %q is not a domain: write it like sms.example.org", cfg.Domain)
	}
	if _, _, err := net.SplitHostPort(cfg.Server); err != nil {
		return nil, fmt.Errorf("xmpp: server: %q is not host:port: write it like 127.0.0.1:5347", cfg.Server)
	}
	if cfg.Secret == "" {
		return nil, errors.New("xmpp: secret: it is empty: set it to the secret that the server has for the component")
	}
	if cfg.Hub == nil {
		return nil, errors.New("xmpp: a component needs a hub")
	}
	allow, err := parseAllow(cfg.Allow, domain.String())
	if err != nil {
		return nil, err
	}
	cfg.PingInterval = cmp.Or(cfg.PingInterval, 15*time.Second)
	cfg.Version = cmp.Or(cfg.Version, "unknown")
	return &Component{
		cfg: cfg, domain: domain, allow: allow, log: cfg.Logger.With().Str("network", addressing.NetworkXMPP).Logger(),
		changed: make(chan struct{}),
	}, nil
}

// Network is the network of the Handles that the Component serves.
func (c *Component) Network() string { return addressing.NetworkXMPP }

// State is where the connection stands.
func (c *Component) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// connected waits for a connection, until ctx ends.
func (c *Component) connected(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, changed := c.current, c.changed
		c.mu.Unlock()
		if s != nil && !s.over() {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("xmpp: the server is away: %w", ctx.Err())
		}
	}
}

// setCurrent notes that a connection came (s) or went (nil, and why).
func (c *Component) setCurrent(s *session, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if connected := s != nil; connected != c.state.Connected {
		c.state.Connected, c.state.Since = connected, time.Now()
	}
	c.state.LastError = why
	c.current = s
	close(c.changed)
	c.changed = make(chan struct{})
}

// address is the address of a phone on this component.
func (c *Component) address(phone addressing.MSISDN) string {
	return phone.String() + "@" + c.domain.String()
}
