package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/configs"
	"smsbridge/ops"
	"smsbridge/smpp"
)

// reloader reads the configuration file again while the daemon runs: when it is told to, by
// SIGHUP, and when the file has changed. It implements [ops.Reloader].
type reloader struct {
	app *app
	log zerolog.Logger
	hup <-chan os.Signal // nil: no signals
	// watch tells whether the file itself is watched.
	watch bool

	one     sync.Mutex // one reload at a time
	current *configs.Config
	tried   configs.Source // what was read last, right or wrong

	mu    sync.Mutex
	state ops.ConfigState
}

// newReloader makes a reloader of the file that cfg was read from.
func newReloader(a *app, cfg *configs.Config) *reloader {
	now := time.Now().UTC()
	return &reloader{app: a, log: room(a.log, "configs"), current: cfg, tried: cfg.Source, state: ops.ConfigState{OK: true, At: now, Loaded: now}}
}

// State tells what became of the last reading.
func (r *reloader) State() ops.ConfigState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Reload reads the file and puts it in place, all of it or nothing.
func (r *reloader) Reload(context.Context) ([]ops.SettingChange, error) {
	r.one.Lock()
	defer r.one.Unlock()
	tellReloading(r.log)
	changes, err := r.reload()
	r.note(err)
	if err != nil {
		tellReady(r.log, "Serving, but the configuration file was refused when it was last read.")
		return nil, err
	}
	tellReady(r.log, statusServing)
	all := make([]ops.SettingChange, len(changes))
	for i, c := range changes {
		r.log.Info().Str("setting", c.Setting).Str("to", c.To).Str("from", c.From).Msg("a setting has changed")
		all[i] = ops.SettingChange{Setting: c.Setting, From: c.From, To: c.To}
	}
	r.log.Info().Int("changes", len(changes)).Msg("the configuration was reloaded")
	return all, nil
}

func (r *reloader) reload() ([]configs.Change, error) {
	data, err := os.ReadFile(r.current.Source.File)
	if err != nil {
		return nil, fmt.Errorf("the configuration file cannot be read, and nothing was changed: %w", err)
	}
	r.tried = configs.SourceOf(r.current.Source.File, data)
	next, err := configs.Parse(r.current.Source.File, data)
	if err != nil {
		return nil, err
	}
	changes := configs.Diff(r.current, next)
	if err := needsRestart(changes); err != nil {
		return nil, err
	}
	apply, err := r.app.prepare(r.current, next, changes)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be put in place, and nothing was changed: %w", err)
	}
	apply()
	r.current = next
	return changes, nil
}

// needsRestart refuses what is read once: half of a file in use would be neither the old nor the new.
func needsRestart(changes []configs.Change) error {
	var once []string
	for _, c := range changes {
		if c.NeedsRestart() {
			once = append(once, "\n  "+c.String())
		}
	}
	if len(once) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was changed, since these settings are read when the daemon starts; put them back, or restart the daemon:%s", strings.Join(once, ""))
}

// note keeps what became of a reading, and says aloud what is wrong with the file.
func (r *reloader) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now().UTC()
	r.state.At, r.state.OK, r.state.Error = now, err == nil, ""
	if err == nil {
		r.state.Loaded = now
		r.state.Reloads++
		return
	}
	r.state.Error = err.Error()
	r.state.Refused++
	wrong, ok := errors.AsType[*configs.Error](err)
	if !ok {
		r.log.Error().Err(err).Msg("the configuration was not reloaded; the one before it stays in use")
		return
	}
	for _, p := range wrong.Problems {
		r.log.Error().Str("file", p.File).Int("line", p.Line).Str("setting", p.Path).Str("problem", p.Text).
			Msg("the configuration was not reloaded; the one before it stays in use")
	}
}

// watchEvery is how often the file is looked at. One that changes must be the same twice in a row:
// it may be half written the first time.
const watchEvery = 2 * time.Second

// run reloads by signal and by change until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	every := time.NewTicker(watchEvery)
	defer every.Stop()
	if !r.watch {
		every.Stop()
	}
	var seen configs.Source
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.hup:
			r.log.Info().Msg("SIGHUP: the configuration is read again")
		case <-every.C:
			if !r.changed(&seen) {
				continue
			}
			r.log.Info().Msg("the configuration file has changed and is read again")
		}
		_, _ = r.Reload(ctx) // the log and the metrics have what is wrong
	}
}

// changed tells whether the file is another than was read last, and as it was when last seen. One that is
// away is being replaced.
func (r *reloader) changed(seen *configs.Source) bool {
	r.one.Lock()
	defer r.one.Unlock()
	data, err := os.ReadFile(r.tried.File)
	if err != nil {
		return false
	}
	now := configs.SourceOf(r.tried.File, data)
	settled := now == *seen
	*seen = now
	return settled && now != r.tried
}

// prepare checks next against all rooms. apply, which cannot fail, puts it in place; before
// that nothing has changed.
func (a *app) prepare(current, next *configs.Config, changes []configs.Change) (apply func(), err error) {
	keep := a.unchanged(current, changes)
	lookup := a.lookup
	if slices.ContainsFunc(changes, func(c configs.Change) bool { return within(c, "portability") }) {
		if lookup, err = newLookup(next, a.log); err != nil {
			return nil, err
		}
	}
	cfg, byName, err := a.linksConfig(next, keep, lookup)
	if err != nil {
		return nil, err
	}
	links, err := a.links.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	hub, err := a.hub.Prepare(hubConfig(next, a.log, nil))
	if err != nil {
		return nil, err
	}
	book, err := a.hub.Book.Prepare(bookConfig(next))
	if err != nil {
		return nil, err
	}
	people := func() {}
	if a.web != nil {
		w := webConfig(next, a.log, nil, history{})
		if people, err = a.web.PreparePeople(w.Users, w.Tokens); err != nil {
			return nil, err
		}
	}
	return func() {
		book()
		hub()
		people()
		a.reader.Store(newReader(next))
		links.Apply()
		a.byName, a.lookup = byName, lookup
		if current.Log.Level != next.Log.Level {
			zerolog.SetGlobalLevel(next.Log.Level)
		}
	}, nil
}

// unchanged are the links that stay as they are, by name: those of entries of which nothing
// changes but the rate, which is the account's, or the number of binds.
func (a *app) unchanged(current *configs.Config, changes []configs.Change) map[string]*smpp.Link {
	keep := make(map[string]*smpp.Link)
	for _, s := range current.SMSCs {
		entry := "smsc." + s.Name
		if slices.ContainsFunc(changes, func(c configs.Change) bool {
			return within(c, entry) && c.Setting != entry+".rate" && c.Setting != entry+".binds"
		}) {
			continue
		}
		for _, name := range linkNames(s) {
			keep[name] = a.byName[name]
		}
	}
	return keep
}

// within tells whether a change is of a section, or in it.
func within(c configs.Change, section string) bool {
	return c.Setting == section || strings.HasPrefix(c.Setting, section+".")
}
