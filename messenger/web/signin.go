package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// credentials is the body of a sign-in.
type credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// sessionView is who is signed in, and until when; a token has no end.
type sessionView struct {
	User      string     `json:"user"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// maxName bounds what is kept of a name that somebody tries, in bytes.
const maxName = 256

// hashWithin is how long a sign-in waits for its turn.
const hashWithin = 5 * time.Second

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	var c credentials
	if err := readBody(w, r, &c); err != nil {
		return err
	}
	wrong := problem(reasonCredentials, "There is nobody with this name and password. Check both; capitals count in the password.")
	if len(c.User) > maxName || len(c.Password) > maxPassword {
		return wrong
	}
	// One name in two spellings is one name to the limit too.
	name, address := strings.ToLower(c.User), s.addressOf(r)
	if wait := s.tries.take(name, address); wait > 0 {
		return &problemError{reason: reasonTooMany, detail: "Too many attempts to sign in. Wait a little and try again.", after: wait}
	}
	turn := time.NewTimer(hashWithin)
	defer turn.Stop()
	select {
	case s.hashing <- struct{}{}:
	case <-turn.C:
		return problem(reasonBusy, "Too many people sign in at once. Try again in a few seconds.")
	case <-r.Context().Done():
		return r.Context().Err()
	}
	who := s.people.Load().withPassword(c.User, c.Password)
	<-s.hashing
	if who == nil {
		s.log.Warn().Str("addr", address).Msg("sign-in failed: wrong name or password")
		return wrong
	}
	s.tries.forgive(name, address)
	return s.open(w, who)
}

// open gives the browser a new session.
func (s *Server) open(w http.ResponseWriter, who *person) error {
	token, ends := s.sessions.make(who, time.Now())
	s.sessions.set(w, token, s.cfg.SessionLifetime)
	ends = ends.UTC()
	return answer(w, http.StatusOK, sessionView{User: who.name, ExpiresAt: &ends})
}

func (s *Server) showSession(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	if !v.cookie {
		return answer(w, http.StatusOK, sessionView{User: v.name})
	}
	// Half used up: whoever comes back stays signed in.
	if time.Until(v.ends) < s.cfg.SessionLifetime/2 {
		return s.open(w, v.person)
	}
	ends := v.ends.UTC()
	return answer(w, http.StatusOK, sessionView{User: v.name, ExpiresAt: &ends})
}

func (s *Server) signOut(w http.ResponseWriter, _ *http.Request) error {
	s.sessions.set(w, "", 0)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// addressOf is where a request comes from. Behind a proxy it is the last entry of
// X-Forwarded-For, which the proxy wrote: those before it are the client's word.
func (s *Server) addressOf(r *http.Request) string {
	text, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		text = r.RemoteAddr
	}
	if values := r.Header.Values("X-Forwarded-For"); s.cfg.BehindTLS && len(values) > 0 {
		hops := strings.Split(values[len(values)-1], ",")
		text = strings.TrimSpace(hops[len(hops)-1])
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap()
	if ip.Is6() {
		// A household has a whole /64 to come from (RFC 6177, 2).
		if prefix, err := ip.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
