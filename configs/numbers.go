package configs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"smsbridge/addressing"
)

// readSharing reads the Numbers that several people have on one phone, and how long a pair
// of phone and Number is somebody's.
func (f *file) readSharing(s *section, seen map[addressing.Number]string) {
	n := &f.cfg.Numbers
	for _, item := range items(s.get("shared")) {
		if number, ok := parseValue(item, f.ownNumber(item, seen)); ok {
			n.Shared = append(n.Shared, number)
		}
	}
	n.Prefix = read(s, "prefix", prefixText, "")
	n.ReleaseAfter = read(s, "release_after", duration(2*day, 3650*day), 0)
	n.Rest = read(s, "rest", duration(time.Hour, 3650*day), 0)
	for _, item := range items(s.get("first_contact")) {
		sub, ok := item.section()
		if !ok {
			continue
		}
		number := need(sub, "number", addressing.ParseNumber, "say which number, such as +33700000001")
		inbox := need(sub, "inbox", f.inboxOrNobody(sub.get("inbox")), "say who gets the text, such as web:ann, or nobody")
		sub.close()
		if path, ours := seen[number]; !number.IsZero() && (!ours || strings.Contains(path, "dedicated")) {
			sub.get("number").problemf("%s is none of pool and shared: what comes over a dedicated number is its owner's", number)
		}
		if n.Inboxes == nil {
			n.Inboxes = make(map[addressing.Number]addressing.Handle)
		}
		if _, twice := n.Inboxes[number]; twice && !number.IsZero() {
			sub.get("number").problemf("%s stands twice: a number has one inbox", number)
		}
		n.Inboxes[number] = inbox
	}
	f.within(s, "keywords", f.readKeywords)
}

func items(v value) []value {
	all, _ := v.list()
	return all
}

func (f *file) inboxOrNobody(v value) parserOf[addressing.Handle] {
	handle := f.servedHandle(v)
	return func(text string) (addressing.Handle, error) {
		if text == "nobody" {
			return addressing.Handle{}, nil
		}
		return handle(text)
	}
}

// readKeywords reads words besides those that are known.
func (f *file) readKeywords(s *section) {
	all := addressing.DefaultKeywords()
	meaning := make(map[string]addressing.Keyword)
	for keyword, words := range all {
		for _, word := range words {
			meaning[word] = keyword
		}
	}
	for _, keyword := range []addressing.Keyword{addressing.KeywordStop, addressing.KeywordStart, addressing.KeywordHelp} {
		for _, item := range items(s.get(string(keyword))) {
			word, ok := parseValue(item, oneWord)
			if !ok {
				continue
			}
			if other, known := meaning[word]; known && other != keyword {
				item.problemf("%q means %s already: a word has one meaning", word, other)
			}
			meaning[word] = keyword
			all[keyword] = append(all[keyword], word)
		}
	}
	f.cfg.Numbers.Keywords = all
}

func oneWord(text string) (string, error) {
	word := strings.ToLower(strings.TrimSpace(text))
	if word == "" || len(strings.Fields(word)) != 1 {
		return "", fmt.Errorf("must be one word, got %s", shown(text))
	}
	return word, nil
}

func prefixText(text string) (string, error) {
	if !strings.Contains(text, "{name}") {
		return "", errors.New(`must say who writes: put {name} where the person's name stands, as in "From {name}: "`)
	}
	return text, nil
}
