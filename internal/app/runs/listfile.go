package runs

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/unpoison/unpoison/internal/base/limited"
)

// OpenList begins to read a list and returns the names of its columns in small letters. What spreadsheets make of a list is read too: in
// some countries they part cells by semicolons, and they mark the text as UTF-8.
func OpenList(from io.Reader) (rows *csv.Reader, columns []string, err error) {
	const most = 4096 // a line of column names has fewer bytes
	in := bufio.NewReaderSize(limited.Lines(from), most)
	head, _ := in.Peek(most) // an error comes again
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
		columns[k] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(c, "\ufeff")))
	}
	return rows, columns, nil
}
