package addressing

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Keyword is what a phone asks the bridge, rather than a person.
type Keyword string

// The keywords.
const (
	NoKeyword      Keyword = ""
	KeywordStop    Keyword = "stop"
	KeywordStopAll Keyword = "stop_all"
	KeywordStart   Keyword = "start"
	KeywordHelp    Keyword = "help"
)

// Keywords are the words that mean each of STOP, START and HELP. STOP ALL is a word of STOP
// with one that means all behind it.
type Keywords map[Keyword][]string

// DefaultKeywords are the English, French and Spanish words: those that operators' codes
// of conduct name, without such that people use in talk.
func DefaultKeywords() Keywords {
	return Keywords{
		KeywordStop:  {"stop", "unsubscribe", "arret", "stopper", "desabonner", "parar", "baja", "alto"},
		KeywordStart: {"start", "unstop", "reprendre", "reabonner", "iniciar", "alta"},
		KeywordHelp:  {"help", "aide", "ayuda"},
	}
}

// allWords behind a word of STOP make it hold for everybody.
var allWords = []string{"all", "tout", "tous", "todo", "todos"}

// Find tells which keyword a text is: all of it, but for blanks around it, case and
// accents. Behind a word of STOP a name may stand, as at the start of any text to a shared
// Number; it is returned as rest: "STOP @ann", "STOP #2".
func (k Keywords) Find(text string) (found Keyword, rest string) {
	words := strings.Fields(folded(text))
	if len(words) == 0 || len(words) > 2 {
		return NoKeyword, ""
	}
	for _, keyword := range []Keyword{KeywordStop, KeywordStart, KeywordHelp} {
		if !slices.ContainsFunc(k[keyword], func(w string) bool { return folded(w) == words[0] }) {
			continue
		}
		switch {
		case len(words) == 1:
			return keyword, ""
		case keyword == KeywordStop && slices.Contains(allWords, words[1]):
			return KeywordStopAll, ""
		case keyword == KeywordStop && (words[1][0] == '@' || words[1][0] == '#'):
			return KeywordStop, words[1]
		}
	}
	return NoKeyword, ""
}

// folded makes texts comparable that differ in case, accents and blanks around them.
func folded(s string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn))), s)
	if err != nil {
		plain = s
	}
	return strings.TrimSpace(strings.ToLower(plain))
}
