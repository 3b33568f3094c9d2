package configs

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"smsbridge/addressing"
)

func (f *file) readXMPP(s *section) {
	f.cfg.XMPP = &XMPP{
		Server: need(s, "server", hostPort("127.0.0.1:5347"), "say where the XMPP server takes components, such as 127.0.0.1:5347"),
		Domain: need(s, "domain", domain, "give the name of the component on the XMPP server, such as sms.corp.example"),
		Secret: f.secret(s, "secret", "the XMPP server's configuration has it beside the component's name"),
	}
	f.within(s, "tls", func(t *section) { f.cfg.XMPP.TLS = f.readTLS(t, f.cfg.XMPP.Server) })
	allow := s.get("allow")
	patterns, listed := allow.list()
	switch {
	case allow.given() && listed && len(patterns) == 0:
		allow.problemf("is empty: say who may write, or remove the line for all users of the domain above xmpp.domain")
	case !allow.given() && f.cfg.XMPP.Domain != "" && !strings.Contains(f.cfg.XMPP.Domain, "."):
		allow.problemf("is missing: %s has no domain above it whose users could write, so say who may, such as [\"*@corp.example\"]", f.cfg.XMPP.Domain)
	}
	for _, item := range patterns {
		if pattern, ok := parseValue(item, allowPattern); ok {
			f.cfg.XMPP.Allow = append(f.cfg.XMPP.Allow, pattern)
		}
	}
}

// domain reads the domain part of a JID and makes it canonical (RFC 7622, 3.2).
func domain(text string) (string, error) {
	h, err := addressing.NewHandle(addressing.NetworkXMPP, "x@"+text)
	if err != nil || strings.ContainsAny(text, "@/ ") {
		return "", fmt.Errorf("must be a domain, such as sms.corp.example, got %s", shown(text))
	}
	return strings.TrimPrefix(h.ID(), "x@"), nil
}

// allowPattern reads a bare JID, *@ and a domain, or * alone.
func allowPattern(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	wrong := fmt.Errorf("must be a JID like ann@corp.example or all of a domain like *@corp.example, got %s", shown(text))
	if d, all := strings.CutPrefix(text, "*@"); all {
		canonical, err := domain(d)
		if err != nil {
			return "", wrong
		}
		return "*@" + canonical, nil
	}
	h, err := addressing.NewHandle(addressing.NetworkXMPP, text)
	if err != nil || strings.ContainsAny(text, "/*") {
		return "", wrong
	}
	return h.ID(), nil
}

func (f *file) readWeb(s *section) {
	web := &Web{
		Listen:    need(s, "listen", listenAddress, "say where the page is served, such as 127.0.0.1:8080"),
		BehindTLS: read(s, "behind_tls", boolean, false),
	}
	f.cfg.Web = web
	web.Insecure = f.insecure(s, web.Listen)
	names := make(map[string]string)
	users, usersOK := s.get("users").list()
	for _, item := range users {
		u, ok := item.section()
		if !ok {
			continue
		}
		user := User{
			Name:         need(u, "name", webName, "name the person as they sign in"),
			PasswordHash: f.secret(u, "password_hash", "`smsbridge user hash` makes one"),
		}
		u.close()
		if hash := u.get("password_hash"); !user.PasswordHash.IsZero() && !argon2(user.PasswordHash.Reveal()) {
			hash.problemf("is not a hash of the form $argon2id$v=19$m=..., or one of unreasonable cost: make one with `smsbridge user hash`")
		}
		if first, twice := names[user.Name]; twice && user.Name != "" {
			u.get("name").problemf("%s is the name of %s already: remove one", user.Name, first)
		}
		names[user.Name] = item.path
		web.Users = append(web.Users, user)
	}
	if usersOK && len(users) == 0 {
		s.get("users").problemf("has nobody in it, so that nobody could sign in: add a user")
	}
	tokens, _ := s.get("tokens").list()
	for _, item := range tokens {
		f.readToken(item, web, names)
	}
}

func (f *file) readToken(item value, web *Web, users map[string]string) {
	t, ok := item.section()
	if !ok {
		return
	}
	defer t.close()
	token := Token{
		User: need(t, "user", webName, "say whom the token acts for"),
		Hash: need(t, "hash", tokenHash, "`smsbridge user token` makes a token and its hash"),
	}
	if _, known := users[token.User]; !known && token.User != "" {
		t.get("user").problemf("%s is none of web.users: add the user, or mend the name", token.User)
	}
	web.Tokens = append(web.Tokens, token)
}

func webName(text string) (string, error) {
	h, err := addressing.NewHandle(addressing.NetworkWeb, text)
	return h.ID(), err
}

// argon2Pattern is the PHC form of an argon2id hash (RFC 9106, 3.1 names the parameters).
var argon2Pattern = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,2}),p=([0-9]{1,2})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,86}$`)

// argon2 tells whether hash is of the form, and costs no more than the web messenger
// grants: 1 GiB, 32 passes and 64 threads.
func argon2(hash string) bool {
	m := argon2Pattern.FindStringSubmatch(hash)
	if m == nil {
		return false
	}
	memory, _ := strconv.Atoi(m[1]) // the pattern has few digits alone
	passes, _ := strconv.Atoi(m[2])
	threads, _ := strconv.Atoi(m[3])
	return memory >= 1 && memory <= 1<<20 && passes >= 1 && passes <= 32 && threads >= 1 && threads <= 64
}

var tokenPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// tokenHash does not repeat what it got: it may be the token itself.
func tokenHash(text string) (string, error) {
	if !tokenPattern.MatchString(text) {
		return "", errors.New("must be sha256: and 64 hexadecimal digits, not the token itself: `smsbridge user token` makes both")
	}
	return text, nil
}
