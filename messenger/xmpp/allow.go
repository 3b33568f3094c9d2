package xmpp

import (
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

// allowList says who may write to phones.
type allowList struct {
	everybody bool
	domains   map[string]bool
	people    map[string]bool
}

// parseAllow reads the patterns of [Config.Allow].
func parseAllow(patterns []string, domain string) (allowList, error) {
	if len(patterns) == 0 {
		_, above, found := strings.Cut(domain, ".")
		if !found {
			return allowList{}, fmt.Errorf("xmpp: allow: no domain stands above %s, so it must be said who may write: like *@corp.example", domain)
		}
		return allowList{domains: map[string]bool{above: true}}, nil
	}
	l := allowList{domains: map[string]bool{}, people: map[string]bool{}}
	for i, p := range patterns {
		if p == "*" {
			l.everybody = true
			continue
		}
		name, _, _ := strings.Cut(p, "@")
		j, err := jid.Parse(strings.TrimPrefix(p, "*@"))
		switch {
		case err != nil || j.Resourcepart() != "" || (name == "*") == (j.Localpart() != ""):
			return allowList{}, fmt.Errorf("xmpp: allow[%d]: %q matches nobody: write ann@corp.example, *@corp.example, or * for everybody", i, p)
		case name == "*":
			l.domains[j.Domainpart()] = true
		default:
			l.people[j.String()] = true
		}
	}
	return l, nil
}

func (l allowList) permits(j jid.JID) bool {
	return l.everybody || l.domains[j.Domainpart()] || l.people[j.Bare().String()]
}
