package ops

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// This file serves what tells an operator at a glance how the daemon is.

// Findings is the body of /admin/v1/findings.
type Findings struct {
	At time.Time `json:"at"`
	// Summary is the worst of them in a sentence, or says that all is well.
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings"` // the worst first; empty where all is well
}

func (s *Server) watchRoutes(mux *router) {
	if s.cfg.History == nil {
		return
	}
	mux.HandleFunc("GET /admin/v1/history", s.history)
	mux.HandleFunc("GET /admin/v1/findings", s.findings)
	mux.Handle("GET /{$}", s.page)
	mux.Handle("GET /static/", s.page)
}

func (s *Server) findings(w http.ResponseWriter, r *http.Request) {
	c := s.cfg.History.condition(r.Context())
	if s.cfg.Control != nil {
		c.routes = s.cfg.Control.Routes()
	}
	c.holds = s.holds()
	found := diagnose(c)
	s.reply(w, http.StatusOK, Findings{At: c.now.UTC(), Summary: c.summary(found), Findings: found})
}

// condition reads how the daemon is now.
func (h *History) condition(ctx context.Context) condition {
	p, queue, err := h.now(ctx)
	c := condition{now: p.at, points: append(h.kept(), p), queue: queue, queueErr: err}
	if h.src.Links != nil {
		c.links = h.src.Links()
		c.unbound = h.notice(c.links)
	}
	if h.src.Messengers != nil {
		c.messengers = h.src.Messengers()
	}
	c.elsewhere = h.hear()
	return c
}

// hear keeps when other instances last had a receipt of each account: those that are gone say it no more.
func (h *History) hear() map[string]time.Time {
	if h.src.ReceiptsElsewhere == nil {
		return nil
	}
	now := h.src.ReceiptsElsewhere()
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]time.Time)
	maps.Copy(all, h.elsewhere)
	for account, at := range now {
		if at.After(all[account]) {
			all[account] = at
		}
	}
	h.elsewhere = all
	return all
}

// notice keeps since when links are not bound: a link that is tried again and again has each
// try for its state.
func (h *History) notice(links []LinkState) map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := make(map[string]time.Time)
	for _, l := range links {
		if l.bound() {
			continue
		}
		if at, known := h.unbound[l.Name]; known {
			now[l.Name] = at
		} else {
			now[l.Name] = l.Since
		}
	}
	h.unbound = now
	return now
}
