package smpp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
)

// BindMode is which way messages go over a link.
type BindMode string

// The bind modes; the empty one means transceiver.
const (
	Transceiver BindMode = "transceiver"
	Transmitter BindMode = "transmitter"
	Receiver    BindMode = "receiver"
)

var bindCommands = map[BindMode]Command{
	Transceiver: BindTransceiver, Transmitter: BindTransmitter, Receiver: BindReceiver,
}

// LinkConfig is one configured connection to an SMSC account.
type LinkConfig struct {
	// Name names the link, once among all links.
	Name string
	// Account names what message ids and long messages belong to: several links may
	// share one. Empty means Name.
	Account string
	// Pool names what the link is one of, where an account has several binds that are
	// configured as one; empty means Name. See [Target].
	Pool string
	// Addr is "host:port".
	Addr string
	// TLS is nil for plain TCP. An empty ServerName means the host of Addr.
	TLS  *tls.Config
	Bind BindMode
	// SystemID, Password, SystemType and AddressRange are what the operator gave out.
	SystemID, Password, SystemType, AddressRange string
	// Text and Fields are how the account wants texts and submit_sm.
	Text   TextConfig
	Fields FieldsConfig
	// Window is the most submits without an answer; 0 means 10.
	Window int
	// Rate is the most segments a second, of the whole Account; 0 means no limit. Of links
	// of one account that differ the lowest counts.
	Rate float64
	// ResponseTimeout bounds the wait for each answer, that to bind included; 0 means 10 s.
	ResponseTimeout time.Duration
	// EnquireInterval is the silence after which the SMSC is asked; 0 means 30 s.
	EnquireInterval time.Duration
	// ConnectTimeout bounds dialing and the TLS handshake; 0 means 10 s.
	ConnectTimeout time.Duration
	// BackoffMin and BackoffMax are the first and the longest wait before the next
	// attempt to bind, each halved at most by chance; 0 means 1 s and 60 s. Wrong
	// credentials wait BackoffMax at once.
	BackoffMin, BackoffMax time.Duration
	// DrainTimeout bounds the wait for what is in flight when Run's ctx ends; 0 means 5 s.
	DrainTimeout time.Duration
	// Statuses override the classes of command_status.
	Statuses map[Status]Class
	// Store puts an MO on disk. Nil answers it with ESME_ROK, an error with
	// ESME_RX_T_APPN, so that the SMSC tries again. It is called concurrently, but in
	// order for messages with the same addresses. A transmitter needs none.
	Store  func(ctx context.Context, m bridge.MO) error
	Logger zerolog.Logger
}

// The documented defaults of a [LinkConfig].
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultBackoffMin     = time.Second
	DefaultBackoffMax     = 60 * time.Second
	DefaultDrainTimeout   = 5 * time.Second
)

func (c LinkConfig) validated() (LinkConfig, error) {
	if c.Name == "" {
		return c, fmt.Errorf("smpp: a link has no name; give it one")
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return c, fmt.Errorf("smpp: link %s: the address %q is not host:port, such as smsc.example.net:2775", c.Name, c.Addr)
	}
	if c.Bind == "" {
		c.Bind = Transceiver
	}
	command, ok := bindCommands[c.Bind]
	if !ok {
		return c, fmt.Errorf("smpp: link %s: bind is %q; use transceiver, transmitter or receiver", c.Name, c.Bind)
	}
	if c.Store == nil && c.Bind != Transmitter {
		return c, fmt.Errorf("smpp: link %s: it receives messages and has no store for them", c.Name)
	}
	if _, err := Encode(&PDU{Command: command, Bind: c.bindFields()}); err != nil {
		return c, fmt.Errorf("smpp: link %s: %w", c.Name, err)
	}
	if c.Account == "" {
		c.Account = c.Name
	}
	if c.Pool == "" {
		c.Pool = c.Name
	}
	orDefault(&c.Window, DefaultWindow)
	orDefault(&c.ResponseTimeout, DefaultResponseTimeout)
	orDefault(&c.EnquireInterval, DefaultEnquireInterval)
	orDefault(&c.ConnectTimeout, DefaultConnectTimeout)
	orDefault(&c.BackoffMin, DefaultBackoffMin)
	orDefault(&c.BackoffMax, max(DefaultBackoffMax, c.BackoffMin))
	orDefault(&c.DrainTimeout, DefaultDrainTimeout)
	return c, nil
}

func (c LinkConfig) bindFields() *Bind {
	return &Bind{
		SystemID: c.SystemID, Password: c.Password, SystemType: c.SystemType,
		InterfaceVersion: Version34, AddressRange: c.AddressRange,
	}
}
