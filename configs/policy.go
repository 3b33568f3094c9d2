package configs

import (
	"smsbridge/addressing"
	"smsbridge/bridge"
)

// acceptance is which numbers may be written to.
type acceptance string

const (
	acceptPossible acceptance = "possible"
	acceptValid    acceptance = "valid"
)

// action is what a rule does.
type action string

const (
	actionAllow action = "allow"
	actionDeny  action = "deny"
)

// mostConversations bounds a record: it lists the phones.
const mostConversations = 5000

// readPolicy reads who may text whom.
func (f *file) readPolicy(s *section) {
	p := &f.cfg.Policy
	p.Conversations = read(s, "max_conversations", integer(1, mostConversations), 0)
	p.OpenFor = read(s, "open_for", duration(2*day, 3650*day), 0)
	if v := s.get("open_for"); v.given() && !s.get("max_conversations").given() {
		v.problemf("does nothing without max_conversations: add that, or remove the line")
	}
	rules := s.get("rules")
	items, ok := rules.list()
	if ok && rules.given() && len(items) == 0 {
		rules.problemf("is empty: add a rule, or remove the line")
	}
	all := "" // the rule that fits everything
	for _, item := range items {
		sub, ok := item.section()
		if !ok {
			continue
		}
		if all != "" {
			item.problemf("is never reached: %s fits everything", all)
		}
		r := f.readRule(sub)
		sub.close()
		if !sub.get("handles").given() && !sub.get("networks").given() && !sub.get("prefixes").given() && all == "" {
			all = item.path
		}
		p.Rules = append(p.Rules, r)
	}
}

func (f *file) readRule(s *section) bridge.Rule {
	for _, key := range []string{"handles", "networks", "prefixes"} {
		v := s.get(key)
		if items, ok := v.list(); ok && v.given() && len(items) == 0 {
			v.problemf("is empty, and would fit nothing: name something, or remove it")
		}
	}
	return bridge.Rule{
		Deny:     need(s, "action", oneOf(actionAllow, actionDeny), "say what the rule does: allow or deny") == actionDeny,
		Handles:  listOf(s.get("handles"), addressing.ParsePattern),
		Networks: listOf(s.get("networks"), oneOf(addressing.NetworkXMPP, addressing.NetworkWeb, addressing.NetworkMatrix)),
		Prefixes: listOf(s.get("prefixes"), prefix),
	}
}
