package configs

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Error is everything that is wrong with a file.
type Error struct {
	Problems []Problem // at least one, in the order of the file
}

// Error lists the problems, each with its excerpt.
func (e *Error) Error() string {
	all := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p.String()
	}
	return strings.Join(all, "\n")
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 where it is about the file as a whole
	Path         string // of the setting, such as smsc[1].window; empty where it is about the YAML itself
	Text         string // what is wrong and what to do
	Excerpt      string // the line, with a mark under the column; secrets are hidden
}

// String gives "file:line:column: path: text", and the excerpt below.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Text)
	if p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	return b.String()
}

func sortProblems(all []Problem) {
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// source is the text of a file, to quote from.
type source struct {
	lines []string // secrets are hidden
}

// secretKey finds a setting whose value must not be shown, and where the value begins.
var secretKey = regexp.MustCompile(`(?i)(?:password|secret|hash|token|headers|\bkey)["']?\s*:\s*`)

// envValue is a value that only names the secret.
var envValue = regexp.MustCompile(`^["']?\$\{\w+\}["']?\s*$`)

// urlSecret finds the name and the password of a URL.
var urlSecret = regexp.MustCompile(`//[^/@\s]+@`)

// newSource takes data to pieces and hides what may be a secret: the rest of the
// line after such a key, and all lines below it that are further in, which belong to
// the same value. It goes by the look of the lines, so that it works on a file that
// is no YAML too.
func newSource(data []byte) source {
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	within := -1 // the indent of the secret's key, or -1
	for i, line := range lines {
		lines[i] = HideSecrets(line)
		indent := len(line) - len(strings.TrimLeft(line, " \t-"))
		if within >= 0 && (indent > within || strings.TrimSpace(line) == "") {
			lines[i] = line[:min(indent, len(line))] + hidden
			continue
		}
		within = -1
		if at := secretKey.FindStringIndex(line); at != nil && !envValue.MatchString(line[at[1]:]) {
			lines[i] = line[:at[1]] + hidden
			within = indent
		}
	}
	return source{lines: lines}
}

// HideSecrets hides the name and the password in a URL.
func HideSecrets(url string) string { return urlSecret.ReplaceAllString(url, "//"+hidden+"@") }

// maxExcerpt is the longest line that an excerpt shows, in characters.
const maxExcerpt = 120

// excerpt quotes a line and marks a column, both from 1.
func (s source) excerpt(line, column int) string {
	if line < 1 || line > len(s.lines) {
		return ""
	}
	text := []rune(strings.ToValidUTF8(s.lines[line-1], "\uFFFD"))
	from := 0
	if column > maxExcerpt {
		from = min(column-maxExcerpt/2, len(text))
	}
	text = text[from:]
	text = text[:min(len(text), maxExcerpt)]
	for i, r := range text {
		if r < ' ' || r == 0x7F { // a tab too, so that the mark stands right
			text[i] = ' '
		}
	}
	mark := strings.Repeat(" ", max(0, min(column-1-from, len(text)))) + "^"
	return fmt.Sprintf("%5d | %s\n      | %s", line, string(text), mark)
}
