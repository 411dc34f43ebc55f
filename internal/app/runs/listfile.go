package runs

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/limited"
)

// openList begins to read a list and returns the names of its columns in small letters. What spreadsheets make of a list is read too: in
// some countries they part cells by semicolons, and write UTF-16, or a mark of UTF-8.
func openList(from io.Reader) (rows *csv.Reader, columns []string, err error) {
	const most = 4096 // a line of column names has fewer bytes
	in := bufio.NewReaderSize(limited.Text(from), most)
	head, _ := in.Peek(most) // an error comes again
	if err := limited.Ended(head); err != nil {
		return nil, nil, err
	}
	head, _, _ = bytes.Cut(head, []byte("\n"))
	rows = csv.NewReader(in)
	for _, mark := range ";\t" {
		if bytes.Count(head, []byte(string(mark))) > bytes.Count(head, []byte(string(rows.Comma))) {
			rows.Comma = mark
		}
	}
	if columns, err = rows.Read(); err != nil {
		return nil, nil, fmt.Errorf("expected a line of column names, found %w", err)
	}
	for k, c := range columns {
		columns[k] = strings.ToLower(strings.TrimSpace(c))
	}
	return rows, columns, nil
}

// Columns refuses lists without these columns; see EachRow.
func Columns(needs ...string) func(head []string) error {
	return func(head []string) error {
		for _, c := range needs {
			if !slices.Contains(head, c) {
				return fmt.Errorf("expected a column %s, found %v", c, head)
			}
		}
		return nil
	}
}

// EachRow reads a list: it checks the names of its columns, in small letters, and visits its rows, counted from 1, with what looks up a
// cell by its column, if there is such a column. Errors name the list.
func EachRow(path string, from io.Reader, check func(head []string) error, visit func(row int, cell func(column string) (string, bool)) error) error {
	rows, head, err := openList(from)
	if err == nil {
		err = check(head)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for n := 1; ; n++ {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(n, func(column string) (string, bool) {
				at := slices.Index(head, column)
				if at < 0 {
					return "", false
				}
				return cells[at], true
			})
		}
		if err != nil {
			return fmt.Errorf("%s, row %d: %w", path, n, err)
		}
	}
}
