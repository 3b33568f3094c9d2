package configs

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

func (f *file) readLog(s *section) {
	level := read(s, "level", oneOf("trace", "debug", "info", "warn", "error"), "info")
	f.cfg.Log.Level, _ = zerolog.ParseLevel(level)
	f.cfg.Log.Console = read(s, "format", oneOf("json", "console"), "json") == "console"
}

func (f *file) readOps(s *section) {
	f.cfg.Ops.Listen = read(s, "listen", listenAddress, f.cfg.Ops.Listen)
	f.cfg.Ops.Insecure = f.insecure(s, f.cfg.Ops.Listen)
}

// insecure reads the setting that permits plain text on an address which others can reach.
func (f *file) insecure(s *section, listen string) bool {
	insecure := read(s, "insecure", boolean, false)
	if listen != "" && !loopback(listen) && !insecure {
		s.get("listen").problemf("%s can be reached from other machines, in plain text: listen on 127.0.0.1 behind a proxy that speaks HTTPS, or add insecure: true", listen)
	}
	return insecure
}

func (f *file) readQueue(s *section) {
	q := &f.cfg.Queue
	q.URL = read(s, "url", natsURL, "")
	q.CredentialsFile = f.readable(s, "credentials_file")
	q.Replicas = read(s, "replicas", integer(1, 5), 0)
	q.LeaseTime = read(s, "lease_time", duration(2*time.Second, 10*time.Minute), 0)
	q.Durability = read(s, "durability", oneOf(DurabilityPower, DurabilityProcess), "")
	q.Listen = read(s, "listen", listenAddress, "")
	q.MinFree = read(s, "min_free", size, 0)
	q.RememberedPhones = read(s, "remembered_phones", integer(1, 100_000_000), 0)
	f.within(s, "max_bytes", func(s *section) {
		q.MaxBytes = Sizes{MT: read(s, "mt", size, 0), MO: read(s, "mo", size, 0), OUT: read(s, "out", size, 0), Log: read(s, "log", size, 0), Dead: read(s, "dead", size, 0)}
	})
	f.within(s, "max_messages", func(s *section) {
		many := integer(1, 1_000_000_000)
		q.MaxMessages = Counts{
			MT: read(s, "mt", many, 0), MO: read(s, "mo", many, 0), OUT: read(s, "out", many, 0),
			Handle: read(s, "handle", many, 0), Route: read(s, "route", many, 0),
			Journal: read(s, "journal", integer(10_000, 1_000_000_000), 0),
		}
	})
	f.within(s, "keep", f.readKeep)
	f.queueFits(s)
}

func (f *file) readKeep(s *section) {
	span := duration(time.Hour, 3650*day)
	f.cfg.Queue.Keep = Keep{Journal: read(s, "journal", span, 0), Log: read(s, "log", span, 0), Dead: read(s, "dead", span, 0)}
	journal := s.get("journal")
	f.later = append(f.later, func() {
		if kept, wanted := f.cfg.Queue.Keep.Journal, cmp.Or(f.cfg.MT.Validity, bridge.DefaultValidity); kept != 0 && kept < wanted {
			journal.problemf("must be at least mt.validity, %s, got %s: the fate of a message is read there until it is final", brief(wanted), brief(kept))
		}
	})
}

// queueFits notes settings of the inner server beside the URL of another, and the
// other way round: one of the two would silently do nothing.
func (f *file) queueFits(s *section) {
	if s.get("url").given() {
		for _, key := range []string{"durability", "listen", "min_free", "remembered_phones"} {
			if v := s.get(key); v.given() {
				v.problemf("is for the server inside the daemon, but queue.url names another: remove one of the two")
			}
		}
		return
	}
	if v := s.get("credentials_file"); v.given() {
		v.problemf("needs queue.url: the server inside the daemon has no accounts")
	}
	if v := s.get("lease_time"); v.given() {
		v.problemf("needs queue.url: the server inside the daemon serves no other instance")
	}
	if v := s.get("replicas"); v.given() && f.cfg.Queue.Replicas > 1 {
		v.problemf("needs queue.url: the server inside the daemon is a single one, it cannot keep %d copies", f.cfg.Queue.Replicas)
	}
	if listen := f.cfg.Queue.Listen; listen != "" && (!loopback(listen) || strings.HasPrefix(listen, "localhost")) {
		s.get("listen").problemf("must be a loopback address such as 127.0.0.1:4222, got %s: whoever can connect can read every message", shown(listen))
	}
}

func natsURL(text string) (string, error) {
	for one := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
			return "", fmt.Errorf("must be like nats://nats.example.net:4222, several with commas between")
		case u.User != nil:
			return "", fmt.Errorf("must not have a name or a password in it: put them into the file that queue.credentials_file names")
		}
	}
	return text, nil
}

// shortNumber reads a short number that people may write to.
func shortNumber(text, region string) (addressing.MSISDN, error) {
	m, err := addressing.ParseShort(text, region)
	if err != nil {
		return m, fmt.Errorf("must be a short number with its country, such as 114;phone-context=+33, got %s", shown(text))
	}
	return m, nil
}

func (f *file) readNumbers(s *section) {
	n := &f.cfg.Numbers
	n.Region = read(s, "region", region, "")
	f.cfg.Policy.Numbers = addressing.Rules{
		Valid:   read(s, "accept", oneOf(acceptPossible, acceptValid), acceptPossible) == acceptValid,
		Premium: read(s, "premium_rate", boolean, false),
		Short:   listOf(s.get("short_numbers"), func(text string) (addressing.MSISDN, error) { return shortNumber(text, n.Region) }),
	}
	seen := make(map[addressing.Number]string)
	handles := make(map[addressing.Handle]string)
	dedicated, dedicatedOK := s.get("dedicated").list()
	for _, item := range dedicated {
		sub, ok := item.section()
		if !ok {
			continue
		}
		d := Dedicated{
			Number: need(sub, "number", f.ownNumber(sub.get("number"), seen), "say which number, such as +33700000001"),
			Handle: need(sub, "handle", f.servedHandle(sub.get("handle")), "say whose the number is, such as xmpp:ann@corp.example"),
		}
		if first, twice := handles[d.Handle]; twice && !d.Handle.IsZero() {
			sub.get("handle").problemf("%s has a number already, by %s: a handle has one dedicated number", d.Handle, first)
		}
		handles[d.Handle] = sub.path
		sub.close()
		n.Dedicated = append(n.Dedicated, d)
	}
	pool, poolOK := s.get("pool").list()
	for _, item := range pool {
		if number, ok := parseValue(item, f.ownNumber(item, seen)); ok {
			if !number.CanReply() {
				item.problemf("nobody can answer %s, so it cannot be in the pool: make it a dedicated number", number)
			}
			n.Pool = append(n.Pool, number)
		}
	}
	n.Inbox = read(s, "inbox", f.servedHandle(s.get("inbox")), addressing.Handle{})
	f.readSharing(s, seen)
	if dedicatedOK && poolOK && len(dedicated)+len(pool) == 0 && !s.get("shared").given() {
		s.problemf("has no number, so that nobody could write: add pool, dedicated or shared")
	}
}

// ownNumber reads a Number that may stand only once in the file.
func (f *file) ownNumber(v value, seen map[addressing.Number]string) parserOf[addressing.Number] {
	return func(text string) (addressing.Number, error) {
		n, err := addressing.ParseNumber(text)
		if err != nil {
			return n, err
		}
		if first, twice := seen[n]; twice {
			return n, fmt.Errorf("%s stands twice, first at %s: a number is dedicated to one handle, in the pool or shared, once", n, first)
		}
		seen[n] = v.path
		if n.Kind() == addressing.ShortCode {
			f.later = append(f.later, func() { f.shortCodeReadable(v, n) })
		}
		return n, nil
	}
}

// shortCodeReadable notes a short code whose country no link has.
func (f *file) shortCodeReadable(v value, n addressing.Number) {
	if err := f.cfg.Readable(n); err != nil {
		v.problemf("%s", err)
	}
}

// Readable says why what a phone sends to the short code n could not be recognised: it arrives
// as bare digits, which only the link's country_code can complete.
func (c *Config) Readable(n addressing.Number) error {
	_, country, _ := strings.Cut(n.String(), "+")
	for _, link := range c.SMSCs {
		if link.CountryCode == country {
			return nil
		}
	}
	return fmt.Errorf("no smsc has country_code: %s, so answers to this short code could not be recognised: add it to its link", country)
}

// servedHandle reads a handle that a messenger of this file must serve.
func (f *file) servedHandle(v value) parserOf[addressing.Handle] {
	return func(text string) (addressing.Handle, error) {
		h, err := addressing.ParseHandle(text)
		if err != nil {
			return h, err
		}
		f.later = append(f.later, func() {
			if err := f.cfg.Served(h); err != nil {
				v.problemf("%s", err)
			}
		})
		return h, nil
	}
}

// Served says why nobody would read what is for h.
func (c *Config) Served(h addressing.Handle) error {
	switch {
	case h.Network() == addressing.NetworkXMPP && c.XMPP != nil:
		return nil
	case h.Network() == addressing.NetworkWeb && c.Web != nil:
		for _, u := range c.Web.Users {
			if u.Name == h.ID() {
				return nil
			}
		}
		return fmt.Errorf("%s is none of web.users: add the user, or mend the name", h)
	case h.Network() == addressing.NetworkMatrix:
		return fmt.Errorf("there is no messenger of the network matrix yet: use xmpp or web")
	default:
		return fmt.Errorf("nobody serves %s: there is no section %s", h, h.Network())
	}
}

func region(text string) (string, error) {
	code := strings.ToUpper(text)
	if phonenumbers.GetCountryCodeForRegion(code) == 0 {
		return "", fmt.Errorf("must be a country's two letters (ISO 3166-1), such as FR, got %s", shown(text))
	}
	return code, nil
}

func (f *file) readMT(s *section) {
	m := &f.cfg.MT
	m.Validity = read(s, "validity", duration(time.Minute, 7*day), 0)
	m.MaxSegments = read(s, "max_segments", integer(1, 255), 0)
	m.ResendUnknown = read(s, "unknown", oneOf("fail", "resend"), "fail") == "resend"
}

func (f *file) readMO(s *section) {
	m := &f.cfg.MO
	m.PartsWait = read(s, "parts_wait", duration(10*time.Second, day), 0)
	m.NobodyReply = read(s, "nobody_reply", anyText, "")
	m.HelpReply = read(s, "help_reply", anyText, "")
}

var countryPattern = regexp.MustCompile(`^\+?([1-9][0-9]{0,2})$`)

func countryCode(text string) (string, error) {
	m := countryPattern.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("must be a country's calling code, such as 33, got %s", shown(text))
	}
	return m[1], nil
}
