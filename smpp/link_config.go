package smpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
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

// The other interface versions; see [Version34].
const (
	Version33 byte = 0x33
	Version50 byte = 0x50
)

// LinkConfig is one configured connection to an SMSC account.
type LinkConfig struct {
	// Name names the link, once among all links.
	Name string
	// SessionPrefix goes before the names of its connections in [bridge.MO.Session]; it says
	// which process has them where several share one queue.
	SessionPrefix string
	// Account names what message ids and long messages belong to: several links may
	// share one. Empty means Name.
	Account string
	// Pool names what the link is one of, where an account has several binds that are
	// configured as one; empty means Name. See [Target].
	Pool string
	// Addr is "host:port"; not needed with Outbind.
	Addr string
	// LocalAddr is the address of this machine to connect from; the zero one leaves the
	// choice to the system.
	LocalAddr netip.Addr
	// Outbind, if set, lets the SMSC connect in place of the link.
	Outbind *OutbindConfig
	// TLS is nil for plain TCP. An empty ServerName means the host of Addr.
	TLS  *tls.Config
	Bind BindMode
	// SystemID, Password, SystemType and AddressRange are what the operator gave out.
	SystemID, Password, SystemType, AddressRange string
	// Version is the interface_version, [Version33], [Version34] or [Version50]; 0 means
	// Version34. Version 3.3 knows no transceiver and no TLVs.
	Version byte
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
	// Statuses override what command_status means, and give names and words to the codes
	// that the account has of its own.
	Statuses map[Status]StatusRule
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
	if err := c.validAddresses(); err != nil {
		return c, fmt.Errorf("smpp: link %s: %w", c.Name, err)
	}
	orDefaultVersion(&c.Version)
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
	if err := c.validVersion(); err != nil {
		return c, fmt.Errorf("smpp: link %s: %w", c.Name, err)
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

func (c LinkConfig) validAddresses() error {
	if out := c.Outbind; out != nil {
		switch _, _, err := net.SplitHostPort(out.Listen); {
		case err != nil:
			return fmt.Errorf("the address to listen for outbind on, %q, is not host:port, such as 192.0.2.1:2776", out.Listen)
		case out.Password == "":
			return errors.New("outbind has no password, so that anybody could pass for the SMSC; agree on one with the operator")
		case c.TLS != nil:
			return errors.New("outbind is plain TCP; remove TLS and put it behind a tunnel")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("the address %q is not host:port, such as smsc.example.net:2775", c.Addr)
	}
	return nil
}

func (c LinkConfig) validVersion() error {
	switch {
	case c.Version != Version33 && c.Version != Version34 && c.Version != Version50:
		return fmt.Errorf("the version 0x%02X is not 3.3, 3.4 or 5.0", c.Version)
	case c.Version != Version33:
		return nil
	case c.Bind == Transceiver:
		return errors.New("SMPP 3.3 has no transceiver; use a transmitter and a receiver")
	case c.Text.Long == LongSAR || c.Text.Long == LongPayload || len(c.Fields.TLVs) > 0 || c.Fields.ConstantIDs:
		return errors.New("SMPP 3.3 has no TLVs; leave long messages to headers, and TLVs and constant ids out")
	case c.Fields.Flash && (c.Text.Alphabet == AlphabetLatin1 || c.Text.Alphabet == AlphabetASCII):
		return fmt.Errorf("flash with the alphabet %s needs a TLV, which SMPP 3.3 has not; use version 3.4 or leave flash out", c.Text.Alphabet)
	default:
		return nil
	}
}

func orDefaultVersion(v *byte) {
	if *v == 0 {
		*v = Version34
	}
}

func (c LinkConfig) bindFields() *Bind {
	return &Bind{
		SystemID: c.SystemID, Password: c.Password, SystemType: c.SystemType,
		InterfaceVersion: c.Version, AddressRange: c.AddressRange,
	}
}
