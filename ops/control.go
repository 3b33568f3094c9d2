package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"smsbridge/bridge"
)

// Holds keeps messages from links, routes and stages; the hub's [bridge.Holds] implements it.
type Holds interface {
	// Set holds something, or lets it go, and tells whether it was otherwise before.
	Set(ctx context.Context, kind bridge.HoldKind, name, by string, held bool) (changed bool, err error)
	// All gives what is held.
	All() []bridge.Hold
}

// Held tells by whom something is held and since when; the zero Held that it is not.
type Held struct {
	Held      bool      `json:"held"` // an operator has paused it
	HeldSince time.Time `json:"held_since,omitzero"`
	HeldBy    string    `json:"held_by,omitempty"`
}

// heldStages are those that can be paused.
var heldStages = []string{"mt", "mo", "out"}

// held finds a hold among all.
func held(all []bridge.Hold, kind bridge.HoldKind, name string) Held {
	for _, h := range all {
		if h.Kind == kind && h.Name == name {
			return Held{Held: true, HeldSince: h.At, HeldBy: h.By}
		}
	}
	return Held{}
}

// holds are all; none where nothing can be held.
func (s *Server) holds() []bridge.Hold {
	if s.cfg.Control == nil || s.cfg.Control.Holds == nil {
		return nil
	}
	return s.cfg.Control.Holds.All()
}

// heldWords are what is held, for /readyz: it does not make the daemon unready, since it is meant.
func (s *Server) heldWords() (all []string) {
	for _, h := range s.holds() {
		all = append(all, fmt.Sprintf("%s %s is paused since %s by %s", h.Kind, h.Name, stamp(h.At), h.By))
	}
	return all
}

// controlRoutes are those that change what is held, and bind links anew.
func (s *Server) controlRoutes() map[string]http.HandlerFunc {
	if s.cfg.Control == nil || s.cfg.Control.Holds == nil {
		return nil
	}
	routes := make(map[string]http.HandlerFunc)
	for action, hold := range map[string]bool{bridge.ActionPause: true, bridge.ActionResume: false} {
		for path, kind := range map[string]bridge.HoldKind{"links": bridge.HoldLink, "routes": bridge.HoldRoute, "stages": bridge.HoldStage} {
			routes["POST /admin/v1/"+path+"/{name}/"+action] = func(w http.ResponseWriter, r *http.Request) { s.setHeld(w, r, kind, action, hold) }
		}
	}
	routes["POST /admin/v1/links/{name}/rebind"] = s.rebindLinks
	if s.cfg.Control.Purge != nil {
		routes["POST /admin/v1/queue/purge"] = s.purge
	}
	if s.cfg.Control.Erase != nil {
		routes["POST /admin/v1/erase"] = s.erase
	}
	return routes
}

func (s *Server) setHeld(w http.ResponseWriter, r *http.Request, kind bridge.HoldKind, action string, hold bool) {
	names := s.named(kind, r.PathValue("name"))
	if len(names) == 0 && !hold {
		// What is not in the file any more can still be held.
		if h := held(s.holds(), kind, r.PathValue("name")); h.Held {
			names = []string{r.PathValue("name")}
		}
	}
	if len(names) == 0 {
		s.refuse(w, http.StatusNotFound, s.unnamed(kind))
		return
	}
	by := operator(r)
	s.change(w, r, action, string(kind)+" "+strings.Join(names, " "), func(ctx context.Context) (bool, error) {
		changedAny := false
		for _, name := range names {
			changed, err := s.cfg.Control.Holds.Set(ctx, kind, name, by, hold)
			if err != nil {
				return changedAny, err
			}
			changedAny = changedAny || changed
		}
		return changedAny, nil
	})
}

func (s *Server) rebindLinks(w http.ResponseWriter, r *http.Request) {
	names := s.named(bridge.HoldLink, r.PathValue("name"))
	if len(names) == 0 {
		s.refuse(w, http.StatusNotFound, s.unnamed(bridge.HoldLink))
		return
	}
	done := Done{Action: bridge.ActionRebind, Subject: "link " + strings.Join(names, " ")}
	if s.cfg.Instances != nil {
		if n := len(s.cfg.Instances()); n > 1 {
			done.Note = fmt.Sprintf("only this instance binds anew: each of the %d has binds of its own, so ask each that should", n)
		}
	}
	s.changeNoted(w, r, done, func(context.Context) (bool, error) {
		for _, name := range names {
			if !s.cfg.Control.Rebind(name) {
				return true, errors.New("the link " + name + " is not there any more")
			}
		}
		return true, nil
	})
}

// named are what a name means: of links the one that has it, else all of an account or an entry of the
// file that has; none where there is nothing of that name.
func (s *Server) named(kind bridge.HoldKind, name string) (all []string) {
	switch kind {
	case bridge.HoldStage:
		if slices.Contains(heldStages, name) {
			return []string{name}
		}
	case bridge.HoldRoute:
		if slices.ContainsFunc(s.cfg.Control.Routes(), func(r RouteState) bool { return r.Name == name }) {
			return []string{name}
		}
	case bridge.HoldLink:
		links := s.cfg.Control.Links()
		for _, of := range []func(LinkState) string{
			func(l LinkState) string { return l.Name },
			func(l LinkState) string { return l.Account },
			func(l LinkState) string { return l.Pool },
		} {
			for _, l := range links {
				if of(l) == name {
					all = append(all, l.Name)
				}
			}
			if len(all) > 0 {
				return all
			}
		}
	}
	return nil
}

// unnamed says that there is nothing of a name, and what there is.
func (s *Server) unnamed(kind bridge.HoldKind) string {
	switch kind {
	case bridge.HoldLink:
		return "there is no link or account of that name: smsbridge link ls lists them"
	case bridge.HoldRoute:
		return "there is no route of that name: smsbridge link ls lists them"
	default:
		return "there is no such stage: pause mt (to phones), mo (from SMSCs) or out (to messengers)"
	}
}
