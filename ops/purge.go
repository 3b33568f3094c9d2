package ops

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// PurgeQuery selects messages to phones that wait: those that fit all that is set, or with All
// every one.
type PurgeQuery struct {
	Handle addressing.Handle // who wrote them, as they are called now
	Phone  addressing.MSISDN
	Route  string // that they would take now
	All    bool
}

// String writes what is selected, as the audit has it.
func (q PurgeQuery) String() string {
	if q.All {
		return "mt, all"
	}
	words := []string{"mt"}
	if !q.Handle.IsZero() {
		words = append(words, "of "+q.Handle.String())
	}
	if !q.Phone.IsZero() {
		words = append(words, "to "+q.Phone.String())
	}
	if q.Route != "" {
		words = append(words, "by route "+q.Route)
	}
	return strings.Join(words, " ")
}

// Purged is the body of /admin/v1/queue/purge.
type Purged struct {
	Subject string `json:"subject"` // what was selected
	Purged  int    `json:"purged"`  // that were given up; of a dry run, that fit
	Left    int    `json:"left"`    // that fit, and that an SMSC has or may have
	DryRun  bool   `json:"dry_run"`
}

func (s *Server) purge(w http.ResponseWriter, r *http.Request) {
	q, ok := s.purgeQuery(w, r)
	if !ok {
		return
	}
	patiently(w)
	if s.flag(r, "dry_run") {
		n, _, err := s.cfg.Control.Purge(r.Context(), q, true)
		if err != nil {
			s.refuse(w, http.StatusServiceUnavailable, "the queue cannot be read, see /readyz: "+err.Error())
			return
		}
		s.reply(w, http.StatusOK, Purged{Subject: q.String(), Purged: n, DryRun: true})
		return
	}
	// Once it is on record it is done, whatever becomes of who asked.
	ctx := context.WithoutCancel(r.Context())
	a := bridge.Audit{V: auditVersion, At: time.Now().UTC(), By: operator(r), Action: bridge.ActionPurge, Subject: q.String()}
	if err := s.cfg.Audit.KeepAudit(ctx, a); err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "nothing was purged, since it cannot be put on record, see /readyz: "+err.Error())
		return
	}
	purged, left, err := s.cfg.Control.Purge(ctx, q, false)
	a.At, a.Action, a.Subject = time.Now().UTC(), bridge.ActionPurged, fmt.Sprintf("%s: %d messages", q, purged)
	if err != nil {
		a.Failed = "broken off: " + err.Error()
	}
	if lost := s.cfg.Audit.KeepAudit(ctx, a); lost != nil {
		s.cfg.Logger.Error().Err(lost).Int("messages", purged).Msg("not on record how many messages an operator has purged")
	}
	s.cfg.Logger.Warn().Str("by", a.By).Int("messages", purged).Int("left", left).Msg("an operator gave up messages that waited; smsbridge queue audit says which")
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d messages were purged, and then it broke off; see /readyz and do it again: %v", purged, err))
		return
	}
	s.reply(w, http.StatusOK, Purged{Subject: q.String(), Purged: purged, Left: left})
}

// purgeQuery reads what is selected. It must be said: an empty query is not everything.
func (s *Server) purgeQuery(w http.ResponseWriter, r *http.Request) (q PurgeQuery, ok bool) {
	query := r.URL.Query()
	if stage := query.Get("stage"); stage != "" && stage != "mt" {
		s.refuse(w, http.StatusBadRequest, "only mt, messages to phones, can be purged: what phones wrote has nobody who could be told that it is gone")
		return q, false
	}
	if query.Get("handle") != "" {
		if q.Handle, ok = s.handle(w, r, "handle"); !ok {
			return q, false
		}
	}
	if query.Get("phone") != "" {
		if q.Phone, ok = s.phone(w, r); !ok {
			return q, false
		}
	}
	q.Route, q.All = query.Get("route"), s.flag(r, "all")
	if q.Route != "" && len(s.named(bridge.HoldRoute, q.Route)) == 0 {
		s.refuse(w, http.StatusNotFound, s.unnamed(bridge.HoldRoute))
		return q, false
	}
	if some := !q.Handle.IsZero() || !q.Phone.IsZero() || q.Route != ""; some == q.All {
		s.refuse(w, http.StatusBadRequest, "say which messages: handle, phone or route, or all=true for every one")
		return q, false
	}
	return q, true
}
