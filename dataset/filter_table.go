package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

// tableLine is a row of a table as it is written.
type tableLine struct {
	raw   []byte
	cells []string // of JSON Lines: all strings in the object
	paths []string // those of the columns that name images
	comma rune     // of a head: what parts the cells
	utf16 bool     // of a head: how the table is written
}

// tableText splits a table into its head, which JSON Lines have none of, and its rows. Row k counts from 1 as k+1.
func tableText(file string) (head tableLine, lines []tableLine, err error) {
	st, err := newStore(filepath.Dir(file), Options{}).stat(file)
	if err != nil {
		return head, nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := sysinfo.Fits(4*st.Size(), file+": the rows", ""); err != nil {
		return head, nil, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return head, nil, err
	}
	stored := raw
	raw = toUTF8(raw)
	head.utf16 = !bytes.Equal(raw, stored)
	if strings.HasSuffix(strings.ToLower(file), ".jsonl") {
		return head, jsonLines(raw), nil
	}
	text := bytes.TrimPrefix(raw, byteOrderMark)
	mark := int64(len(raw) - len(text))
	c := csv.NewReader(bytes.NewReader(text))
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	c.Comma = separator(text[:min(len(text), 4096)], strings.HasSuffix(strings.ToLower(file), ".tsv"))
	var paths []int
	for at := int64(0); ; at = mark + c.InputOffset() {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return head, lines, nil
		}
		if err != nil {
			return head, nil, fmt.Errorf("%s: %w", file, err)
		}
		text := raw[at : mark+c.InputOffset()]
		if head.raw == nil {
			head.raw, head.cells, head.comma = text, slices.Clone(cells), c.Comma
			for k, name := range cells {
				if slices.Contains(pathColumns, strings.ToLower(strings.TrimSpace(name))) {
					paths = append(paths, k)
				}
			}
			continue
		}
		l := tableLine{raw: text, cells: slices.Clone(cells)}
		for _, k := range paths {
			if k < len(cells) {
				l.paths = append(l.paths, cells[k])
			}
		}
		lines = append(lines, l)
	}
}

func jsonLines(raw []byte) (lines []tableLine) {
	for text := range bytes.Lines(raw) {
		l := tableLine{raw: text}
		var fields map[string]any
		if json.Unmarshal(bytes.TrimPrefix(text, byteOrderMark), &fields) == nil {
			for k, v := range fields {
				if s, ok := v.(string); ok {
					l.cells = append(l.cells, s)
					if slices.Contains(pathColumns, strings.ToLower(k)) {
						l.paths = append(l.paths, s)
					}
				}
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// byteOrderMark begins texts of some programs, and is no part of them.
var byteOrderMark = []byte("\ufeff")

// toUTF8 converts UTF-16, with a byte-order mark or without, to UTF-8 with one. Other text stays as it is.
func toUTF8(raw []byte) []byte {
	var order binary.ByteOrder
	switch {
	case len(raw) < 2:
		return raw
	case raw[0] == 0xff && raw[1] == 0xfe, raw[0] != 0 && raw[1] == 0:
		order = binary.LittleEndian
	case raw[0] == 0xfe && raw[1] == 0xff, raw[0] == 0 && raw[1] != 0:
		order = binary.BigEndian
	default:
		return raw
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	text := strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
	return []byte("\ufeff" + text)
}

// writeTable writes a table's rows, counted from 1, as line returns them; nil for none. more are rows that follow.
func (f *filter) writeTable(from, to string, line func(n int, head, l tableLine) ([]byte, error), more ...[]byte) error {
	head, lines, err := tableText(from)
	if err != nil {
		return err
	}
	if head.utf16 {
		f.note("%s was UTF-16 and is UTF-8 now", filepath.Base(to))
	}
	return writeFile(to, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		end, open := "\n", false // whether the row before has no line end, as a last one may
		if bytes.HasSuffix(head.raw, []byte("\r\n")) {
			end = "\r\n"
		}
		write := func(raw []byte) { // errors come with Flush
			if len(raw) == 0 {
				return
			}
			if open {
				_, _ = b.WriteString(end)
			}
			_, _ = b.Write(raw)
			open = !bytes.HasSuffix(raw, []byte("\n"))
		}
		write(head.raw)
		for k, l := range lines {
			raw, err := line(k+1, head, l)
			if err != nil {
				return fmt.Errorf("%s: row %d: %w", from, k+1, err)
			}
			write(raw)
		}
		for _, raw := range more {
			write(raw)
		}
		return b.Flush()
	})
}

func isTableName(name string) bool {
	return slices.Contains(tableSuffixes, strings.ToLower(path.Ext(name)))
}

// folder filters images that lie in folders. Rows of tables beside them that name a dropped file go too: GTSRB has such,
// and metadata.csv.
func (f *filter) folder() error {
	if err := f.move(); err != nil {
		return err
	}
	if err := f.noteBeside(); err != nil {
		return err
	}
	m := f.moves
	return f.copyTree(func(rel string) func(from, to string) error {
		if !isTableName(rel) {
			return nil
		}
		return func(from, to string) error {
			_, lines, err := tableText(from)
			if err != nil || len(m.rows[rel])+len(f.bad[rel]) == 0 && !slices.ContainsFunc(lines, func(l tableLine) bool { return f.names(rel, l) }) {
				return copyFile(f.ctx, from, to) //nolint:nilerr // no table that names images
			}
			return f.writeTable(from, to, func(n int, _, l tableLine) ([]byte, error) {
				if f.bad[rel][n] {
					return nil, nil
				}
				if !f.names(rel, l) {
					return l.raw, nil
				}
				if len(m.from) > 0 && f.data.Layout == "folder" {
					f.note("%s: the rows of images that are dropped or in another folder now are left out", rel)
				}
				return nil, nil
			}, m.rows[rel]...)
		}
	})
}

// names reports whether a row of the table at rel names a dropped file, relative to the table or to the data.
func (f *filter) names(rel string, l tableLine) bool {
	return slices.ContainsFunc(l.paths, func(p string) bool {
		for _, p := range []string{filepath.ToSlash(p), slashed(p)} {
			if f.files[path.Join(path.Dir(rel), p)] || f.files[path.Clean(p)] {
				return true
			}
		}
		return false
	})
}

// relabelledRows are the labels of rows under other ones, by table.
func (f *filter) relabelledRows() map[string]map[int]string {
	labels := map[string]map[int]string{}
	for i := range f.drop {
		if table, row := f.data.Train.Listed(i); f.relabelled(i) {
			if labels[table] == nil {
				labels[table] = map[int]string{}
			}
			labels[table][row] = f.data.Train.Classes[f.labels[i]]
		}
	}
	return labels
}

// badRows adds the rows that could not be read, and the files that they name.
func (f *filter) badRows(drop map[string]map[int]bool, gone map[string]bool) {
	for table, rows := range f.bad {
		if drop[table] == nil {
			drop[table] = map[int]bool{}
		}
		maps.Copy(drop[table], rows)
	}
	for _, r := range f.data.bads {
		if r.source != r.table {
			gone[f.listedFile(r.table, r.source)] = true
		}
	}
}

// oneHot are the columns of the classes, or nil.
func (f *filter) oneHot() *oneHot {
	s := f.store()
	return s.oneHotIn(s.partFiles(f.data.Path, tableSuffixes).train[0], f.opts)
}

// table filters images that tables name: the rows that named them go, and those files that no other row names.
func (f *filter) table() error {
	drop, labels := map[string]map[int]bool{}, f.relabelledRows()
	gone, kept := map[string]bool{}, map[string]bool{}
	see := func(s *Set, dropped func(i int) bool) error {
		for i := range s.Len() {
			table, row := s.Listed(i)
			file, _ := s.origin(i)
			at := f.listedFile(table, file)
			if !dropped(i) {
				kept[at] = true
				continue
			}
			if table == "" {
				return fmt.Errorf("%s: no table names it", file)
			}
			if drop[table] == nil {
				drop[table] = map[int]bool{}
			}
			drop[table][row], gone[at] = true, true
		}
		return nil
	}
	if err := see(f.data.Train, func(i int) bool { return f.drop[i] }); err != nil {
		return err
	}
	if f.data.Test != nil {
		if err := see(f.data.Test, func(int) bool { return false }); err != nil {
			return err
		}
	}
	f.badRows(drop, gone)
	delete(gone, "")
	here, hot := newFinder(f.store(), Options{}), f.oneHot()
	others, absolute, err := f.otherRows(here, gone, drop)
	if err != nil {
		return err
	}
	f.files = map[string]bool{}
	for at := range gone {
		if !kept[at] && !others[at] {
			f.files[at] = true
		}
	}
	if f.only != "" {
		if err := f.copyListed(kept); err != nil {
			return err
		}
	}
	return f.copyTree(func(rel string) func(from, to string) error {
		if drop[rel] == nil && labels[rel] == nil && !absolute[rel] {
			return nil
		}
		return func(from, to string) error {
			return f.writeTable(from, to, func(n int, head, l tableLine) (_ []byte, err error) {
				if drop[rel][n] {
					return nil, nil
				}
				if absolute[rel] {
					if l, err = f.relative(here, rel, head, l); err != nil {
						return nil, err
					}
				}
				if label, other := labels[rel][n]; other && hot != nil {
					return hot.moved(head, l, label, f.opts)
				} else if other {
					return l.relabelled(head, label, f.opts)
				}
				return l.raw, nil
			})
		}
	})
}
