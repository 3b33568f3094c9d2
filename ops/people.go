package ops

import (
	"context"
	"fmt"
	"net/http"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// OptoutList is the body of /admin/v1/optouts.
type OptoutList struct {
	Optouts []addressing.Optout `json:"optouts"`
	More    int                 `json:"more"` // that are left out
}

// listOptouts lists those of one phone, or of all: every record is read then.
func (s *Server) listOptouts(w http.ResponseWriter, r *http.Request) {
	list := OptoutList{Optouts: []addressing.Optout{}}
	add := func(o addressing.Optout) bool {
		if len(list.Optouts) < maxConversations {
			list.Optouts = append(list.Optouts, o)
		} else {
			list.More++
		}
		return true
	}
	var err error
	if text := r.URL.Query().Get("phone"); text == "" {
		err = s.cfg.Book.RangeOptouts(r.Context(), add)
	} else {
		phone, ok := s.phone(w, r)
		if !ok {
			return
		}
		var all []addressing.Optout
		all, err = s.cfg.Book.Optouts(r.Context(), phone)
		for _, o := range all {
			add(o)
		}
	}
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "the opt-outs cannot be read, see /readyz: "+err.Error())
		return
	}
	s.reply(w, http.StatusOK, list)
}

func (s *Server) addOptout(w http.ResponseWriter, r *http.Request) {
	s.setOptout(w, r, bridge.ActionOptout, true)
}

func (s *Server) endOptout(w http.ResponseWriter, r *http.Request) {
	s.setOptout(w, r, bridge.ActionOptoutEnded, false)
}

// setOptout is about one handle, or without any about everybody.
func (s *Server) setOptout(w http.ResponseWriter, r *http.Request, action string, stop bool) {
	phone, ok := s.phone(w, r)
	if !ok {
		return
	}
	var h addressing.Handle
	who := "everybody"
	if r.URL.Query().Get("handle") != "" {
		if h, ok = s.handle(w, r, "handle"); !ok {
			return
		}
		who = h.String()
	}
	s.change(w, r, action, phone.String()+" "+who, func(ctx context.Context) (bool, error) {
		return s.cfg.Book.SetOptout(ctx, phone, h, stop)
	})
}

func (s *Server) release(w http.ResponseWriter, r *http.Request) {
	phone, ok := s.phone(w, r)
	if !ok {
		return
	}
	h, ok := s.handle(w, r, "handle")
	if !ok {
		return
	}
	s.change(w, r, bridge.ActionRelease, fmt.Sprintf("%s %s", h, phone), func(ctx context.Context) (bool, error) {
		return s.cfg.Book.Release(ctx, h, phone)
	})
}

// phone reads the parameter phone, and refuses the request where it is none.
func (s *Server) phone(w http.ResponseWriter, r *http.Request) (addressing.MSISDN, bool) {
	phone, err := addressing.ParseMSISDN(r.URL.Query().Get("phone"), s.cfg.Region)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "phone: "+addressing.Explain(err))
	}
	return phone, err == nil
}

// handle reads a parameter that is a handle, and refuses the request where it is none.
func (s *Server) handle(w http.ResponseWriter, r *http.Request, name string) (addressing.Handle, bool) {
	h, err := addressing.ParseHandle(r.URL.Query().Get(name))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, name+": "+addressing.Explain(err))
	}
	return h, err == nil
}
