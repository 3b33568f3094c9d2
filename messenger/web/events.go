package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// How many event streams there may be: a browser has one for each tab.
const (
	streamsPerUser = 30
	streamsInAll   = 2000
	// sendWithin is how long a client may take to read an event. One that is slower
	// is cut off and comes back with its Last-Event-ID; meanwhile it holds one event.
	sendWithin = 10 * time.Second
	// comeBackAfter is what clients are told to wait before they connect again.
	comeBackAfter = 2 * time.Second
)

// streams counts the event streams that are open.
type streams struct {
	mu   sync.Mutex
	of   map[addressing.Handle]int
	open int
}

// enter counts one more, unless there are too many; leave is called once.
func (s *streams) enter(h addressing.Handle) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= streamsInAll || s.of[h] >= streamsPerUser {
		return nil, false
	}
	if s.of == nil {
		s.of = make(map[addressing.Handle]int)
	}
	s.open++
	s.of[h]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.of[h]--; s.of[h] == 0 {
			delete(s.of, h)
		}
	}, true
}

// event is one server-sent event. A zero seq is none: it does not move the client's
// place.
type event struct {
	name string
	seq  uint64
	data any
}

// getEvents streams what happens in the visitor's conversations: message and status
// events, after a ready event that says from where on nothing will be missed.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	leave, ok := s.streams.enter(v.handle)
	if !ok {
		return &problemError{reason: reasonTooMany, detail: "Too many pages are open at once. Close some, and this one goes on.", after: 10 * time.Second}
	}
	defer leave()
	after, resumed, err := s.startOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := v.whileSignedIn(r.Context())
	defer cancel()

	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	if err := out.begin(after, resumed); err != nil {
		return nil //nolint:nilerr // the client went away, and there is nobody to tell
	}
	events, followed := make(chan event), make(chan struct{})
	go func() {
		defer close(followed)
		err = s.follow(ctx, v.handle, after, events)
	}()
	s.pump(ctx, out, events, followed, s.stillIn(r))
	ended := ctx.Err() != nil
	cancel()
	<-followed
	if err != nil && !ended && !errors.Is(err, context.Canceled) {
		s.log.Error().Err(err).Str("handle", v.handle.String()).Msg("the log cannot be followed; the page connects again")
	}
	return nil
}

// follow gives the entries of h's conversations to events. Where somebody was renamed it says that there is more
// to read, as at the beginning, and goes on.
func (s *Server) follow(ctx context.Context, h addressing.Handle, after uint64, events chan<- event) error {
	give := forward(ctx, events)
	for {
		err := s.cfg.Log.Follow(ctx, h, after, func(seq uint64, e bridge.Entry) error {
			after = seq
			return give(seq, e)
		})
		if !errors.Is(err, ErrRenamed) {
			return err
		}
		select {
		case events <- event{name: "ready", data: map[string]bool{"resumed": false}}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stillIn tells, whenever it is asked, whether who made a request would be let in now, which
// [Server.PreparePeople] may have changed.
func (s *Server) stillIn(r *http.Request) func() bool {
	var seen *people // those who let it in may be others by now
	return func() bool {
		now := s.people.Load()
		if now == seen {
			return true
		}
		seen = now
		_, err := s.authenticate(r)
		return err == nil
	}
}

// pump writes events until the stream ends, or who reads them is let in no more.
func (s *Server) pump(ctx context.Context, out *eventWriter, events <-chan event, followed <-chan struct{}, stillIn func() bool) {
	beat := time.NewTicker(s.cfg.Heartbeat)
	defer beat.Stop()
	for {
		next := event{name: "heartbeat", data: struct{}{}}
		select {
		case next = <-events:
			beat.Reset(s.cfg.Heartbeat)
		case <-beat.C:
		case <-followed:
			return
		case <-s.stopping:
			return
		case <-ctx.Done():
			return
		}
		if !stillIn() || out.send(next) != nil {
			return // the client went away or is too slow; it comes back with its Last-Event-ID
		}
	}
}

// forward hands entries to the goroutine that writes, one at a time: a slow reader
// holds up its own Follow, and nothing piles up.
func forward(ctx context.Context, events chan<- event) func(uint64, bridge.Entry) error {
	return func(seq uint64, e bridge.Entry) error {
		next := event{name: "message", seq: seq}
		switch e.Kind {
		case bridge.EntryMT, bridge.EntryMO:
			next.data = messageOf(e)
		case bridge.EntryStatus:
			next.name = "status"
			next.data = change{ID: e.ID, Phone: &e.Phone, At: stamp(e.At), status: *statusOf(e)}
		default:
			return nil // of a later version
		}
		select {
		case events <- next:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startOf tells after which entry a stream starts, and whether that is where the client
// left off. A place beyond the end is of a log that is no more. In a log that is
// still empty there is no place to name, and Follow begins when it begins, a moment
// later; what comes in that moment the client finds by reading after the ready event.
func (s *Server) startOf(r *http.Request) (after uint64, resumed bool, err error) {
	end, err := s.cfg.Log.LogEnd(r.Context())
	if err != nil {
		return 0, false, err
	}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return end, false, nil
	}
	last, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false, problem(reasonMalformed, "Last-Event-ID must be the id of an event of this stream.")
	}
	if last == 0 || last > end {
		return end, false, nil
	}
	return last, true, nil
}

// eventWriter writes an event stream (WHATWG HTML, 9.2.5).
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (o *eventWriter) begin(after uint64, resumed bool) error {
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	o.w.WriteHeader(http.StatusOK)
	// The server's read deadline is for a request, and this one goes on.
	_ = o.control.SetReadDeadline(time.Time{})
	if _, err := fmt.Fprintf(o.w, "retry: %d\n", comeBackAfter.Milliseconds()); err != nil {
		return err
	}
	return o.send(event{name: "ready", seq: after, data: map[string]bool{"resumed": resumed}})
}

func (o *eventWriter) send(e event) error {
	data, err := json.Marshal(e.data)
	if err != nil {
		return err
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(sendWithin)) // a recorder in a test has none
	if e.seq > 0 {
		if _, err := fmt.Fprintf(o.w, "id: %d\n", e.seq); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(o.w, "event: %s\ndata: %s\n\n", e.name, data); err != nil {
		return err
	}
	return o.control.Flush()
}
