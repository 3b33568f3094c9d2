package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader collects the problems of a file while its settings are read.
type reader struct {
	name     string
	source   source
	problems []Problem
}

func (r *reader) problem(path string, at *token.Token, text string) {
	p := Problem{File: r.name, Path: path, Text: text}
	if at != nil && at.Position != nil {
		p.Line, p.Column = at.Position.Line, at.Position.Column
		p.Excerpt = r.source.excerpt(p.Line, p.Column)
	}
	r.problems = append(r.problems, p)
}

// value is a place in the file: a setting that is there, or one that could be.
type value struct {
	r    *reader
	path string
	node ast.Node     // nil where the setting is not there
	at   *token.Token // where the value is, or what it is missing from
}

func (v value) given() bool { return v.node != nil }

func (v value) problemf(format string, args ...any) {
	v.r.problem(v.path, v.at, fmt.Sprintf(format, args...))
}

// text gives a scalar as it is written; it notes a problem where v is none.
func (v value) text() (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		// As written, not as YAML reads it: +33612345678 is no integer to us, nor is 0612.
		return n.GetToken().Value, true
	default:
		v.wrongKind("a single value")
		return "", false
	}
}

// list gives the items of a list, none where v is not there; it notes a problem, and
// tells, where v is something else.
func (v value) list() ([]value, bool) {
	if !v.given() {
		return nil, true
	}
	n, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.wrongKind("a list: put each item on a line of its own after a dash")
		return nil, false
	}
	items := make([]value, len(n.Values))
	for i, item := range n.Values {
		items[i] = value{r: v.r, path: fmt.Sprintf("%s[%d]", v.path, i), node: item, at: startOf(item)}
	}
	return items, true
}

func (v value) wrongKind(want string) {
	switch v.node.(type) {
	case *ast.NullNode:
		v.problemf("is empty: give it a value, or remove the line")
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		v.problemf("YAML anchors and aliases are not supported: write the value out")
	case *ast.TagNode:
		v.problemf("YAML tags are not supported: write the value alone")
	default:
		v.problemf("must be %s", want)
	}
}

// section is a mapping whose settings are being read.
type section struct {
	value
	entries map[string]entry
	known   []string // the keys that were asked for
}

type entry struct {
	key  *token.Token
	node ast.Node
}

// section reads v as a mapping. Where it is none, that is noted, and the section has
// no settings and reports none as missing.
func (v value) section() (*section, bool) {
	s := &section{value: v, entries: make(map[string]entry)}
	var pairs []*ast.MappingValueNode
	switch n := v.node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		v.wrongKind("settings of the form `name: value`")
		return s, false
	}
	for _, pair := range pairs {
		key := pair.Key.GetToken()
		if _, merge := pair.Key.(*ast.MergeKeyNode); merge {
			v.r.problem(v.path, key, "YAML anchors and aliases are not supported: write the settings out")
			return s, false
		}
		if first, twice := s.entries[key.Value]; twice {
			v.r.problem(join(v.path, key.Value), key, fmt.Sprintf("is set twice, first in line %d: remove one", first.key.Position.Line))
			continue
		}
		s.entries[key.Value] = entry{key: key, node: pair.Value}
	}
	return s, true
}

// mapping is section for a value that may be something else, which is no problem here.
func (v value) mapping() (*section, bool) {
	switch v.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return v.section()
	default:
		return nil, false
	}
}

// keys gives the keys of a mapping whose keys are the operator's own, in order.
func (s *section) keys() []string { return slices.Sorted(maps.Keys(s.entries)) }

// get gives the setting key, which is thereby a known one.
func (s *section) get(key string) value {
	if !slices.Contains(s.known, key) {
		s.known = append(s.known, key)
	}
	v := value{r: s.r, path: join(s.path, key), at: s.at}
	if e, given := s.entries[key]; given {
		v.node, v.at = e.node, startOf(e.node)
		if _, null := e.node.(*ast.NullNode); null {
			v.at = e.key // an empty value stands nowhere
		}
	}
	return v
}

// close notes the keys that nobody asked for.
func (s *section) close() {
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		if slices.Contains(s.known, key) {
			continue
		}
		hint := "the settings here are " + strings.Join(s.known, ", ")
		if near := nearest(key, s.known); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		s.r.problem(join(s.path, key), s.entries[key].key, "there is no such setting; "+hint)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// startOf is the first token of a node: that of a mapping is otherwise its colon.
func startOf(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// nearest is the candidate that key is most likely a misspelling of, or nothing.
func nearest(key string, candidates []string) string {
	best, distance := "", 1+max(1, len(key)/3)
	for _, c := range candidates {
		if d := edits(strings.ToLower(key), c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
