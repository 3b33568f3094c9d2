package ops

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// NumberList is the body of /admin/v1/numbers.
type NumberList struct {
	Numbers []addressing.NumberView `json:"numbers"`
}

// HandleList is the body of /admin/v1/handles: what operators have decided about handles.
type HandleList struct {
	Gone   []addressing.GoneHandle `json:"gone"`   // names that nobody may use
	Blocks []addressing.Block      `json:"blocks"` // who may not write to whom
	// Registered are the names by which phones may write to somebody first.
	Registered []addressing.Registered `json:"registered"`
}

// scanTimeout is for answers that every record of a phone is read for, some 100,000 a second.
const scanTimeout = 10 * time.Minute

// patiently lets an answer take that long.
func patiently(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scanTimeout)) // or the usual time holds
}

func (s *Server) listNumbers(w http.ResponseWriter, r *http.Request) {
	patiently(w)
	all, err := s.cfg.Book.Numbers(r.Context())
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "the conversations cannot be read, see /readyz: "+err.Error())
		return
	}
	s.reply(w, http.StatusOK, NumberList{Numbers: append([]addressing.NumberView{}, all...)})
}

func (s *Server) listHandles(w http.ResponseWriter, _ *http.Request) {
	d := s.cfg.Book.Directory()
	s.reply(w, http.StatusOK, HandleList{
		Gone: append([]addressing.GoneHandle{}, d.GoneHandles()...), Blocks: d.Blocks(), Registered: append([]addressing.Registered{}, d.Registered()...),
	})
}

func (s *Server) addNumber(w http.ResponseWriter, r *http.Request) {
	n, ok := s.number(w, r)
	if !ok {
		return
	}
	var h addressing.Handle
	use := r.URL.Query().Get("use")
	switch use {
	case addressing.UseDedicated:
		if h, ok = s.handle(w, r, "handle"); !ok {
			return
		}
	case addressing.UsePool, addressing.UseShared:
	default:
		s.refuse(w, http.StatusBadRequest, "use must be pool, shared or dedicated")
		return
	}
	subject := strings.TrimSpace(n.String() + " " + use + " " + h.String())
	s.change(w, r, bridge.ActionNumberAdd, subject, func(ctx context.Context) (bool, error) {
		return s.cfg.Book.AddNumber(ctx, n, use, h)
	})
}

func (s *Server) retireNumber(w http.ResponseWriter, r *http.Request) {
	n, ok := s.number(w, r)
	if !ok {
		return
	}
	undo, action := s.flag(r, "undo"), bridge.ActionRetire
	if undo {
		action = bridge.ActionUnretire
	}
	s.change(w, r, action, n.String(), func(ctx context.Context) (bool, error) { return s.cfg.Book.Retire(ctx, n, undo) })
}

func (s *Server) renameHandle(w http.ResponseWriter, r *http.Request) {
	from, ok := s.handle(w, r, "from")
	if !ok {
		return
	}
	to, ok := s.handle(w, r, "to")
	if !ok {
		return
	}
	patiently(w)
	s.change(w, r, bridge.ActionRename, from.String()+" "+to.String(), func(ctx context.Context) (bool, error) {
		return true, s.cfg.Book.Rename(ctx, from, to, s.flag(r, "merge"))
	})
}

// aboutHandle makes a change to the handle that the request names.
func (s *Server) aboutHandle(action string, do func(context.Context, *addressing.Directory, addressing.Handle) (bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h, ok := s.handle(w, r, "handle"); ok {
			s.change(w, r, action, h.String(), func(ctx context.Context) (bool, error) { return do(ctx, s.cfg.Book.Directory(), h) })
		}
	}
}

// setBlock blocks handles, or does not any more.
func (s *Server) setBlock(action string, do func(*addressing.Directory, context.Context, addressing.Pattern, string) (bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pattern, err := addressing.ParsePattern(r.URL.Query().Get("handles"))
		if err != nil {
			s.refuse(w, http.StatusBadRequest, "handles: "+addressing.Explain(err))
			return
		}
		subject, prefix := pattern.String(), ""
		if to := r.URL.Query().Get("to"); to != "" {
			if prefix, err = addressing.ParsePrefix(to); err != nil {
				s.refuse(w, http.StatusBadRequest, "to: "+addressing.Explain(err))
				return
			}
			subject += " to +" + prefix
		}
		if subject == "*" {
			s.refuse(w, http.StatusBadRequest, "that would be everybody to every phone: say which handles, or which phones with to; to end all traffic, stop the daemon")
			return
		}
		s.change(w, r, action, subject, func(ctx context.Context) (bool, error) {
			return do(s.cfg.Book.Directory(), ctx, pattern, prefix)
		})
	}
}

// register has phones reach a handle by a name, its own unless the request has another.
func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	h, ok := s.handle(w, r, "handle")
	if !ok {
		return
	}
	name := strings.TrimPrefix(cmp.Or(r.URL.Query().Get("name"), h.Name()), "@")
	s.change(w, r, bridge.ActionRegister, "@"+name+" "+h.String(), func(ctx context.Context) (bool, error) {
		return s.cfg.Book.Register(ctx, name, h)
	})
}

func (s *Server) unregister(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Query().Get("name"), "@")
	s.change(w, r, bridge.ActionUnregister, "@"+name, func(ctx context.Context) (bool, error) {
		return s.cfg.Book.Directory().Unregister(ctx, name)
	})
}

func (s *Server) nameRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /admin/v1/numbers":        s.addNumber,
		"POST /admin/v1/numbers/retire": s.retireNumber,
		"POST /admin/v1/handles/rename": s.renameHandle,
		"DELETE /admin/v1/handles": s.aboutHandle(bridge.ActionRemove, func(ctx context.Context, d *addressing.Directory, h addressing.Handle) (bool, error) {
			return true, d.Remove(ctx, h)
		}),
		"POST /admin/v1/handles/restore": s.aboutHandle(bridge.ActionRestore, func(ctx context.Context, d *addressing.Directory, h addressing.Handle) (bool, error) {
			return d.Restore(ctx, h)
		}),
		"POST /admin/v1/handles/reuse": s.aboutHandle(bridge.ActionReuse, func(ctx context.Context, d *addressing.Directory, h addressing.Handle) (bool, error) {
			return d.Reuse(ctx, h)
		}),
		"POST /admin/v1/registered":   s.register,
		"DELETE /admin/v1/registered": s.unregister,
		"POST /admin/v1/blocks":       s.setBlock(bridge.ActionBlock, (*addressing.Directory).Block),
		"DELETE /admin/v1/blocks":     s.setBlock(bridge.ActionUnblock, (*addressing.Directory).Unblock),
	}
}

// number reads the parameter number, and refuses the request where it is none.
func (s *Server) number(w http.ResponseWriter, r *http.Request) (addressing.Number, bool) {
	n, err := addressing.ParseNumber(r.URL.Query().Get("number"))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "number: "+addressing.Explain(err))
	}
	return n, err == nil
}

func (s *Server) flag(r *http.Request, name string) bool { return r.URL.Query().Get(name) == "true" }
