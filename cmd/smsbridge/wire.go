package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/messenger/web"
	"smsbridge/messenger/xmpp"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// This file says the configuration in the words of each room.

// room is a logger that names a room.
func room(log zerolog.Logger, name string) zerolog.Logger {
	return log.With().Str("room", name).Logger()
}

// openLonger is how much longer than queue.keep.journal says a story is kept. That may be no longer than mt.validity, and what
// became of a message is read, and told as unknown, an hour after its validity: or later, where the bridge was off then.
const openLonger = 24 * time.Hour

func queueConfig(cfg *configs.Config, log zerolog.Logger) queue.Config {
	q := cfg.Queue
	c := queue.Config{
		URL: q.URL, CredsFile: q.CredentialsFile, Replicas: q.Replicas, Durability: queue.Durability(q.Durability), Listen: q.Listen,
		MTMaxBytes: int64(q.MaxBytes.MT), MOMaxBytes: int64(q.MaxBytes.MO), OUTMaxBytes: int64(q.MaxBytes.OUT),
		LogMaxBytes: int64(q.MaxBytes.Log), DeadMaxBytes: int64(q.MaxBytes.Dead), MinFree: int64(q.MinFree),
		MTMaxMsgs: int64(q.MaxMessages.MT), MOMaxMsgs: int64(q.MaxMessages.MO), OUTMaxMsgs: int64(q.MaxMessages.OUT),
		MTMaxPerHandle: q.MaxMessages.Handle, MTMaxPerRoute: q.MaxMessages.Route, SentMaxMsgs: int64(q.MaxMessages.Journal),
		RememberedPhones: q.RememberedPhones, LeaseTime: q.LeaseTime, SentFor: cmp.Or(q.Keep.Journal, 7*24*time.Hour) + openLonger, LogFor: q.Keep.Log, DeadFor: q.Keep.Dead, Logger: room(log, "queue"),
	}
	callsConfig(cfg.CallRecords, &c)
	if q.URL == "" {
		c.Dir = filepath.Join(cfg.DataDir, "queue")
	}
	return c
}

func bookConfig(cfg *configs.Config) addressing.Config {
	n := cfg.Numbers
	c := addressing.Config{
		Pool: n.Pool, Shared: n.Shared, Inbox: n.Inbox, Inboxes: n.Inboxes, ReleaseAfter: n.ReleaseAfter, Rest: n.Rest,
		Dedicated: make(map[addressing.Number]addressing.Handle), Readable: cfg.Readable, Served: cfg.Served,
	}
	for _, d := range cfg.Numbers.Dedicated {
		c.Dedicated[d.Number] = d.Handle
	}
	return c
}

func hubConfig(cfg *configs.Config, log zerolog.Logger, networks map[string]bridge.Messenger) bridge.Config {
	return bridge.Config{
		Region: cfg.Numbers.Region, Validity: cfg.MT.Validity, MaxSegments: cfg.MT.MaxSegments, ResendUnknown: cfg.MT.ResendUnknown,
		PartsWait: cfg.MO.PartsWait, NobodyReply: cfg.MO.NobodyReply, HelpReply: cfg.MO.HelpReply,
		Prefix: cfg.Numbers.Prefix, Keywords: cfg.Numbers.Keywords, Policy: cfg.Policy, CallPhone: callPhone(cfg.CallRecords), Networks: networks, Logger: room(log, "bridge"),
	}
}

func linkConfig(s configs.SMSC, drain time.Duration, log zerolog.Logger, store func(context.Context, bridge.MO) error) smpp.LinkConfig {
	text := s.Text
	text.Alphabet = smpp.Alphabet(s.DefaultAlphabet)
	c := smpp.LinkConfig{
		Name: s.Name, Pool: s.Name, Account: s.Account, Addr: s.Address, TLS: s.TLS, Bind: smpp.BindMode(s.Bind),
		SystemID: s.SystemID, Password: s.Password.Reveal(), SystemType: s.SystemType, Window: s.Window, Rate: s.Rate,
		ResponseTimeout: s.ResponseTimeout, EnquireInterval: s.EnquireInterval, DrainTimeout: drain / 2,
		AddressRange: s.AddressRange, Version: versions[s.Version], LocalAddr: s.BindAddress, Statuses: s.Statuses,
		Text: text, Fields: s.Fields, Store: store, Logger: room(log, "smpp"),
	}
	if s.Outbind != nil {
		c.Outbind = &smpp.OutbindConfig{Listen: s.Outbind.Listen, SystemID: s.Outbind.SystemID, Password: s.Outbind.Password.Reveal()}
	}
	return c
}

var versions = map[configs.Version]byte{
	configs.Version33: smpp.Version33, configs.Version34: smpp.Version34, configs.Version50: smpp.Version50,
}

// poolConfigs are the links of one entry of the file: itself, or main-1, main-2 and so on.
func poolConfigs(c smpp.LinkConfig, binds int) []smpp.LinkConfig {
	names := linkNames(configs.SMSC{Name: c.Name, Binds: binds})
	all := make([]smpp.LinkConfig, len(names))
	for i, name := range names {
		all[i] = c
		all[i].Name = name
	}
	return all
}

// linkNames are the names of the links of an entry.
func linkNames(s configs.SMSC) []string {
	if s.Binds <= 1 {
		return []string{s.Name}
	}
	names := make([]string, s.Binds)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", s.Name, i+1)
	}
	return names
}

// accountRates are the rates of the accounts: of links that were given different ones the
// lowest counts.
func accountRates(cfg *configs.Config) map[string]float64 {
	rates := make(map[string]float64)
	for _, s := range cfg.SMSCs {
		if r, given := rates[s.Account]; !given || r == 0 || s.Rate > 0 && s.Rate < r {
			rates[s.Account] = s.Rate
		}
	}
	return rates
}

func routeConfigs(cfg *configs.Config) []smpp.Route {
	var all []smpp.Route
	for _, r := range cfg.Routes {
		route := smpp.Route{Prefix: r.Prefix, Operators: r.Operators, Networks: r.Networks, Handles: r.Handles, CostClass: r.CostClass}
		for _, t := range r.Targets {
			route.Targets = append(route.Targets, smpp.Target{Name: t.Name, Weight: t.Weight})
		}
		all = append(all, route)
	}
	return all
}

// newLookup makes the look-up of ported numbers; nil where there is none.
func newLookup(cfg *configs.Config, log zerolog.Logger) (*smpp.Portability, error) {
	if cfg.Portability == nil {
		return nil, nil
	}
	return smpp.NewPortability(portabilityConfig(cfg.Portability, log))
}

func portabilityConfig(p *configs.Portability, log zerolog.Logger) smpp.PortabilityConfig {
	c := smpp.PortabilityConfig{URL: p.URL, Field: p.Field, Timeout: p.Timeout, TTL: p.Keep, MaxEntries: p.Max, Logger: room(log, "smpp")}
	if !p.Token.IsZero() {
		c.Authorization = "Bearer " + p.Token.Reveal()
	}
	return c
}

// reader is the [smpp.Reader] of the configuration of the moment; it implements [bridge.Reader].
type reader struct{ atomic.Pointer[smpp.Reader] }

// ReadMO is that of [smpp.Reader].
func (r *reader) ReadMO(m bridge.MO) (bridge.Short, error) { return r.Load().ReadMO(m) }

// JoinMO is that of [smpp.Reader].
func (r *reader) JoinMO(parts []bridge.MO) (string, error) { return r.Load().JoinMO(parts) }

func newReader(cfg *configs.Config) *smpp.Reader {
	r := &smpp.Reader{Region: cfg.Numbers.Region, Accounts: make(map[string]smpp.ReadConfig)}
	for _, s := range cfg.SMSCs {
		r.Accounts[s.Account] = smpp.ReadConfig{Alphabet: smpp.Alphabet(s.DefaultAlphabet), Country: s.CountryCode, ConstantIDs: s.Fields.ConstantIDs}
	}
	return r
}

func xmppConfig(cfg *configs.Config, log zerolog.Logger, hub *bridge.Hub) xmpp.Config {
	return xmpp.Config{
		Server: cfg.XMPP.Server, Domain: cfg.XMPP.Domain, Secret: cfg.XMPP.Secret.Reveal(), TLS: cfg.XMPP.TLS, Allow: cfg.XMPP.Allow,
		Region: cfg.Numbers.Region, Hub: hub, Version: version(), Logger: room(log, "xmpp"),
	}
}

func webConfig(cfg *configs.Config, log zerolog.Logger, hub *bridge.Hub, said history) web.Config {
	c := web.Config{
		Insecure: cfg.Web.Insecure, BehindTLS: cfg.Web.BehindTLS, Hub: hub, Stories: said, History: said, Log: said,
		Region: cfg.Numbers.Region, Logger: room(log, "web"),
	}
	for _, u := range cfg.Web.Users {
		c.Users = append(c.Users, web.User{Name: u.Name, PasswordHash: u.PasswordHash.Reveal()})
	}
	for _, t := range cfg.Web.Tokens {
		c.Tokens = append(c.Tokens, web.Token{User: t.User, Hash: t.Hash})
	}
	return c
}

// sessionKeyFile signs the web messenger's cookies. It outlives a restart, so that a
// restart signs nobody out.
const sessionKeyFile = "web-session.key"

// sessionKey is the key in the data directory, or, where there may be several instances,
// the one that they share: the first of them gives its own.
func (a *app) sessionKey(ctx context.Context) ([]byte, error) {
	key, err := ownSessionKey(a.cfg.DataDir)
	if err != nil || a.cfg.Queue.URL == "" {
		return key, err
	}
	return a.store.SharedKey(ctx, "web-session", key)
}

func ownSessionKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, sessionKeyFile)
	key, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, fmt.Errorf("data_dir: cannot read the key of the web sessions: %w", err)
		}
		return key, nil
	}
	key = []byte(rand.Text() + rand.Text())
	if err := cmp.Or(os.MkdirAll(dir, 0o700), writeDurably(path, key)); err != nil {
		return nil, fmt.Errorf("data_dir: cannot store the key of the web sessions: %w", err)
	}
	return key, nil
}

// writeDurably writes a file that is there whole or not at all, also after a power cut: half a
// key would keep the daemon from starting.
func writeDurably(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // for its owner alone
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
