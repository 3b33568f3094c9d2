package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile is the largest file in bytes: far beyond any real one.
const maxFile = 1 << 20

// Load reads and checks the file at path. The error is an [*Error] where the file
// could be read and is wrong, and otherwise one of package os.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configs: the configuration cannot be read: %w; `smsbridge check --example` prints one to start from", err)
	}
	return Parse(path, data)
}

// Parse checks data, the content of the file name; relative paths in it start at that
// file's folder. It reads the files and the environment variables which data names for
// secrets and certificates. The error is an [*Error].
func Parse(name string, data []byte) (*Config, error) {
	r := &reader{name: name, source: newSource(data)}
	if len(data) > maxFile {
		r.problem("", nil, fmt.Sprintf("the file is larger than %d bytes: is it the right one?", maxFile))
		return nil, &Error{Problems: r.problems}
	}
	cfg := &Config{Source: SourceOf(name, data)}
	if root, ok := r.root(data); ok {
		f := &file{reader: r, dir: filepath.Dir(name), cfg: cfg}
		f.read(root)
		f.check()
	}
	if len(r.problems) > 0 {
		sortProblems(r.problems)
		return nil, &Error{Problems: r.problems}
	}
	return cfg, nil
}

// root parses the YAML and gives its one mapping.
func (r *reader) root(data []byte) (*section, bool) {
	// Keys that stand twice are found by section, which reports them with all the rest.
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var wrong yaml.Error
		if !errors.As(err, &wrong) {
			r.problem("", nil, "is not YAML: "+err.Error())
			return nil, false
		}
		message := strings.ReplaceAll(wrong.GetMessage(), "'\t'", "TAB (indent with spaces)")
		r.problem("", wrong.GetToken(), "is not YAML: "+message)
		return nil, false
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			r.problem("", startOf(doc.Body), "a second document begins here: a configuration is one document, remove the line ---")
			return nil, false
		}
		body = doc.Body
	}
	top := &token.Token{Position: &token.Position{Line: 1, Column: 1}}
	if body == nil {
		r.problem("", top, "the file has no settings: start from the example, which `smsbridge check --example` prints")
		return nil, false
	}
	return value{r: r, node: body, at: top}.section()
}
