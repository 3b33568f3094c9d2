package main

import (
	"cmp"
	"fmt"
	"strings"

	"smsbridge/configs"
)

// This file is what the daemon says of itself as it starts.

// announce logs what runs, in one line, and shows it to a person where one looks.
func (a *app) announce() {
	a.log.Info().Str("version", version()).Str("data_dir", a.cfg.DataDir).Str("durability", durability(a.cfg)).Strs("links", names(a.cfg)).
		Strs("messengers", a.messengers()).Str("ops", a.ops.Addr()).Str("config", a.cfg.Source.File).Msg("smsbridge is running")
	if a.greet != nil {
		fmt.Fprint(a.greet, a.banner())
	}
}

// banner is the same for a person, with what to do next.
func (a *app) banner() string {
	store := a.cfg.DataDir
	if a.cfg.Queue.URL != "" {
		store = "NATS at " + configs.HideSecrets(a.cfg.Queue.URL)
	}
	var links []string
	for _, s := range a.cfg.SMSCs {
		at := cmp.Or(s.Address, "which calls us")
		if s.Binds > 1 {
			at += ", " + count(s.Binds, "bind")
		}
		links = append(links, fmt.Sprintf("%s (%s)", s.Name, at))
	}
	ops := "http://" + a.ops.Addr()
	return fmt.Sprintf(`
smsbridge %s is running with %s

  messages    %s; what was accepted outlives %s
  links       %s
  messengers  %s
  operators   %s, with /readyz and /metrics

Next: smsbridge link ls --ops %s   shows whether the links are bound
      smsbridge reload --ops %s    puts a changed file in place
Ctrl-C stops in good order; a second one ends it at once.

`, version(), a.cfg.Source.File, store, outlived[configs.Durability(durability(a.cfg))], strings.Join(links, ", "),
		strings.Join(a.messengers(), ", "), ops, ops, ops)
}

var outlived = map[configs.Durability]string{
	configs.DurabilityPower:   "a loss of power",
	configs.DurabilityProcess: "the end of this program, but no loss of power",
	durabilityOfNATS:          "what the NATS servers do",
}

// durabilityOfNATS is that of servers elsewhere.
const durabilityOfNATS configs.Durability = "nats"

// durability is the one that counts.
func durability(cfg *configs.Config) string {
	if cfg.Queue.URL != "" {
		return string(durabilityOfNATS)
	}
	return string(cmp.Or(cfg.Queue.Durability, configs.DurabilityPower))
}

// names are the entries of the links.
func names(cfg *configs.Config) (all []string) {
	for _, s := range cfg.SMSCs {
		all = append(all, s.Name)
	}
	return all
}

// messengers are the networks that are served, and where.
func (a *app) messengers() (all []string) {
	if a.cfg.XMPP != nil {
		all = append(all, fmt.Sprintf("xmpp (%s at %s)", a.cfg.XMPP.Domain, a.cfg.XMPP.Server))
	}
	if a.webListener != nil {
		all = append(all, "web (http://"+a.webListener.Addr().String()+")")
	}
	return all
}
