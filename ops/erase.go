package ops

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// EraseQuery says whose data is erased: a person's, under all their names, or a phone's. One of
// the two is set.
type EraseQuery struct {
	Handle addressing.Handle
	Phone  addressing.MSISDN
}

// String names whose data it is, as the audit has it and without saying who: a phone masked, a
// handle by the beginning of its digest, SHA-256 of "smsbridge erased " and the handle.
func (q EraseQuery) String() string {
	if !q.Phone.IsZero() {
		return "phone " + q.Phone.Masked()
	}
	sum := sha256.Sum256([]byte("smsbridge erased " + q.Handle.String()))
	return "handle of " + q.Handle.Network() + ", digest " + hex.EncodeToString(sum[:6])
}

// Erased is the body of /admin/v1/erase.
type Erased struct {
	Subject string       `json:"subject"` // as the audit has it
	DryRun  bool         `json:"dry_run"`
	Counts  []ErasedKind `json:"counts"` // what there was, or of a dry run is
	Total   int          `json:"total"`
	// Kept says in plain words what stays, and why.
	Kept []string `json:"kept"`
	// Left are messages that are being sent at this moment: to be erased by doing it again.
	Left int `json:"left"`
}

// ErasedKind is how much there was of one kind.
type ErasedKind struct {
	Kind  string `json:"kind"` // in plain words, plural
	Count int    `json:"count"`
}

// Add counts n more of a kind.
func (e *Erased) Add(kind string, n int) {
	if n == 0 {
		return
	}
	e.Total += n
	for i := range e.Counts {
		if e.Counts[i].Kind == kind {
			e.Counts[i].Count += n
			return
		}
	}
	e.Counts = append(e.Counts, ErasedKind{kind, n})
}

func (s *Server) erase(w http.ResponseWriter, r *http.Request) {
	var q EraseQuery
	var ok bool
	handle, phone := r.URL.Query().Get("handle"), r.URL.Query().Get("phone")
	switch {
	case (handle == "") == (phone == ""):
		s.refuse(w, http.StatusBadRequest, "say whose data: handle or phone, one of the two")
		return
	case handle != "":
		q.Handle, ok = s.handle(w, r, "handle")
	default:
		q.Phone, ok = s.phone(w, r)
	}
	if !ok {
		return
	}
	patiently(w)
	if s.flag(r, "dry_run") {
		found, err := s.cfg.Control.Erase(r.Context(), q, true)
		if err != nil {
			s.refuse(w, http.StatusServiceUnavailable, "what is kept cannot be read, see /readyz: "+err.Error())
			return
		}
		s.reply(w, http.StatusOK, found)
		return
	}
	// Once it is on record it is done, whatever becomes of who asked.
	ctx := context.WithoutCancel(r.Context())
	a := bridge.Audit{V: auditVersion, At: time.Now().UTC(), By: operator(r), Action: bridge.ActionErase, Subject: q.String()}
	if err := s.cfg.Audit.KeepAudit(ctx, a); err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "nothing was erased, since it cannot be put on record, see /readyz: "+err.Error())
		return
	}
	done, err := s.cfg.Control.Erase(ctx, q, false)
	a.At, a.Action, a.Subject = time.Now().UTC(), bridge.ActionErased, fmt.Sprintf("%s: %d records", q, done.Total)
	if err != nil {
		a.Failed = "broken off: " + err.Error()
	}
	if lost := s.cfg.Audit.KeepAudit(ctx, a); lost != nil {
		s.cfg.Logger.Error().Err(lost).Int("records", done.Total).Msg("not on record how much an operator has erased")
	}
	s.cfg.Logger.Warn().Str("by", a.By).Str("subject", q.String()).Int("records", done.Total).Int("left", done.Left).Msg("an operator erased what was kept of a person")
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d records were erased, and then it broke off; see /readyz and do it again, which goes on from there: %v", done.Total, err))
		return
	}
	s.reply(w, http.StatusOK, done)
}
