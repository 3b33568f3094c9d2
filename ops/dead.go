package ops

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// DeadLetters reads the messages that the bridge gave up; the queue room implements it.
type DeadLetters interface {
	// DeadLetters gives the last limit letters, the newest first, and how many there are.
	DeadLetters(ctx context.Context, limit int) ([]bridge.Dead, int, error)
	// DeadLetter reads one; [bridge.ErrNotFound] where there is none.
	DeadLetter(ctx context.Context, id string) (bridge.Dead, error)
}

// Undertaker deals with dead letters for an operator, who is by.
type Undertaker interface {
	// Requeue puts the message of a letter back into its queue, under a new id.
	Requeue(ctx context.Context, id, by string) (newID string, err error)
	Drop(ctx context.Context, id, by string) error
}

// The bounds of a list of dead letters.
const (
	defaultLetters = 100
	maxLetters     = 1000
)

// DeadRow is one dead letter in the body of /admin/v1/dead.
type DeadRow struct {
	ID     string        `json:"id"`
	Stage  string        `json:"stage"` // mt, mo or out
	Reason bridge.Reason `json:"reason"`
	Detail string        `json:"detail"`
	At     time.Time     `json:"at"`
	Handle string        `json:"handle,omitempty"`
	Phone  string        `json:"phone,omitempty"` // masked
}

// DeadList is the body of /admin/v1/dead, the newest first.
type DeadList struct {
	Letters []DeadRow `json:"letters"`
	Total   int       `json:"total"` // with those that are left out
}

// DeadDone is the body of what was done with a dead letter.
type DeadDone struct {
	ID     string `json:"id"`
	Action string `json:"action"` // requeue or drop
	NewID  string `json:"new_id,omitempty"`
}

func (s *Server) deadRoutes(mux *router) {
	if s.cfg.Dead == nil || s.cfg.Undertaker == nil {
		return
	}
	mux.HandleFunc("GET /admin/v1/dead", s.listDead)
	mux.HandleFunc("GET /admin/v1/dead/{id}", s.showDead)
	mux.Handle("POST /admin/v1/dead/{id}/requeue", s.ownSite(http.HandlerFunc(s.requeueDead)))
	mux.Handle("DELETE /admin/v1/dead/{id}", s.ownSite(http.HandlerFunc(s.dropDead)))
}

// DeadRowOf is a dead letter as a list shows it.
func DeadRowOf(d bridge.Dead) DeadRow {
	row := DeadRow{ID: d.ID, Stage: strings.ToLower(d.Stage), Reason: d.Reason, Detail: d.Detail, At: d.At}
	switch {
	case d.MT != nil:
		row.Handle, row.Phone = d.MT.Handle.String(), d.MT.Phone.Masked()
	case d.MO != nil:
		row.Phone = maskedSource(d.MO.Source.Addr)
	case d.OUT != nil:
		row.Handle, row.Phone = d.OUT.Handle.String(), d.OUT.Phone.Masked()
	}
	return row
}

// maskedSource is who wrote a message that came raw. It is empty where that is no number with its
// country, which cannot be masked as one.
func maskedSource(addr string) string {
	phone, err := addressing.ParseMSISDN("+"+strings.TrimPrefix(addr, "+"), "")
	if err != nil {
		return ""
	}
	return phone.Masked()
}

func (s *Server) listDead(w http.ResponseWriter, r *http.Request) {
	limit, ok := s.limit(w, r)
	if !ok {
		return
	}
	letters, total, err := s.cfg.Dead.DeadLetters(r.Context(), limit)
	if err != nil {
		s.refuseDead(w, err)
		return
	}
	list := DeadList{Letters: make([]DeadRow, len(letters)), Total: total}
	for i, d := range letters {
		list.Letters[i] = DeadRowOf(d)
	}
	s.reply(w, http.StatusOK, list)
}

// limit reads how many are asked for.
func (s *Server) limit(w http.ResponseWriter, r *http.Request) (int, bool) {
	text := r.URL.Query().Get("limit")
	n, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(defaultLetters)))
	if err != nil || n < 1 || n > maxLetters {
		s.refuse(w, http.StatusBadRequest, "limit must be 1 to "+strconv.Itoa(maxLetters))
		return 0, false
	}
	return n, true
}

// showDead leaves out what people wrote, unless it is asked for.
func (s *Server) showDead(w http.ResponseWriter, r *http.Request) {
	d, err := s.cfg.Dead.DeadLetter(r.Context(), r.PathValue("id"))
	if err != nil {
		s.refuseDead(w, err)
		return
	}
	if r.URL.Query().Get("text") != "true" {
		d = withoutText(d)
	}
	s.reply(w, http.StatusOK, d)
}

func withoutText(d bridge.Dead) bridge.Dead {
	d.Raw = nil
	if d.MT != nil {
		m := *d.MT
		m.Text, m.Wire, d.MT = "", "", &m
	}
	if d.MO != nil {
		m := *d.MO
		m.Body, m.TLVs, d.MO = nil, nil, &m
	}
	if d.OUT != nil {
		m := *d.OUT
		m.Text, d.OUT = "", &m
	}
	return d
}

func (s *Server) requeueDead(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	newID, err := s.cfg.Undertaker.Requeue(r.Context(), id, operator(r))
	if err != nil {
		s.refuseDead(w, err)
		return
	}
	s.reply(w, http.StatusOK, DeadDone{ID: id, Action: bridge.ActionRequeue, NewID: newID})
}

func (s *Server) dropDead(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := s.cfg.Undertaker.Drop(r.Context(), id, operator(r)); err != nil {
		s.refuseDead(w, err)
		return
	}
	s.reply(w, http.StatusOK, DeadDone{ID: id, Action: bridge.ActionDrop})
}

func (s *Server) refuseDead(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, bridge.ErrNotFound):
		s.refuse(w, http.StatusNotFound, "there is no such dead letter: smsbridge queue ls dead lists them")
	case errors.Is(err, bridge.ErrNothingToRequeue):
		s.refuse(w, http.StatusConflict, "the operator's SMSC has the message, so that there is nothing to send again: drop the letter")
	default:
		s.refuse(w, http.StatusServiceUnavailable, "the dead letters cannot be dealt with now, see /readyz: "+err.Error())
	}
}
