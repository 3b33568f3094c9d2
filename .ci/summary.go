// Command summary reads what `go test -json` prints. It passes on what failing tests
// and packages say, then lists each skipped test with its reason, and ends with one
// line: how many tests passed, failed and were skipped, subtests included. Its exit
// code is 1 where something failed or where there was no test at all.
//
//	go test -json ./... | go run ./.ci
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is a line of test2json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
}

type summary struct {
	out                     io.Writer
	passed, failed, skipped int
	said                    map[string][]string // by package and test, until it has ended
	failedIn                map[string]bool     // packages in which a test failed
	skips                   []string
}

func main() {
	s := &summary{out: os.Stdout, said: map[string][]string{}, failedIn: map[string]bool{}}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err != nil {
			break
		}
	}
	os.Exit(s.end())
}

func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(s.out, "%s", line) // not of test2json: a message of the go command
		return
	}
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.said[id] = append(s.said[id], e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass", "fail", "skip":
		s.ended(id, e)
		delete(s.said, id)
	}
}

func (s *summary) ended(id string, e event) {
	switch {
	case e.Action == "fail":
		if e.Test != "" || !s.failedIn[e.Package] { // a package fails by itself where it does not build, or leaks
			s.failed++
		}
		s.failedIn[e.Package] = true
		fmt.Fprintf(s.out, "FAIL %s\n%s\n", id, strings.Join(s.said[id], ""))
	case e.Test == "":
		fmt.Fprintf(s.out, "%-4s %s\n", map[string]string{"pass": "ok", "skip": "none"}[e.Action], e.Package)
	case e.Action == "pass":
		s.passed++
	default:
		s.skipped++
		s.skips = append(s.skips, fmt.Sprintf("SKIP %s: %s", id, reason(s.said[id])))
	}
}

// reason is what a skipped test said, in one line and without the frame around it.
func reason(said []string) string {
	var words []string
	for _, line := range said {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "no reason is given"
	}
	return strings.Join(words, " ")
}

func (s *summary) end() int {
	slices.Sort(s.skips)
	for _, skip := range s.skips {
		fmt.Fprintln(s.out, skip)
	}
	for id, said := range s.said { // cut off: the process died
		if strings.HasSuffix(id, " ") {
			fmt.Fprint(s.out, strings.Join(said, ""))
		}
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.failed > 0 || s.passed == 0 {
		return 1
	}
	return 0
}
