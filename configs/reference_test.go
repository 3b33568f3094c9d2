package configs_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"smsbridge/configs"
)

const referencePage = "../docs/configuration.md"

// TestConfigurationPage holds docs/configuration.md to the parser and to the example: `make docs` writes it.
func TestConfigurationPage(t *testing.T) {
	want := reference(t)
	if os.Getenv("SMSBRIDGE_WRITE_DOCS") != "" {
		if err := os.WriteFile(referencePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil || string(got) != want {
		t.Errorf("docs/configuration.md is not what the parser and the example say (error %v): run `make docs`", err)
	}
}

// setting is a line of the example that sets something, or could.
type setting struct {
	path  string // as the parser names it: smsc[0].tls.enabled
	line  int    // in the example, from 0
	depth int
	off   bool // behind a #: a default or an example
	value string
	says  []string // the comment before it, and behind it
}

var (
	keyLine = regexp.MustCompile(`^(\s*)(- )?("?[A-Za-z0-9_]+"?):(?:\s+(.*))?$`)
	remark  = regexp.MustCompile(`\s+#\s.*$`)
)

// reference is the page: what the example asks, and what the parser takes, for each setting.
func reference(t *testing.T) string {
	lines := strings.Split(configs.Example, "\n")
	plain := make([]string, len(lines))
	for i, line := range lines {
		plain[i] = commented.ReplaceAllString(line, "$1$2")
	}
	var b strings.Builder
	b.WriteString(`# Configuration

Made by ` + "`make docs`" + ` of the commented example (` + "`smsbridge check --example`" + `) and of what the parser says of a wrong
value; a test compares. Change those, not this page. ` + "`smsbridge check --config FILE`" + ` names every mistake of a file with its line.
Sizes are written 512MiB or 2GiB, durations 90s, 10m, 48h or 7d; relative paths start at the folder of the file. What stands as
"not set" may be left out: the value beside it is the default, or an example where the text says so.
`)
	for _, s := range settingsOf(lines, plain) {
		if s.depth == 0 {
			fmt.Fprintf(&b, "\n## %s\n\n", s.path)
		} else {
			fmt.Fprintf(&b, "\n### `%s`\n\n", strings.ReplaceAll(s.path, "[0]", "[]"))
		}
		if len(s.says) > 0 {
			b.WriteString(strings.Join(s.says, "\n") + "\n\n")
		}
		state := "set"
		if s.off {
			state = "not set"
		}
		if s.value != "" {
			fmt.Fprintf(&b, "- in the example, %s: `%s`\n", state, s.value)
		}
		if takes := taken(t, plain, s); takes != "" {
			fmt.Fprintf(&b, "- %s\n", takes)
		}
	}
	b.WriteString("\n## What each section knows\n\nAs the parser lists it, so that none is missing above:\n\n")
	for _, p := range unknownSettings(t) {
		_, known, _ := strings.Cut(p.Text, "the settings here are ")
		name := strings.TrimSuffix(strings.TrimSuffix(p.Path, "unheard_of"), ".")
		if name == "" {
			name = "the file"
		}
		fmt.Fprintf(&b, "- %s: `%s`\n", strings.ReplaceAll(name, "[0]", "[]"), strings.ReplaceAll(known, ", ", "`, `"))
	}
	return strings.ReplaceAll(b.String(), "\n\n\n", "\n\n")
}

// settingsOf reads the example line by line; a comment is of the setting after it.
func settingsOf(lines, plain []string) []setting {
	var (
		all  []setting
		says []string
		path []string // of the sections that are open
		at   []int    // and how far each is indented
	)
	for i, line := range plain {
		m := keyLine.FindStringSubmatch(line)
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			says = nil // a comment that belongs to no setting
			continue
		case m == nil && strings.HasPrefix(text, "#") && len(all) > 0 && strings.Index(line, "#") > at[len(at)-1]+8:
			last := &all[len(all)-1] // goes on behind its setting
			last.says = append(last.says, strings.TrimSpace(strings.TrimPrefix(text, "#")))
			continue
		case m == nil && strings.HasPrefix(text, "#"):
			says = append(says, strings.TrimSpace(strings.TrimPrefix(text, "#")))
			continue
		case m == nil: // an item of a list
			if n := len(all) - 1; n >= 0 {
				all[n].value = strings.TrimSpace(all[n].value + " " + remark.ReplaceAllString(text, ""))
			}
			continue
		}
		indent := len(m[1]) + len(m[2])
		for len(at) > 0 && at[len(at)-1] >= indent {
			at, path = at[:len(at)-1], path[:len(path)-1]
		}
		if m[2] != "" && len(path) > 0 && !strings.HasSuffix(path[len(path)-1], "[0]") {
			path[len(path)-1] += "[0]"
		}
		at, path = append(at, indent), append(path, strings.Trim(m[3], `"`))
		value := m[4]
		if behind := remark.FindString(" " + value); behind != "" {
			value = strings.TrimSpace(strings.TrimSuffix(" "+value, behind))
			says = append(says, strings.TrimPrefix(strings.TrimSpace(behind), "# "))
		}
		all = append(all, setting{
			path: strings.Join(path, "."), line: i, depth: len(path) - 1, off: line != lines[i], value: value, says: says,
		})
		says = nil
	}
	return all
}

// taken asks the parser what a setting takes, by way of a value that is none.
func taken(t *testing.T, plain []string, s setting) string {
	m := keyLine.FindStringSubmatch(plain[s.line])
	doc := slices.Clone(plain)
	if m[4] == "" || strings.HasPrefix(m[4], "#") {
		return "" // a section, or a list over several lines
	}
	doc[s.line] = m[1] + m[2] + m[3] + `: "\u0001 ?"`
	_, err := configs.Parse("reference.yaml", []byte(strings.Join(doc, "\n")))
	for _, p := range problems(t, err) {
		if p.Line != s.line+1 {
			continue
		}
		text, _, _ := strings.Cut(p.Text, ", got ")
		switch {
		case strings.HasPrefix(text, "must "), strings.HasPrefix(text, "needs "):
			return text
		case strings.HasPrefix(text, "cannot be read"):
			return "must be the path of a file that the daemon may read"
		}
	}
	return ""
}
