package ops

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Messages finds messages, and tells what became of each.
type Messages interface {
	// Search gives messages, the newest first.
	Search(ctx context.Context, q MessageQuery) ([]MessageRow, error)
	// Message tells the story of one, also by the id that an SMSC gave it; [bridge.ErrNotFound]
	// where it is not known.
	Message(ctx context.Context, id string) (Message, error)
}

// MessageQuery is what messages are looked for by: an id, or a phone or a handle, or both.
type MessageQuery struct {
	ID     string
	Phone  addressing.MSISDN
	Handle addressing.Handle
	Limit  int
}

// MessageRow is a message in the body of /admin/v1/messages.
type MessageRow struct {
	ID     string        `json:"id"`
	Kind   string        `json:"kind"` // mt or mo
	At     time.Time     `json:"at"`   // when it was accepted, or came
	Handle string        `json:"handle"`
	Phone  string        `json:"phone"` // masked
	Number string        `json:"number"`
	State  string        `json:"state"` // of an MT a state; of an MO waiting or handed
	Reason bridge.Reason `json:"reason,omitempty"`
	Detail string        `json:"detail,omitempty"`
}

// The states of a message beside those of the hub.
const (
	// MessageWaiting is of an MT that no SMSC has, and of an MO that no messenger has.
	MessageWaiting = "waiting"
	MessageHanded  = "handed" // an MO is with its messenger
	MessageDead    = "dead"   // an MO is a dead letter
)

// MessageList is the body of /admin/v1/messages, the newest first.
type MessageList struct {
	Messages []MessageRow `json:"messages"`
}

// Message is the body of /admin/v1/messages/{id}: the whole story of one.
type Message struct {
	MessageRow
	Key       string    `json:"idempotency_key,omitempty"` // the sender's own id of it
	ExpiresAt time.Time `json:"expires_at,omitzero"`       // the end of its validity
	// WaitsFor says in words what one that waits is waiting for.
	WaitsFor string           `json:"waits_for,omitempty"`
	Attempts int              `json:"attempts,omitempty"` // submits that were refused for now
	NextAt   time.Time        `json:"next_at,omitzero"`   // when the next attempt is due
	Route    string           `json:"route,omitempty"`    // that it would take now
	Link     string           `json:"link,omitempty"`     // the last that it was submitted over
	Account  string           `json:"account,omitempty"`  // of that link, or the one that an MO came from
	TraceID  string           `json:"trace_id,omitempty"` // where it is traced
	Segments []bridge.Segment `json:"segments,omitempty"` // that an SMSC took: its id of each, and the receipt
	// Told says that its sender has been told how it ended; of a messenger that is away the word
	// may still be in the queue, see Queued.
	Told   bool          `json:"told"`
	Queued []string      `json:"queued,omitempty"` // the stages that hold it, or a status of it
	Dead   *DeadRow      `json:"dead,omitempty"`   // the dead letter that it became
	Steps  []MessageStep `json:"steps"`            // the oldest first
	Text   string        `json:"text,omitempty"`   // only where it was asked for
}

// MessageStep is something that happened to a message.
type MessageStep struct {
	At     time.Time     `json:"at"`
	State  string        `json:"state"`
	Link   string        `json:"link,omitempty"` // that it was submitted over
	Reason bridge.Reason `json:"reason,omitempty"`
	Detail string        `json:"detail,omitempty"`
}

func (s *Server) messageRoutes(mux *router) {
	if s.cfg.Control == nil || s.cfg.Control.Messages == nil {
		return
	}
	mux.HandleFunc("GET /admin/v1/messages", s.listMessages)
	mux.HandleFunc("GET /admin/v1/messages/{id}", s.showMessage)
}

// The bounds of a list of messages.
const (
	defaultMessages = 20
	maxMessages     = 200
)

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	q := MessageQuery{ID: query.Get("id")}
	var err error
	if q.Limit, err = strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(defaultMessages))); err != nil || q.Limit < 1 || q.Limit > maxMessages {
		s.refuse(w, http.StatusBadRequest, "limit must be 1 to "+strconv.Itoa(maxMessages))
		return
	}
	ok := true
	if query.Get("phone") != "" {
		q.Phone, ok = s.phone(w, r)
	}
	if ok && query.Get("handle") != "" {
		q.Handle, ok = s.handle(w, r, "handle")
	}
	switch {
	case !ok:
		return
	case q.ID == "" && q.Phone.IsZero() && q.Handle.IsZero():
		s.refuse(w, http.StatusBadRequest, "say which messages: id, phone or handle")
		return
	case q.ID != "" && (!q.Phone.IsZero() || !q.Handle.IsZero()):
		s.refuse(w, http.StatusBadRequest, "an id is one message: leave out phone and handle")
		return
	}
	patiently(w)
	all, err := s.cfg.Control.Messages.Search(r.Context(), q)
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "the messages cannot be read, see /readyz: "+err.Error())
		return
	}
	s.reply(w, http.StatusOK, MessageList{Messages: append([]MessageRow{}, all...)})
}

// showMessage leaves out what people wrote, unless it is asked for.
func (s *Server) showMessage(w http.ResponseWriter, r *http.Request) {
	patiently(w)
	m, err := s.cfg.Control.Messages.Message(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, bridge.ErrNotFound):
		s.refuse(w, http.StatusNotFound, "no message of that id is known: smsbridge trace --phone or --handle lists those of a person; what became of one is known for queue.keep.journal, and what was said for queue.keep.log")
		return
	case err != nil:
		s.refuse(w, http.StatusServiceUnavailable, "the messages cannot be read, see /readyz: "+err.Error())
		return
	}
	if r.URL.Query().Get("text") != "true" {
		m.Text = ""
	}
	m.Steps = append([]MessageStep{}, m.Steps...)
	s.reply(w, http.StatusOK, m)
}
