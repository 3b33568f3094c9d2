package addressing

import (
	"fmt"
	"strings"
)

// Pattern matches handles. It is comparable; the zero value matches nobody.
type Pattern struct {
	network string // empty: any
	id      string // canonical, with a * for any characters, or none
}

// ParsePattern reads a handle in which each * stands for any characters, or none:
// xmpp:*@corp.example, web:*, matrix:@*:corp.example; * alone is everybody. What
// stands around the * is made canonical as in a handle. The error wraps [ErrInvalid].
func ParsePattern(s string) (Pattern, error) {
	in := strings.TrimSpace(s)
	if in == "*" {
		return Pattern{id: "*"}, nil
	}
	network, id, found := strings.Cut(in, ":")
	wrong := fmt.Errorf("%w: %q matches nobody: write it like xmpp:ann@corp.example, xmpp:*@corp.example, web:* or * for everybody", ErrInvalid, s)
	switch {
	case !found || network == NetworkXMPP && strings.Contains(id, "/"):
		return Pattern{}, wrong
	case id == "*" && (network == NetworkXMPP || network == NetworkWeb || network == NetworkMatrix):
		return Pattern{network: network, id: id}, nil
	}
	// Letters that stay what they are hold the place of the *. They begin with one that they
	// have once, so that they are found nowhere but where they were put.
	stars := strings.Count(id, "*")
	for place := "qx"; len(place) <= len(id)+2; place += "x" {
		h, err := NewHandle(network, strings.ReplaceAll(id, "*", place))
		if err != nil {
			return Pattern{}, wrong
		}
		if strings.Count(h.id, place) == stars {
			return Pattern{network: h.network, id: strings.ReplaceAll(h.id, place, "*")}, nil
		}
	}
	return Pattern{}, wrong
}

// String is the canonical form, which ParsePattern reads back.
func (p Pattern) String() string {
	if p.network == "" {
		return p.id
	}
	return p.network + ":" + p.id
}

// Match tells whether h is one of the handles that p stands for.
func (p Pattern) Match(h Handle) bool {
	if h.IsZero() || p.network != "" && p.network != h.network {
		return false
	}
	pieces := strings.Split(p.id, "*")
	rest, ok := strings.CutPrefix(h.id, pieces[0])
	if !ok || len(pieces) == 1 {
		return ok && rest == ""
	}
	last := len(pieces) - 1
	for _, piece := range pieces[1:last] {
		at := strings.Index(rest, piece)
		if at < 0 {
			return false
		}
		rest = rest[at+len(piece):]
	}
	return strings.HasSuffix(rest, pieces[last])
}
