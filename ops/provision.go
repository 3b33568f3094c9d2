package ops

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// This file makes many numbers, conversations and opt-outs at a time.

// The kinds of rows.
const (
	RowNumber       = "number"       // a Number of the bridge, for a use; or for a handle of its own
	RowConversation = "conversation" // a handle has a phone, over a Number or over that which the bridge chooses
	RowOptout       = "optout"       // a phone gets nothing from a handle, or from anybody
	RowHandle       = "handle"       // a handle is registered: phones may write to it first, by its name
)

// Bounds of one request to /admin/v1/provision.
const (
	MaxRows      = 1000
	maxRowsBytes = 4 << 20
	rowsAtOnce   = 512
	maxFileName  = 100
)

// Row is one thing to make. What its kind does not need must be empty.
type Row struct {
	Line   int    `json:"line"` // where it comes from, for the report
	Kind   string `json:"kind"`
	Phone  string `json:"phone,omitempty"`
	Handle string `json:"handle,omitempty"`
	Number string `json:"number,omitempty"`
	Use    string `json:"use,omitempty"` // of a number: pool, shared or dedicated; default dedicated where it has a handle
}

// Rows is the body of a request to /admin/v1/provision.
type Rows struct {
	File string `json:"file"` // what they come from, for the audit
	Rows []Row  `json:"rows"` // at most MaxRows
}

// BadRow is a row of which nothing was made.
type BadRow struct {
	Line    int    `json:"line"`
	Column  string `json:"column"`
	Problem string `json:"problem"` // what is wrong and what to do
}

// Provisioned is the body of the answer. Each row is made as a whole or not at all.
type Provisioned struct {
	Changed   int      `json:"changed"`
	Unchanged int      `json:"unchanged"` // they were so before
	Bad       []BadRow `json:"bad"`       // in the order of the request
}

func (s *Server) provision(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRowsBytes))
	var rows Rows
	if err == nil {
		err = json.Unmarshal(data, &rows)
	}
	if err != nil || len(rows.Rows) == 0 || len(rows.Rows) > MaxRows {
		s.refuse(w, http.StatusBadRequest, fmt.Sprintf("send 1 to %d rows as JSON, at most %d MiB: smsbridge provision does", MaxRows, maxRowsBytes>>20))
		return
	}
	dry := r.URL.Query().Get("dry_run") == "true"
	a := bridge.Audit{
		V: auditVersion, At: time.Now().UTC(), By: operator(r), Action: bridge.ActionProvision,
		Subject: fmt.Sprintf("%s, lines %d to %d, sha256 %x", fileName(rows.File), rows.Rows[0].Line, rows.Rows[len(rows.Rows)-1].Line, sha256.Sum256(data)),
	}
	book := s.cfg.Book
	if dry {
		book = book.Trial() // so that a line clashes with those before it as it will
	} else {
		if err := s.cfg.Audit.KeepAudit(r.Context(), a); err != nil {
			s.refuse(w, http.StatusServiceUnavailable, "nothing was changed, since it cannot be put on record, see /readyz: "+err.Error())
			return
		}
	}
	report, err := s.makeRows(context.WithoutCancel(r.Context()), book, rows.Rows)
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "some of these lines may not have been made, see /readyz and try again: "+err.Error())
		return
	}
	if n := len(report.Bad); n > 0 && !dry {
		a.Failed = fmt.Sprintf("%d of the lines were wrong and are not made", n)
		if err := s.cfg.Audit.KeepAudit(context.WithoutCancel(r.Context()), a); err != nil {
			s.cfg.Logger.Error().Err(err).Msg("not on record that lines of a file were wrong")
		}
	}
	s.reply(w, http.StatusOK, report)
}

// fileName is what was said, without what a terminal would obey.
func fileName(name string) string {
	name = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(name, ""))
	if runes := []rune(name); len(runes) > maxFileName {
		name = string(runes[:maxFileName])
	}
	return name
}

// makeRows makes runs of rows of one kind, one after the other, since conversations need the
// numbers before them. Those of a run are made at once, and those of one phone or person in order.
// The error is the store's: of the rows some may be made then.
func (s *Server) makeRows(ctx context.Context, book *addressing.Book, rows []Row) (Provisioned, error) {
	report := Provisioned{Bad: []BadRow{}}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Kind == rows[0].Kind {
			n++
		}
		outcomes := s.makeRun(ctx, book, rows[:n])
		for i, o := range outcomes {
			var bad *rowError
			switch {
			case errors.As(o.err, &bad):
				report.Bad = append(report.Bad, BadRow{Line: rows[i].Line, Column: bad.column, Problem: addressing.Explain(bad.err)})
			case o.err != nil:
				return report, o.err
			case o.changed:
				report.Changed++
			default:
				report.Unchanged++
			}
		}
		rows = rows[n:]
	}
	return report, nil
}

type outcome struct {
	changed bool
	err     error
}

// makeRun makes rows of one kind.
func (s *Server) makeRun(ctx context.Context, book *addressing.Book, rows []Row) []outcome {
	outcomes := make([]outcome, len(rows))
	plans := make([]plan, len(rows))
	for i, row := range rows {
		var p plan
		if p, outcomes[i].err = s.plan(row); outcomes[i].err == nil {
			plans[i] = p
		}
	}
	var working sync.WaitGroup
	for _, lane := range lanesOf(plans) {
		working.Go(func() {
			for _, i := range lane {
				outcomes[i].changed, outcomes[i].err = plans[i].do(ctx, book)
			}
		})
	}
	working.Wait()
	return outcomes
}

// lanesOf gives the rows that can be read, in lanes of which each is made in order: rows that have a
// key in common are in one, so that of two that clash the later is wrong. There are rowsAtOnce at most.
func lanesOf(plans []plan) [][]int {
	first := make(map[string]int)      // by key, the first row that has it
	belongs := make([]int, len(plans)) // to an earlier row; to itself where it has nothing in common with one
	root := func(i int) int {
		for belongs[i] != i {
			i = belongs[i]
		}
		return i
	}
	for i, p := range plans {
		belongs[i] = i
		for _, key := range p.keys {
			other, ok := first[key]
			if !ok {
				first[key] = i
				continue
			}
			a, b := root(i), root(other)
			belongs[max(a, b)] = min(a, b)
		}
	}
	lanes, laneOf := make([][]int, 0, rowsAtOnce), make(map[int]int)
	for i, p := range plans {
		if p.do == nil {
			continue
		}
		lane, ok := laneOf[root(i)]
		if !ok {
			lane = len(laneOf) % rowsAtOnce
			laneOf[root(i)] = lane
		}
		if lane == len(lanes) {
			lanes = append(lanes, nil)
		}
		lanes[lane] = append(lanes[lane], i)
	}
	return lanes
}

// plan is a row that can be read; one that cannot has nothing to do. Those that have a key in common
// are made in order.
type plan struct {
	keys []string
	do   func(ctx context.Context, book *addressing.Book) (changed bool, err error)
}

// rowError says in which column of a row something is wrong.
type rowError struct {
	column string
	err    error
}

func (e *rowError) Error() string { return e.column + ": " + e.err.Error() }

func wrongRow(column, format string, args ...any) error {
	return &rowError{column, fmt.Errorf("%w: "+format, append([]any{addressing.ErrInvalid}, args...)...)}
}

// inColumn tells what is wrong with a row from what is wrong with the store.
func inColumn(column string, err error) error {
	if errors.Is(err, addressing.ErrInvalid) {
		return &rowError{column, err}
	}
	return err
}

func (s *Server) plan(row Row) (plan, error) {
	columns := map[string]string{"phone": row.Phone, "handle": row.Handle, "number": row.Number, "use": row.Use}
	unused := func(names ...string) error {
		for _, name := range names {
			if columns[name] != "" {
				return wrongRow(name, "a line of kind %s has no %s: leave it empty", row.Kind, name)
			}
		}
		return nil
	}
	var phone addressing.MSISDN
	var h addressing.Handle
	var n addressing.Number
	var err error
	if row.Handle != "" {
		if h, err = addressing.ParseHandle(row.Handle); err != nil {
			return plan{}, inColumn("handle", err)
		}
	}
	if row.Number != "" {
		if n, err = addressing.ParseNumber(row.Number); err != nil {
			return plan{}, inColumn("number", err)
		}
	}
	if row.Kind == RowConversation || row.Kind == RowOptout {
		if phone, err = addressing.ParseMSISDN(row.Phone, s.cfg.Region); err != nil {
			return plan{}, inColumn("phone", err)
		}
	}
	switch row.Kind {
	case RowNumber:
		return planNumber(n, h, row.Use, unused("phone"))
	case RowConversation:
		if h.IsZero() {
			return plan{}, wrongRow("handle", "say whose conversation it is, such as web:ann")
		}
		return plan{[]string{phone.String()}, func(ctx context.Context, book *addressing.Book) (bool, error) {
			return takeConversation(ctx, book, h, phone, n)
		}}, unused("use")
	case RowOptout:
		return plan{[]string{phone.String()}, func(ctx context.Context, book *addressing.Book) (bool, error) {
			changed, err := book.SetOptout(ctx, phone, h, true)
			return changed, inColumn("handle", err)
		}}, unused("number", "use")
	case RowHandle:
		if h.IsZero() {
			return plan{}, wrongRow("handle", "say whom phones may write to by name, such as web:ann")
		}
		return plan{[]string{h.Name()}, func(ctx context.Context, book *addressing.Book) (bool, error) {
			changed, err := book.Register(ctx, "", h)
			return changed, inColumn("handle", err)
		}}, unused("phone", "number", "use")
	default:
		return plan{}, wrongRow("kind", "%q is none of number, conversation, optout and handle", row.Kind)
	}
}

func planNumber(n addressing.Number, h addressing.Handle, use string, err error) (plan, error) {
	if use == "" && !h.IsZero() {
		use = addressing.UseDedicated
	}
	switch {
	case err != nil:
		return plan{}, err
	case n.IsZero():
		return plan{}, wrongRow("number", "say which, such as +33700000001 or 36180;phone-context=+33")
	case !slices.Contains([]string{addressing.UsePool, addressing.UseShared, addressing.UseDedicated}, use):
		return plan{}, wrongRow("use", "say pool or shared, or whose the number is in the column handle")
	}
	keys := []string{n.String()}
	if !h.IsZero() {
		keys = append(keys, h.String()) // a person has one number of their own
	}
	return plan{keys, func(ctx context.Context, book *addressing.Book) (bool, error) {
		changed, err := book.AddNumber(ctx, n, use, h)
		return changed, inColumn("number", err)
	}}, nil
}

func takeConversation(ctx context.Context, book *addressing.Book, h addressing.Handle, phone addressing.MSISDN, n addressing.Number) (bool, error) {
	if !n.IsZero() {
		changed, err := book.Take(ctx, h, phone, n)
		return changed, inColumn("number", err)
	}
	changed, err := book.TakeAny(ctx, h, phone)
	return changed, inColumn("handle", err)
}
