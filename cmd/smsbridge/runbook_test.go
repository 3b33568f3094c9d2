package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestRunbookCommands: what docs/operations.md has one type in an incident is a command that there is.
func TestRunbookCommands(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    smsbridge (.+)$`).FindAllStringSubmatch(string(page), -1)
	if len(lines) < 30 {
		t.Fatalf("only %d commands are found", len(lines))
	}
	for _, line := range lines {
		parser, err := kong.New(&cli{}, kong.Name("smsbridge"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(line[1])); err != nil {
			t.Errorf("smsbridge %s: %v", line[1], err)
		}
	}
}
