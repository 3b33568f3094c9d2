package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// outgoing is the body of POST /messages.
type outgoing struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// accepted is the answer to it.
type accepted struct {
	ID     string            `json:"id"`
	Status bridge.State      `json:"status"`
	Phone  addressing.MSISDN `json:"phone"` // To in canonical form
}

// storeWithin bounds how long a request waits for the store.
const storeWithin = 15 * time.Second

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var out outgoing
	if err := readBody(w, r, &out); err != nil {
		return err
	}
	// The message is stored even if the client hangs up now: it may have been sent
	// because the person closed the page.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeWithin)
	defer cancel()
	story, err := s.cfg.Hub.Accept(ctx, bridge.Request{
		Handle: visitorOf(ctx).handle, To: out.To, Text: out.Text, NetworkID: key, Trace: traceOf(r),
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/messages/"+story.ID)
	return answer(w, http.StatusAccepted, accepted{ID: story.ID, Status: story.State.Shown(), Phone: story.Phone})
}

// traceOf is the trace that the client has begun, if any (W3C Trace Context, 3.2). A header that
// is wrong, or comes twice, is none.
func traceOf(r *http.Request) bridge.Trace {
	values := r.Header.Values("Traceparent")
	if len(values) != 1 {
		return ""
	}
	return bridge.ParseTrace(values[0])
}

// maxKey is the longest Idempotency-Key in characters.
const maxKey = 128

// idempotencyKey reads the header which makes a repeated request the same message.
// The IETF's draft writes its value in quotes, most clients do not: both are the
// same key. Without it each request is a message of its own.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	printable := !strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
	if len(values) > 1 || key == "" || len(key) > maxKey || !printable {
		return "", problem(reasonBadKey, "The Idempotency-Key must be one value of 1 to 128 letters, digits and signs without quotes and spaces; a UUID is best.")
	}
	return key, nil
}

func (s *Server) getMessage(w http.ResponseWriter, r *http.Request) error {
	story, _, err := s.cfg.Stories.Story(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if story.Handle != visitorOf(r.Context()).handle {
		return bridge.ErrNotFound // it is somebody else's, and even that is their secret
	}
	return answer(w, http.StatusOK, storyOf(story))
}

// How many conversations and messages an answer has.
const (
	conversationsDefault, conversationsMost = 200, 1000
	messagesDefault, messagesMost           = 100, 500
)

func (s *Server) getConversations(w http.ResponseWriter, r *http.Request) error {
	limit, err := limitOf(r, conversationsDefault, conversationsMost)
	if err != nil {
		return err
	}
	entries, err := s.cfg.History.Conversations(r.Context(), visitorOf(r.Context()).handle)
	if err != nil {
		return err
	}
	list := []conversation{}
	for _, e := range entries[:min(limit, len(entries))] {
		last := messageOf(e)
		if err := s.bringUpToDate(r.Context(), &last); err != nil {
			return err
		}
		list = append(list, conversation{Phone: e.Phone, Number: e.Number, Last: last})
	}
	return answer(w, http.StatusOK, map[string]any{"conversations": list})
}

// bringUpToDate gives an MT message the state of its story: its entry in the log has
// the one that it began with. A story that is no longer kept changes nothing.
func (s *Server) bringUpToDate(ctx context.Context, m *message) error {
	if m.status == nil {
		return nil
	}
	story, _, err := s.cfg.Stories.Story(ctx, m.ID)
	if errors.Is(err, bridge.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m.status = &status{Status: story.State.Shown(), Reason: story.Reason, Detail: story.Detail}
	return nil
}

func (s *Server) getMessages(w http.ResponseWriter, r *http.Request) error {
	limit, err := limitOf(r, messagesDefault, messagesMost)
	if err != nil {
		return err
	}
	phone, err := addressing.ParseMSISDN(r.PathValue("phone"), s.cfg.Region)
	if err != nil {
		return problem(bridge.ReasonBadNumber, addressing.Explain(err))
	}
	entries, err := s.cfg.History.Messages(r.Context(), visitorOf(r.Context()).handle, phone, limit)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"phone": phone, "messages": fold(entries)})
}
