package ops_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"smsbridge/addressing"
	"smsbridge/ops"
)

// provisioning is a server whose Book has +33700000001 in the pool and +33700000009 for ann.
type provisioning struct {
	t      *testing.T
	base   string
	book   *addressing.Book
	audits *trail
}

func newProvisioning(t *testing.T) *provisioning {
	t.Helper()
	directory, err := addressing.NewDirectory(t.Context(), &notes{values: map[string][]byte{}, revs: map[string]uint64{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	book, err := addressing.NewBook(&memory{records: map[addressing.MSISDN]addressing.Record{}}, addressing.Config{
		Dedicated: map[addressing.Number]addressing.Handle{own: ann}, Pool: []addressing.Number{shared}, Directory: directory,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &provisioning{t: t, book: book, audits: &trail{}}
	p.base = serve(t, ops.Config{Book: book, Audit: p.audits})
	return p
}

func (p *provisioning) post(query string, body io.Reader) (status int, answer string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+"/admin/v1/provision"+query, body)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	status, _, answer = do(p.t, request)
	return status, answer
}

// send numbers the rows from line 2 on, as those of a file.
func (p *provisioning) send(query string, rows ...ops.Row) (made ops.Provisioned) {
	p.t.Helper()
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].Line = i + 2
	}
	data, err := json.Marshal(ops.Rows{File: "people.csv", Rows: rows})
	if err != nil {
		p.t.Fatal(err)
	}
	status, answer := p.post(query, strings.NewReader(string(data)))
	if status != http.StatusOK {
		p.t.Fatalf("%d %s", status, answer)
	}
	decode(p.t, answer, &made)
	return made
}

// state is all that a file can change.
func (p *provisioning) state() string {
	p.t.Helper()
	conversations, err := p.book.Conversations(p.t.Context(), phone)
	optouts, err2 := p.book.Optouts(p.t.Context(), phone)
	numbers, err3 := p.book.Numbers(p.t.Context())
	if err := errors.Join(err, err2, err3); err != nil {
		p.t.Fatal(err)
	}
	data, err := json.Marshal([]any{conversations, optouts, numbers, p.book.Directory().Registered()})
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// TestProvision: each kind of row is made once, and one that is wrong is named with its column; a
// dry run says the same, and changes nothing.
func TestProvision(t *testing.T) {
	for _, tt := range []struct {
		name    string
		row     ops.Row
		column  string // empty: it is made
		problem string
	}{
		{name: "number", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000002", Use: "pool"}},
		{name: "number of one's own", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000002", Handle: "web:zoe"}},
		{name: "no number", row: ops.Row{Kind: ops.RowNumber, Use: "pool"}, column: "number", problem: "Say which"},
		{name: "number without use", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000002"}, column: "use", problem: "Say pool or shared"},
		{name: "number of the configuration", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000001", Use: "pool"}, column: "number", problem: "is in the configuration"},
		{name: "number with a phone", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000002", Use: "pool", Phone: "+33612345678"}, column: "phone", problem: "leave it empty"},
		{name: "second number of one's own", row: ops.Row{Kind: ops.RowNumber, Number: "+33700000002", Handle: "web:ann"}, column: "number", problem: "has a number of its own"},
		{name: "conversation", row: ops.Row{Kind: ops.RowConversation, Phone: "+33612345678", Handle: "web:zoe", Number: "+33700000001"}},
		{name: "conversation over any number", row: ops.Row{Kind: ops.RowConversation, Phone: "+33612345678", Handle: "web:zoe"}},
		{name: "conversation of nobody", row: ops.Row{Kind: ops.RowConversation, Phone: "+33612345678"}, column: "handle", problem: "Say whose"},
		{name: "conversation with no phone", row: ops.Row{Kind: ops.RowConversation, Phone: "x", Handle: "web:zoe"}, column: "phone"},
		{name: "conversation over another's number", row: ops.Row{Kind: ops.RowConversation, Phone: "+33612345678", Handle: "web:zoe", Number: "+33700000009"}, column: "number", problem: "own number of web:ann"},
		{name: "opt-out", row: ops.Row{Kind: ops.RowOptout, Phone: "+33612345678", Handle: "web:zoe"}},
		{name: "opt-out of everybody", row: ops.Row{Kind: ops.RowOptout, Phone: "+33612345678"}},
		{name: "opt-out over a number", row: ops.Row{Kind: ops.RowOptout, Phone: "+33612345678", Number: "+33700000001"}, column: "number", problem: "leave it empty"},
		{name: "handle", row: ops.Row{Kind: ops.RowHandle, Handle: "web:zoe"}},
		{name: "no handle", row: ops.Row{Kind: ops.RowHandle}, column: "handle", problem: "Say whom"},
		{name: "handle of no network", row: ops.Row{Kind: ops.RowHandle, Handle: "irc:zoe"}, column: "handle", problem: "xmpp"},
		{name: "no kind", row: ops.Row{Kind: "person"}, column: "kind", problem: "none of number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvisioning(t)
			check := func(what string, made ops.Provisioned, changed, unchanged int) {
				t.Helper()
				if tt.column == "" {
					if made.Changed != changed || made.Unchanged != unchanged || len(made.Bad) != 0 {
						t.Errorf("%s: %+v", what, made)
					}
				} else if made.Changed+made.Unchanged != 0 || len(made.Bad) != 1 || made.Bad[0].Line != 2 || made.Bad[0].Column != tt.column || !strings.Contains(made.Bad[0].Problem, tt.problem) {
					t.Errorf("%s: %+v", what, made)
				}
			}
			before := p.state()
			check("dry", p.send("?dry_run=true", tt.row), 1, 0)
			if after := p.state(); after != before || len(p.audits.all) != 0 {
				t.Errorf("a dry run changed %s to %s; on record: %+v", before, after, p.audits.all)
			}
			check("real", p.send("", tt.row), 1, 0)
			if changed := p.state() != before; changed != (tt.column == "") {
				t.Errorf("changed: %v", changed)
			}
			check("dry again", p.send("?dry_run=true", tt.row), 0, 1)
			check("again", p.send("", tt.row), 0, 1)
		})
	}
}

// TestProvisionIsOnRecord: who made what, and again where lines were wrong; without a record
// nothing is made.
func TestProvisionIsOnRecord(t *testing.T) {
	p := newProvisioning(t)
	good := ops.Row{Kind: ops.RowHandle, Handle: "web:zoe"}
	p.send("", good, ops.Row{Kind: ops.RowHandle})
	if len(p.audits.all) != 2 {
		t.Fatalf("on record: %+v", p.audits.all)
	}
	first, second := p.audits.all[0], p.audits.all[1]
	if first.Action != "provision" || !strings.HasPrefix(first.Subject, "people.csv, lines 2 to 3, sha256 ") || first.Failed != "" || first.By == "" {
		t.Errorf("on record: %+v", first)
	}
	if second.Subject != first.Subject || second.Failed != "1 of the lines were wrong and are not made" {
		t.Errorf("on record: %+v", second)
	}

	p = newProvisioning(t)
	p.audits.broken = errors.New("away")
	before := p.state()
	if status, answer := p.post("", strings.NewReader(`{"rows":[{"kind":"handle","handle":"web:zoe"}]}`)); status != 503 || !strings.Contains(answer, "nothing was changed") || p.state() != before {
		t.Errorf("%d %s", status, answer)
	}
}

// TestProvisionRefuses a body that it cannot take as a whole.
func TestProvisionRefuses(t *testing.T) {
	row := `{"kind":"handle","handle":"web:zoe"}`
	for _, tt := range []struct{ name, body string }{
		{"no body", ""},
		{"no JSON", "kind,phone"},
		{"no rows", `{"rows":[]}`},
		{"too many rows", `{"rows":[` + strings.Repeat(row+",", ops.MaxRows) + row + `]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvisioning(t)
			before := p.state()
			status, answer := p.post("", strings.NewReader(tt.body))
			if status != http.StatusBadRequest || !strings.Contains(answer, "send 1 to 1000 rows") || p.state() != before || len(p.audits.all) != 0 {
				t.Errorf("%d %s; on record: %+v", status, answer, p.audits.all)
			}
		})
	}
}

// TestDryRunSeesTheLinesBefore: what clashes in a file clashes in its dry run, as in the real one.
func TestDryRunSeesTheLinesBefore(t *testing.T) {
	const ph = "+33612345678"
	for _, tt := range []struct {
		name    string
		rows    []ops.Row
		column  string // of the last row; empty: it is made
		problem string
	}{
		{name: "one number for two", column: "number", problem: "is with this phone web:zoe's", rows: []ops.Row{
			{Kind: ops.RowConversation, Phone: ph, Handle: "web:zoe", Number: "+33700000001"},
			{Kind: ops.RowConversation, Phone: ph, Handle: "web:yan", Number: "+33700000001"},
		}},
		{name: "no number is left", column: "handle", problem: "every number is in use", rows: []ops.Row{
			{Kind: ops.RowConversation, Phone: ph, Handle: "web:zoe"},
			{Kind: ops.RowConversation, Phone: ph, Handle: "web:yan"},
		}},
		{name: "two numbers of one's own", column: "number", problem: "has a number of its own", rows: []ops.Row{
			{Kind: ops.RowNumber, Number: "+33700000002", Handle: "web:zoe"},
			{Kind: ops.RowNumber, Number: "+33700000003", Handle: "web:zoe"},
		}},
		{name: "a number for two uses", column: "number", problem: "was added as pool", rows: []ops.Row{
			{Kind: ops.RowNumber, Number: "+33700000002", Use: "pool"},
			{Kind: ops.RowNumber, Number: "+33700000002", Use: "shared"},
		}},
		{name: "over a number of a line before", rows: []ops.Row{
			{Kind: ops.RowNumber, Number: "+33700000002", Use: "pool"},
			{Kind: ops.RowConversation, Phone: ph, Handle: "web:zoe", Number: "+33700000002"},
		}},
		{name: "a name of two", column: "handle", problem: "@zoe is web:zoe", rows: []ops.Row{
			{Kind: ops.RowHandle, Handle: "web:zoe"},
			{Kind: ops.RowHandle, Handle: "xmpp:zoe@corp.example"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvisioning(t)
			before := p.state()
			dry := p.send("?dry_run=true", tt.rows...)
			if after := p.state(); after != before {
				t.Errorf("a dry run changed %s to %s", before, after)
			}
			made := p.send("", tt.rows...)
			if made.Changed != dry.Changed || made.Unchanged != dry.Unchanged || !slices.Equal(made.Bad, dry.Bad) {
				t.Errorf("dry: %+v\nreal: %+v", dry, made)
			}
			if tt.column == "" {
				if len(made.Bad) != 0 || made.Changed != 2 {
					t.Errorf("%+v", made)
				}
			} else if len(made.Bad) != 1 || made.Changed != 1 || made.Bad[0].Line != 3 || made.Bad[0].Column != tt.column || !strings.Contains(strings.ToLower(made.Bad[0].Problem), tt.problem) {
				t.Errorf("%+v", made)
			}
		})
	}
}

// TestLaterLineIsWrong: of two lines that give one number to two people, and of two that give one person
// two numbers, the later is wrong, however many lines are made at once.
func TestLaterLineIsWrong(t *testing.T) {
	p := newProvisioning(t)
	const pairs = 150
	number := func(n int) string { return fmt.Sprintf("+3370001%04d", n) }
	var rows []ops.Row
	var want []int
	for n := range pairs {
		rows = append(rows, ops.Row{Kind: ops.RowNumber, Number: number(n), Handle: fmt.Sprintf("web:first%d", n)})
	}
	for n := range pairs {
		rows = append(rows, ops.Row{Kind: ops.RowNumber, Number: number(n), Handle: fmt.Sprintf("web:second%d", n)})
		want = append(want, len(rows)+1)
	}
	for n := range pairs { // its number is of the first lines, its person of the second, and neither has it
		rows = append(rows, ops.Row{Kind: ops.RowNumber, Number: number(pairs + n), Handle: fmt.Sprintf("web:second%d", n)})
	}
	for n := range pairs {
		rows = append(rows, ops.Row{Kind: ops.RowNumber, Number: number(2*pairs + n), Handle: fmt.Sprintf("web:first%d", n)})
		want = append(want, len(rows)+1)
	}
	made := p.send("", rows...)
	var bad []int
	for _, b := range made.Bad {
		bad = append(bad, b.Line)
	}
	if !slices.Equal(bad, want) || made.Changed != 2*pairs {
		t.Errorf("%d made; bad lines %v, want %v", made.Changed, bad, want)
	}
}
