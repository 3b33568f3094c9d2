package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tokenEncoding has one spelling for each token.
var tokenEncoding = base64.RawURLEncoding.Strict()

// sessions makes and reads session tokens. A token is not kept anywhere: it says
// who signed in and until when, and is signed. So a restart signs nobody out and
// any instance can read it. Signing out removes it from the browser; a new password
// ends all that were made before.
type sessions struct {
	key      []byte
	lifetime time.Duration
	secure   bool
}

// newSessions derives the key, so that what else is signed with the same secret can
// never pass for a session.
func newSessions(cfg *Config) *sessions {
	return &sessions{key: mac(cfg.SessionKey, "smsbridge web session 1"), lifetime: cfg.SessionLifetime, secure: cfg.BehindTLS}
}

// make gives the session token of a person and when it ends.
func (s *sessions) make(who *person, now time.Time) (token string, ends time.Time) {
	ends = now.Add(s.lifetime).Truncate(time.Second)
	payload := who.name + "\n" + strconv.FormatInt(ends.Unix(), 10)
	return tokenEncoding.EncodeToString([]byte(payload)) + "." + tokenEncoding.EncodeToString(s.sign(who, payload)), ends
}

// read gives the person of a session token and when it ends, or nil where it is not
// ours or has ended.
func (s *sessions) read(p *people, token string, now time.Time) (*person, time.Time) {
	first, second, _ := strings.Cut(token, ".")
	payload, err := tokenEncoding.DecodeString(first)
	if err != nil {
		return nil, time.Time{}
	}
	signature, err := tokenEncoding.DecodeString(second)
	if err != nil {
		return nil, time.Time{}
	}
	name, unix, _ := strings.Cut(string(payload), "\n")
	seconds, err := strconv.ParseInt(unix, 10, 64)
	who := p.byName[name]
	if err != nil || who == nil || !hmac.Equal(signature, s.sign(who, string(payload))) {
		return nil, time.Time{}
	}
	ends := time.Unix(seconds, 0)
	if !now.Before(ends) {
		return nil, time.Time{}
	}
	return who, ends
}

// sign covers the password's hash too: a new password ends the sessions of the old.
func (s *sessions) sign(who *person, payload string) []byte {
	return mac(mac(s.key, who.hash.String()), payload)
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// cookieName has the prefix which makes browsers refuse the cookie from anybody but
// this host over HTTPS (RFC 6265bis, 4.1.3.2), where that is how people come.
func (s *sessions) cookieName() string {
	if s.secure {
		return "__Host-smsbridge"
	}
	return "smsbridge"
}

func (s *sessions) set(w http.ResponseWriter, token string, age time.Duration) {
	maxAge := int(age.Seconds())
	if token == "" {
		maxAge = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: token, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}
