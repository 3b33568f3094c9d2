package smsc

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"strings"
	"time"

	"smsbridge/addressing"
)

//go:embed static
var static embed.FS

const (
	// maxRequest is the longest body of a request in octets: the longest text that fits
	// into 255 segments has 39,015 characters, each of up to six octets in JSON.
	maxRequest = 256 << 10
	// heartbeat keeps an idle stream of events open through proxies, and finds out that
	// nobody reads it any more.
	heartbeat = 15 * time.Second
)

// Handler serves the phones over HTTP: a page at /, and
//
//	GET  /phones                      the phones, the last used first
//	GET  /phones/{msisdn}/messages    what a phone keeps, oldest first
//	POST /phones/{msisdn}/messages    {"to","text"}: the phone writes; 202
//	GET  /events                      server-sent events, one for each message, new or changed
//	GET  /magic                       the magic numbers
//	GET  /faults                      all faults, and which are on
//	PUT  /faults/{name}               {"count","seconds","after"}, all optional: switches it on; POST does the same
//	DELETE /faults/{name}             switches it off; without a name all of them
//	GET  /ca.pem                      who vouches for the server, where it speaks TLS
//
// Errors are application/problem+json (RFC 9457). It has no sign-in: serve it on a
// loopback address, or behind one that has. Requests that a browser sends from another
// site are refused. It may be mounted under [http.StripPrefix].
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /phones", s.getPhones)
	mux.HandleFunc("GET /phones/{msisdn}/messages", s.getMessages)
	mux.HandleFunc("POST /phones/{msisdn}/messages", s.postMessage)
	mux.HandleFunc("GET /events", s.getEvents)
	mux.HandleFunc("GET /magic", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, Magic()) })
	mux.HandleFunc("GET /faults", s.getFaults)
	mux.HandleFunc("PUT /faults/{name}", s.putFault)
	mux.HandleFunc("POST /faults/{name}", s.putFault)
	mux.HandleFunc("DELETE /faults/{name}", s.deleteFault)
	mux.HandleFunc("DELETE /faults", s.deleteFaults)
	mux.HandleFunc("GET /ca.pem", s.getCA)
	if pages, err := fs.Sub(static, "static"); err == nil {
		mux.Handle("GET /", http.FileServerFS(pages))
	}
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The pages have no inline script, so that a text can never become one.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		guarded.ServeHTTP(w, r)
	})
}

func (s *Server) getCA(w http.ResponseWriter, _ *http.Request) {
	if s.tls == nil {
		s.problem(w, http.StatusNotFound, "This SMSC speaks plain TCP, so nobody vouches for it.")
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	if _, err := w.Write(s.CA()); err != nil {
		s.log.Debug().Err(err).Msg("an HTTP client went away before its answer")
	}
}

func (s *Server) getPhones(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, s.phones.all())
}

func (s *Server) getMessages(w http.ResponseWriter, r *http.Request) {
	phone, err := pathPhone(r)
	if err != nil {
		s.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	messages := s.phones.messages(phone)
	if messages == nil {
		messages = []Message{} // an empty list in JSON, not null
	}
	s.answer(w, http.StatusOK, messages)
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) {
	phone, err := pathPhone(r)
	if err != nil {
		s.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.problem(w, http.StatusUnsupportedMediaType, "Send the message as application/json: {\"to\": \"+33700000001\", \"text\": \"Hello\"}.")
		return
	}
	var body struct {
		To   string `json:"to"`
		Text string `json:"text"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
			s.problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The message has more than %d octets; shorten it.", tooLong.Limit))
			return
		}
		s.problem(w, http.StatusBadRequest, `The body cannot be read; send {"to": "+33700000001", "text": "Hello"}: `+err.Error())
		return
	}
	m, err := s.Send(phone, body.To, body.Text)
	switch {
	case err == nil:
		s.answer(w, http.StatusAccepted, m)
	case errors.Is(err, ErrMessage):
		s.problem(w, http.StatusUnprocessableEntity, err.Error())
	default:
		w.Header().Set("Retry-After", "5")
		s.problem(w, http.StatusServiceUnavailable, err.Error())
	}
}

// pathPhone reads the phone in the path; the plus may be missing, since it is often
// lost on the way.
func pathPhone(r *http.Request) (addressing.MSISDN, error) {
	var m addressing.MSISDN
	in := strings.TrimSpace(r.PathValue("msisdn"))
	digits := strings.TrimPrefix(in, "+")
	if err := m.UnmarshalText([]byte("+" + digits)); err != nil || len(digits) < leastDigits {
		return m, fmt.Errorf("%q is not the number of a phone: write it like +33612345678", in)
	}
	return m, nil
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	events, done := s.events.subscribe()
	defer done()
	stream := http.NewResponseController(w)
	// A server's write timeout is for answers that end; this one lives on.
	if err := stream.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.log.Debug().Err(err).Msg("the events keep the server's write timeout")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	write := func(text string) bool {
		_, err := fmt.Fprint(w, text)
		return err == nil && stream.Flush() == nil
	}
	for open := write("retry: 1000\n\n"); open; {
		select {
		case m, more := <-events:
			if !more {
				return // cut off or closed: the reader comes again
			}
			line, err := json.Marshal(m)
			open = err == nil && write("event: message\nid: "+m.ID+"\ndata: "+string(line)+"\n\n")
		case <-beat.C:
			open = write(": still here\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	s.write(w, status, body)
}

// problem answers with an error (RFC 9457).
func (s *Server) problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	s.write(w, status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func (s *Server) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.log.Debug().Err(err).Msg("an HTTP client went away before its answer")
	}
}
