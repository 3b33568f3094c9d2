package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Hub takes messages; *bridge.Hub implements it. Its errors are
// *[bridge.RefusalError] where it refuses.
type Hub interface {
	Accept(ctx context.Context, r bridge.Request) (bridge.Story, error)
	// Estimate tells what a text would take.
	Estimate(ctx context.Context, text string) (bridge.Estimate, error)
}

// Stories tells what became of a message; an error that wraps [bridge.ErrNotFound]
// says that there is no such message.
type Stories interface {
	Story(ctx context.Context, id string) (bridge.Story, uint64, error)
}

// History reads what was said.
type History interface {
	// Conversations gives the latest text of each conversation of h, newest first.
	Conversations(ctx context.Context, h addressing.Handle) ([]bridge.Entry, error)
	// Messages gives the entries, texts and statuses in the order of the log, of the
	// last limit texts between h and phone.
	Messages(ctx context.Context, h addressing.Handle, phone addressing.MSISDN, limit int) ([]bridge.Entry, error)
}

// Log is the log of all conversations as it grows; the sequence of its entries rises.
type Log interface {
	// LogEnd is the sequence of the last entry, whosever it is; 0 where there is none.
	LogEnd(ctx context.Context) (uint64, error)
	// Follow calls fn, one call at a time, for each entry of h's conversations whose
	// sequence is above after (0: for new ones), until ctx ends or fn returns an
	// error, which it returns. It returns [ErrRenamed] where other entries are h's than when it began.
	Follow(ctx context.Context, h addressing.Handle, after uint64, fn func(seq uint64, e bridge.Entry) error) error
}

// ErrRenamed is what a [Log] says when somebody was renamed: their conversations are to be read anew.
var ErrRenamed = errors.New("web: somebody was renamed")

// Config is what the web messenger needs.
type Config struct {
	// Addr is where Run listens, host:port; port 0 lets the system pick one. A given
	// Listener is used in its place, and closed by Run.
	Addr     string
	Listener net.Listener
	// Insecure allows plain-text HTTP on an address that others than this machine
	// can reach.
	Insecure bool
	// BehindTLS tells that people reach the server through a proxy that speaks HTTPS
	// and sets X-Forwarded-For: cookies are then sent over HTTPS only.
	BehindTLS bool
	Users     []User
	Tokens    []Token

	Hub     Hub
	Stories Stories
	History History
	Log     Log

	// SessionKey signs the session cookies: 32 random octets or more, kept across
	// restarts so that those do not sign people out, and the same on all instances.
	SessionKey []byte
	// SessionLifetime is for how long a sign-in holds; it is renewed by use. Default 7 days.
	SessionLifetime time.Duration
	// Heartbeat is how often a silent event stream shows that it lives. Default 15 s.
	Heartbeat time.Duration
	// DrainTimeout bounds the end of Run. Default 5 s.
	DrainTimeout time.Duration
	// Region is the home region, an ISO 3166-1 code: how national numbers in a
	// request's path are read. Empty: international ones only.
	Region string
	Logger zerolog.Logger
}

// User is a person who may sign in.
type User struct {
	Name         string // becomes the Handle web:<name>
	PasswordHash string // as HashPassword makes it
}

// Token lets a program act for a user.
type Token struct {
	User string // the Name of one of the users
	Hash string // as NewToken makes it
}

// minSessionKey is the least that HMAC-SHA256 wants of a key (RFC 2104, 3), in octets.
const minSessionKey = 32

func (c *Config) check() error {
	if c.Hub == nil || c.Stories == nil || c.History == nil || c.Log == nil {
		return errors.New("web: a server needs a Hub, Stories, History and a Log")
	}
	if len(c.SessionKey) < minSessionKey {
		return fmt.Errorf("web: the session key has %d octets and needs at least %d: make a random one", len(c.SessionKey), minSessionKey)
	}
	address := c.Addr
	if c.Listener != nil {
		address = c.Listener.Addr().String()
	}
	if address != "" && !c.Insecure && !loopback(address) {
		return fmt.Errorf("web: %s can be reached from other machines, and passwords would cross the network as plain text: "+
			"listen on 127.0.0.1 behind a proxy that speaks HTTPS, or set insecure: true", address)
	}
	c.SessionLifetime = cmp.Or(c.SessionLifetime, 7*24*time.Hour)
	c.Heartbeat = cmp.Or(c.Heartbeat, 15*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 5*time.Second)
	return nil
}

// loopback tells whether only this machine reaches a listen address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
