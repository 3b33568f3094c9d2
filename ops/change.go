package ops

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file is what all changes by an operator have in common: each is on record before
// it is made.

// AuditTrail keeps what operators do; the queue room implements it.
type AuditTrail interface {
	// KeepAudit returns once a is on disk.
	KeepAudit(ctx context.Context, a bridge.Audit) error
	// Audits gives the last limit things that operators did, the oldest first.
	Audits(ctx context.Context, limit int) ([]bridge.Audit, error)
}

// AuditList is the body of /admin/v1/audit, the oldest first.
type AuditList struct {
	Audits []bridge.Audit `json:"audits"`
}

// Done is the body of a change that was made.
type Done struct {
	Action  string `json:"action"`         // as in the audit
	Subject string `json:"subject"`        // what it was about, canonical
	Changed bool   `json:"changed"`        // false: it was so before
	Note    string `json:"note,omitempty"` // what else an operator should know of it
}

func (s *Server) changeRoutes(mux *router) {
	routes := s.nameRoutes()
	maps.Copy(routes, map[string]http.HandlerFunc{
		"POST /admin/v1/conversations/release": s.release,
		"POST /admin/v1/provision":             s.provision,
		"POST /admin/v1/reload":                s.reload,
		"POST /admin/v1/optouts":               s.addOptout,
		"DELETE /admin/v1/optouts":             s.endOptout,
	})
	maps.Copy(routes, s.controlRoutes())
	for pattern, handler := range routes {
		mux.Handle(pattern, s.ownSite(handler))
	}
}

func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	limit, ok := s.limit(w, r)
	if !ok {
		return
	}
	all, err := s.cfg.Audit.Audits(r.Context(), limit)
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "what operators did cannot be read now, see /readyz: "+err.Error())
		return
	}
	s.reply(w, http.StatusOK, AuditList{Audits: append([]bridge.Audit{}, all...)})
}

// change makes a change that is put on record first, and answers with it. One that fails has a
// second record, which says so.
func (s *Server) change(w http.ResponseWriter, r *http.Request, action, subject string, do func(context.Context) (changed bool, err error)) {
	s.changeNoted(w, r, Done{Action: action, Subject: subject}, do)
}

// changeNoted is change with an answer that may say more.
func (s *Server) changeNoted(w http.ResponseWriter, r *http.Request, done Done, do func(context.Context) (changed bool, err error)) {
	action, subject := done.Action, done.Subject
	// Once it is on record it is made, whatever becomes of who asked.
	ctx := context.WithoutCancel(r.Context())
	a := bridge.Audit{V: auditVersion, At: time.Now().UTC(), By: operator(r), Action: action, Subject: subject}
	if err := s.cfg.Audit.KeepAudit(ctx, a); err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "nothing was changed, since it cannot be put on record, see /readyz: "+err.Error())
		return
	}
	changed, err := do(ctx)
	if err != nil {
		a.Failed = addressing.Explain(err)
		if lost := s.cfg.Audit.KeepAudit(ctx, a); lost != nil {
			s.cfg.Logger.Error().Err(lost).Str("action", action).Msg("not on record that a change by an operator failed")
		}
		s.refuseChange(w, err)
		return
	}
	s.cfg.Logger.Info().Str("action", action).Str("by", a.By).Bool("changed", changed).Msg("an operator changed something; smsbridge queue audit says what")
	done.Changed = changed
	s.reply(w, http.StatusOK, done)
}

// auditVersion is the form of a record.
const auditVersion = 1

func (s *Server) refuseChange(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, addressing.ErrNobody):
		s.refuse(w, http.StatusNotFound, "there is no such conversation: smsbridge conversation ls lists those of an address")
	case errors.Is(err, addressing.ErrTaken), errors.Is(err, addressing.ErrGone):
		s.refuse(w, http.StatusConflict, addressing.Explain(err))
	case errors.Is(err, addressing.ErrInvalid):
		s.refuse(w, http.StatusBadRequest, addressing.Explain(err))
	default:
		s.refuse(w, http.StatusServiceUnavailable, "it may not have been changed, see /readyz and try again: "+err.Error())
	}
}

// OperatorHeader says who asks for a change; it is written down and proves nothing.
const OperatorHeader = "X-Operator"

const maxOperator = 64

// operator is who asks, as they say, and from where.
func operator(r *http.Request) string {
	said := r.Header.Get(OperatorHeader)
	if coded, found := strings.CutPrefix(said, "UTF-8''"); found { // as browsers can write any name (RFC 8187, 3.2)
		if plain, err := url.PathUnescape(coded); err == nil {
			said = plain
		}
	}
	name := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, said)
	if len(name) > maxOperator {
		name = name[:maxOperator]
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return cmp.Or(strings.ToValidUTF8(name, ""), "somebody") + " from " + host
}
