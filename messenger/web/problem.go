package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"smsbridge/bridge"
)

// reason is why a request failed: a closed set which programs may rely on. It holds
// the hub's reasons for a refusal and those of HTTP that follow.
type reason = bridge.Reason

const (
	reasonMalformed       reason = "malformed" // the request cannot be read
	reasonBadKey          reason = "bad_idempotency_key"
	reasonUnauthenticated reason = "unauthenticated"   // nobody is signed in
	reasonCredentials     reason = "wrong_credentials" // name or password is wrong
	reasonCrossSite       reason = "cross_site"        // another site's page made the request
	reasonNotFound        reason = "not_found"
	reasonMethod          reason = "method_not_allowed"
	reasonBodyTooLarge    reason = "body_too_large"
	reasonMediaType       reason = "unsupported_media_type"
	reasonTooMany         reason = "too_many_requests"
	reasonBusy            reason = "busy" // too much is going on; try again
)

// kind is what all problems of one reason have in common.
type kind struct {
	status int
	title  string
	// after is what Retry-After says where nothing better is known.
	after time.Duration
}

var kinds = map[reason]kind{
	reasonMalformed:       {status: http.StatusBadRequest, title: "The request cannot be read"},
	reasonBadKey:          {status: http.StatusBadRequest, title: "The Idempotency-Key cannot be used"},
	reasonUnauthenticated: {status: http.StatusUnauthorized, title: "Nobody is signed in"},
	reasonCredentials:     {status: http.StatusUnauthorized, title: "The name or the password is wrong"},
	reasonCrossSite:       {status: http.StatusForbidden, title: "The request comes from another site"},
	reasonNotFound:        {status: http.StatusNotFound, title: "There is no such thing"},
	reasonMethod:          {status: http.StatusMethodNotAllowed, title: "The method is not allowed here"},
	reasonBodyTooLarge:    {status: http.StatusRequestEntityTooLarge, title: "The request is too large"},
	reasonMediaType:       {status: http.StatusUnsupportedMediaType, title: "The request is not JSON"},
	reasonTooMany:         {status: http.StatusTooManyRequests, title: "Too many requests", after: tryEvery},
	reasonBusy:            {status: http.StatusServiceUnavailable, title: "The server is busy", after: 5 * time.Second},

	bridge.ReasonBadNumber:    {status: http.StatusUnprocessableEntity, title: "The address is not a phone number"},
	bridge.ReasonEmpty:        {status: http.StatusUnprocessableEntity, title: "The text is empty"},
	bridge.ReasonTooLong:      {status: http.StatusUnprocessableEntity, title: "The text is too long"},
	bridge.ReasonBadText:      {status: http.StatusUnprocessableEntity, title: "The text cannot be sent"},
	bridge.ReasonIDReused:     {status: http.StatusUnprocessableEntity, title: "The Idempotency-Key was used for another message"},
	bridge.ReasonNotPermitted: {status: http.StatusForbidden, title: "You may not text this phone"},
	bridge.ReasonStopped:      {status: http.StatusForbidden, title: "The phone wants no messages"},
	bridge.ReasonTooManyOpen:  {status: http.StatusForbidden, title: "Too many conversations are open"},
	bridge.ReasonNoNumber:     {status: http.StatusConflict, title: "No number is free for this conversation"},
	bridge.ReasonQueueFull:    {status: http.StatusServiceUnavailable, title: "The queue is full", after: time.Minute},
	bridge.ReasonUnavailable:  {status: http.StatusServiceUnavailable, title: "The store cannot be reached", after: 30 * time.Second},
	bridge.ReasonInternal:     {status: http.StatusInternalServerError, title: "The bridge has a defect"},
}

// problemError is a failed request.
type problemError struct {
	reason reason
	// detail says to the person what happened and what to do.
	detail string
	// after is what Retry-After says; 0 where the kind knows or it is of no use.
	after time.Duration
	// err is the cause, for the log; nil where the request itself is at fault.
	err error
}

func (p *problemError) Error() string {
	if p.err != nil {
		return "web: " + string(p.reason) + ": " + p.err.Error()
	}
	return "web: " + string(p.reason) + ": " + p.detail
}

func (p *problemError) Unwrap() error { return p.err }

func problem(r reason, detail string) *problemError { return &problemError{reason: r, detail: detail} }

// asProblem makes a problem of any error of a handler.
func asProblem(err error) *problemError {
	var p *problemError
	var refusal *bridge.RefusalError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refusal):
		// The hub has logged the cause of its refusal.
		return problem(refusal.Reason, refusal.Text)
	case errors.Is(err, bridge.ErrNotFound):
		return problem(reasonNotFound, "There is no such message, or it is not yours.")
	default:
		return &problemError{
			reason: bridge.ReasonUnavailable, detail: "The bridge cannot read its store at the moment. Try again in a minute.", err: err,
		}
	}
}

// document is a problem document (RFC 9457, 3.1) with the reason as its extension.
type document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Reason reason `json:"reason"`
}

// typePrefix begins the URI of a problem type. It is a URN and not a page's address,
// because it is the same wherever the bridge is installed (RFC 9457, 3.1.1).
const typePrefix = "urn:smsbridge:problem:"

func (p *problemError) write(w http.ResponseWriter) {
	k, known := kinds[p.reason]
	if !known {
		k = kinds[bridge.ReasonInternal]
	}
	header := w.Header()
	if after := cmp.Or(p.after, k.after); after > 0 {
		header.Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if k.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="smsbridge"`)
	}
	writeJSON(w, "application/problem+json", k.status, document{
		Type: typePrefix + string(p.reason), Title: k.title, Status: k.status, Detail: p.detail, Reason: p.reason,
	})
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // what is answered here always marshals
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away needs no answer
}

func answer(w http.ResponseWriter, status int, v any) error {
	writeJSON(w, "application/json", status, v)
	return nil
}
