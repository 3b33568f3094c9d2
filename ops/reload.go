package ops

import (
	"context"
	"net/http"
	"time"

	"smsbridge/bridge"
)

// ConfigState is what became of the configuration file when it was last read.
type ConfigState struct {
	OK bool `json:"ok"` // it is in use
	// At is when it was last read.
	At time.Time `json:"at"`
	// Error says what is wrong with it; the configuration before it is in use then.
	Error string `json:"error,omitempty"`
	// Loaded is when the configuration that is in use was read.
	Loaded time.Time `json:"loaded"`
	// Reloads and Refused count since the daemon started.
	Reloads uint64 `json:"reloads"`
	Refused uint64 `json:"refused"`
}

// SettingChange is a setting that a reload changed, as a log may have it: secrets are hidden.
type SettingChange struct {
	Setting string `json:"setting"` // such as smsc.main.window
	From    string `json:"from"`
	To      string `json:"to"`
}

// Reloaded is the body of /admin/v1/reload.
type Reloaded struct {
	Changes []SettingChange `json:"changes"` // none: the file says what it said before
}

// Reloader reads the configuration file again.
type Reloader interface {
	// Reload puts the file in place, or tells what is wrong with it and changes nothing.
	Reload(ctx context.Context) ([]SettingChange, error)
	State() ConfigState
}

// noFile is what the demo says.
const noFile = "this daemon runs without a configuration file, as smsbridge demo does: there is nothing to read again"

func (s *Server) getReload(w http.ResponseWriter, _ *http.Request) {
	if s.cfg.Reloader == nil {
		s.refuse(w, http.StatusNotFound, noFile)
		return
	}
	s.reply(w, http.StatusOK, s.cfg.Reloader.State())
}

// reload is a change like others, but that what is wrong is in the file.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Reloader == nil {
		s.refuse(w, http.StatusNotFound, noFile)
		return
	}
	ctx := context.WithoutCancel(r.Context())
	a := bridge.Audit{V: auditVersion, At: time.Now().UTC(), By: operator(r), Action: "reload", Subject: "the configuration"}
	if err := s.cfg.Audit.KeepAudit(ctx, a); err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "nothing was changed, since it cannot be put on record, see /readyz: "+err.Error())
		return
	}
	changes, err := s.cfg.Reloader.Reload(ctx)
	if err != nil {
		a.Failed = err.Error()
		if lost := s.cfg.Audit.KeepAudit(ctx, a); lost != nil {
			s.cfg.Logger.Error().Err(lost).Str("action", a.Action).Msg("not on record that a change by an operator failed")
		}
		s.refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.reply(w, http.StatusOK, Reloaded{Changes: append([]SettingChange{}, changes...)})
}
