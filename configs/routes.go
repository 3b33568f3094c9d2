package configs

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsbridge/addressing"
)

// readRoutes reads which links serve whom. The links are known by now.
func (f *file) readRoutes(v value) {
	items, ok := v.list()
	if !ok {
		return
	}
	if v.given() && len(items) == 0 {
		v.problemf("is empty, so that nobody could write: add a route, or remove the line")
	}
	seen := make(map[string]string)
	for _, item := range items {
		s, ok := item.section()
		if !ok {
			continue
		}
		r := f.readRoute(s)
		s.close()
		key := fmt.Sprint(r.Prefix, r.Operators, r.Networks, r.Handles)
		if first, twice := seen[key]; twice {
			item.problemf("is for the same messages as %s and would never be used: remove one", first)
		}
		seen[key] = item.path
		f.cfg.Routes = append(f.cfg.Routes, r)
	}
}

func (f *file) readRoute(s *section) Route {
	r := Route{
		Prefix:    read(s, "prefix", prefix, ""),
		Operators: listOf(s.get("operators"), anyText),
		CostClass: read(s, "cost_class", slug, ""),
		Networks:  listOf(s.get("networks"), oneOf(addressing.NetworkXMPP, addressing.NetworkWeb, addressing.NetworkMatrix)),
	}
	handles, _ := s.get("handles").list()
	for _, v := range handles {
		if h, ok := parseValue(v, f.servedHandle(v)); ok {
			r.Handles = append(r.Handles, h)
		}
	}
	if v := s.get("operators"); v.given() {
		f.later = append(f.later, func() {
			if f.cfg.Portability == nil {
				v.problemf("nobody says which operator a number belongs to: add the section portability")
			}
		})
	}
	links := s.get("links")
	links.missing("name the links that carry these messages, such as [main, backup], or {main: 3, backup: 1} to share them out")
	if links.given() {
		r.Targets = f.readTargets(links)
	}
	return r
}

// readTargets reads a list, which is in order, or a mapping, which shares out.
func (f *file) readTargets(v value) []RouteTarget {
	var all []RouteTarget
	if s, shares := v.mapping(); shares {
		if len(s.entries) == 0 {
			v.problemf("is empty: name at least one link")
		}
		for _, key := range s.keys() {
			weight, ok := parseValue(s.get(key), integer(1, 1000))
			f.checkTarget(s.get(key), key)
			if ok {
				all = append(all, RouteTarget{Name: key, Weight: weight})
			}
		}
		return all
	}
	items, ok := v.list()
	if ok && len(items) == 0 {
		v.problemf("is empty: name at least one link")
	}
	for _, item := range items {
		name, ok := parseValue(item, slug)
		if !ok {
			continue
		}
		f.checkTarget(item, name)
		if slices.ContainsFunc(all, func(t RouteTarget) bool { return t.Name == name }) {
			item.problemf("%s stands twice: remove one", name)
		}
		all = append(all, RouteTarget{Name: name})
	}
	return all
}

// checkTarget notes a name that is no account or link that sends.
func (f *file) checkTarget(v value, name string) {
	var known []string
	for _, link := range f.cfg.SMSCs {
		if link.Bind == BindReceiver {
			continue
		}
		if link.Name == name || link.Account == name {
			return
		}
		known = append(known, link.Name)
	}
	hint := ""
	if near := nearest(name, known); near != "" {
		hint = "; did you mean " + near + "?"
	}
	v.problemf("%s is no link or account of smsc that can send%s", shown(name), hint)
}

var prefixPattern = regexp.MustCompile(`^\+?([1-9][0-9]{0,14})$`)

// prefix reads how an international number begins; it gives the digits.
func prefix(text string) (string, error) {
	m := prefixPattern.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("must be how an international number begins, such as +33 or +33692, got %s", shown(text))
	}
	return m[1], nil
}

// listOf reads each item of a list.
func listOf[T any](v value, parse parserOf[T]) []T {
	items, _ := v.list()
	var all []T
	for _, item := range items {
		if one, ok := parseValue(item, parse); ok {
			all = append(all, one)
		}
	}
	return all
}

func (f *file) readPortability(s *section) {
	f.cfg.Portability = &Portability{
		URL:     need(s, "url", lookupURL, "say where the look-up is, such as https://hlr.example.net/{msisdn}"),
		Field:   read(s, "field", anyText, ""),
		Timeout: read(s, "timeout", duration(50*time.Millisecond, time.Minute), 0),
		Keep:    read(s, "keep", duration(time.Minute, 30*day), 0),
		Max:     read(s, "max_numbers", integer(100, 10_000_000), 0),
	}
	if s.get("token").given() || s.get("token_file").given() {
		f.cfg.Portability.Token = f.secret(s, "token", "whoever runs the look-up gives it")
	}
}

func lookupURL(text string) (string, error) {
	const mark = "{msisdn}"
	u, err := url.Parse(strings.ReplaceAll(text, mark, "0"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("must be a URL such as https://hlr.example.net/%s", mark)
	case u.User != nil:
		return "", fmt.Errorf("must not have a name or a password in it: give a token")
	case !strings.Contains(text, mark):
		return "", fmt.Errorf("must have %s where the digits of the phone go, got %s", strconv.Quote(mark), shown(text))
	}
	return text, nil
}
