package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"smsbridge/ops"
)

// table reads rows from CSV (RFC 4180), with commas, or with semicolons as some
// spreadsheets write it. It holds one line at a time.
type table struct {
	csv     *csv.Reader
	columns []string
}

var knownColumns = []string{"kind", "phone", "handle", "number", "use"}

// newTable reads the line that names the columns.
func newTable(in io.Reader) (*table, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	head, err := buffered.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\uFEFF")) { // a byte order mark
		_, _ = buffered.Discard(len("\uFEFF"))
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	t := &table{csv: csv.NewReader(buffered)}
	if !bytes.Contains(first, []byte(",")) && bytes.Contains(first, []byte(";")) {
		t.csv.Comma = ';'
	}
	t.csv.ReuseRecord, t.csv.FieldsPerRecord = true, -1
	fields, err := t.csv.Read()
	if err != nil {
		return nil, fmt.Errorf("the first line must name the columns, such as kind,phone,handle,number: %w", err)
	}
	for _, field := range fields {
		name := strings.ToLower(strings.TrimSpace(field))
		if !slices.Contains(knownColumns, name) {
			return nil, fmt.Errorf("the first line has a column %q: name the columns kind, phone, handle, number and use, those that are needed", field)
		}
		if slices.Contains(t.columns, name) {
			return nil, fmt.Errorf("the first line names the column %s twice", name)
		}
		t.columns = append(t.columns, name)
	}
	if !slices.Contains(t.columns, "kind") {
		return nil, errors.New("the first line names no column kind: each line says in it what it is, number, conversation or optout")
	}
	return t, nil
}

// offset is how much of the file was read, in bytes.
func (t *table) offset() int64 { return t.csv.InputOffset() }

// next gives the next rows, at most n lines, and those lines that are none. At the end the
// error is io.EOF.
func (t *table) next(n int) (rows []ops.Row, bad []ops.BadRow, err error) {
	for range n {
		fields, err := t.csv.Read()
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			bad = append(bad, ops.BadRow{Line: wrong.Line, Column: fmt.Sprint(wrong.Column), Problem: quoting(wrong.Err)})
			continue
		}
		if err != nil {
			return rows, bad, err
		}
		line, _ := t.csv.FieldPos(0)
		if row, problem := t.row(line, fields); problem != nil {
			bad = append(bad, *problem)
		} else {
			rows = append(rows, row)
		}
	}
	return rows, bad, nil
}

func quoting(err error) string {
	return fmt.Sprintf("The line is no CSV (%v). Put what has quotation marks between quotation marks, and write each of its own twice.", err)
}

func (t *table) row(line int, fields []string) (row ops.Row, problem *ops.BadRow) {
	if len(fields) != len(t.columns) {
		return row, &ops.BadRow{Line: line, Column: fmt.Sprint(len(fields)), Problem: fmt.Sprintf("The line has %d columns, and the first line names %d.", len(fields), len(t.columns))}
	}
	row.Line = line
	for i, field := range fields {
		if !utf8.ValidString(field) {
			return row, &ops.BadRow{Line: line, Column: t.columns[i], Problem: "It is not UTF-8: save the file as UTF-8."}
		}
		value := strings.Clone(strings.TrimSpace(field)) // the field shares its memory with the whole line
		switch t.columns[i] {
		case "kind":
			row.Kind = strings.ToLower(value)
		case "phone":
			row.Phone = value
		case "handle":
			row.Handle = value
		case "number":
			row.Number = value
		case "use":
			row.Use = strings.ToLower(value)
		}
	}
	return row, nil
}
