package dataset

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// moves are the files that go into another class's folder, relative to the data.
type moves struct {
	from, to []string
	rows     map[string][][]byte // for tables that list the files of a folder, as GTSRB's
}

// move finds the folders of other classes, which lie beside the images' own.
func (f *filter) move() error {
	m := &f.moves
	m.rows = map[string][][]byte{}
	taken, tables := map[string]bool{}, map[string]*tableRows{}
	set := f.data.Train
	for i := range f.drop {
		if !f.relabelled(i) {
			continue
		}
		from, _ := set.origin(i)
		k, err := f.like(f.labels[i])
		if err != nil {
			return err
		}
		like, _ := set.origin(k)
		a, b := strings.Split(from, "/"), strings.Split(like, "/")
		at := 0
		for at < min(len(a), len(b))-1 && a[at] == b[at] {
			at++
		}
		if at >= min(len(a), len(b))-1 {
			return fmt.Errorf("%s and %s: their classes are not those of their folders", from, like)
		}
		a[at] = b[at]
		to := path.Join(a...)
		end := path.Ext(to)
		for n := 2; taken[to] || exists(filepath.Join(f.base, filepath.FromSlash(to))); n++ {
			to = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path.Join(a...), end), n, end)
		}
		taken[to] = true
		m.from, m.to = append(m.from, from), append(m.to, to)
		if table, row := set.Listed(i); table != "" {
			if tables[table] == nil {
				if tables[table], err = f.tableRows(table); err != nil {
					return err
				}
			}
			line, err := tables[table].listed(row, path.Base(to), f.labels[i])
			if err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
			other, _ := set.Listed(k)
			m.rows[other] = append(m.rows[other], line)
		}
	}
	return nil
}

// tableRows are those of a table of the data.
type tableRows struct {
	head  tableLine
	lines []tableLine
}

func (f *filter) tableRows(table string) (*tableRows, error) {
	head, lines, err := tableText(filepath.Join(f.base, filepath.FromSlash(table)))
	return &tableRows{head, lines}, err
}

// listed is a row of a GTSRB table with another file and class.
func (t *tableRows) listed(row int, file string, label int32) ([]byte, error) {
	name, class := slices.Index(t.head.cells, "Filename"), slices.Index(t.head.cells, "ClassId")
	if row > len(t.lines) || name < 0 || class < 0 || len(t.lines[row-1].cells) <= max(name, class) {
		return nil, fmt.Errorf("row %d: expected the columns Filename and ClassId", row)
	}
	l := t.lines[row-1]
	l.cells = slices.Clone(l.cells)
	l.cells[name], l.cells[class] = file, fmt.Sprint(label)
	return l.encoded(t.head)
}

// moved copies the files that get another place. Links stay links.
func (c *treeCopy) moved() error {
	for k, rel := range c.moves.from {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		to := c.to(c.moves.to[k])
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		st, err := os.Lstat(c.from(rel))
		switch {
		case err != nil:
			return err
		case st.Mode()&os.ModeSymlink != 0:
			err = c.leadsTo(atomicfile.Resolve(c.from(rel)), rel, c.moves.to[k])
		default:
			err = copyFile(c.ctx, c.from(rel), to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encoded is the row of a table with separators as it is written, with the cells that it now has.
func (l tableLine) encoded(head tableLine) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = head.comma, bytes.HasSuffix(head.raw, []byte("\r\n"))
	err := w.Write(l.cells)
	w.Flush()
	return b.Bytes(), errors.Join(err, w.Error())
}

// relabelled is the row with another label.
func (l tableLine) relabelled(head tableLine, label string, o Options) ([]byte, error) {
	l, err := l.with(head, label, labelColumns, o.Label)
	return l.raw, err
}

// with is the row with another text in one column, a known one or the one that was asked for.
func (l tableLine) with(head tableLine, text string, known []string, asked string) (_ tableLine, err error) {
	if head.raw == nil {
		l.raw, err = relabelledJSON(l.raw, text, known, asked)
		return l, err
	}
	name, err := column(head.cells, known, asked, "--label")
	if err != nil {
		return l, err
	}
	at := slices.Index(head.cells, name)
	if at < 0 || at >= len(l.cells) {
		return l, fmt.Errorf("no cell for %q", text)
	}
	l.cells = slices.Clone(l.cells)
	l.cells[at] = text
	l.raw, err = l.encoded(head)
	return l, err
}

// relabelledJSON returns a JSON object with another label, and all else as it was. A number stays a number, and a list of one a list.
func relabelledJSON(raw []byte, label string, known []string, asked string) ([]byte, error) {
	mark := raw[:len(raw)-len(bytes.TrimPrefix(raw, byteOrderMark))]
	raw = raw[len(mark):]
	type place struct {
		lo, hi int64
		value  json.RawMessage
	}
	of := map[string]place{}
	var head []string
	err := eachField(raw, func(name string, d *json.Decoder) error {
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		if string(v) != "null" {
			head = append(head, name)
			of[name] = place{d.InputOffset() - int64(len(v)), d.InputOffset(), v}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	name, err := column(head, known, asked, "--label")
	at, ok := of[name]
	if err != nil || !ok {
		return nil, errors.Join(err, errors.New("expected a label"))
	}
	text, err := json.Marshal(label)
	if err != nil {
		return nil, err
	}
	if _, number := integer(label); number && !bytes.ContainsRune(at.value, '"') {
		text = []byte(label)
	}
	if at.value[0] == '[' {
		if bytes.ContainsRune(at.value, ',') {
			return nil, fmt.Errorf("a list of labels, %s, can't be changed to %q", at.value, label)
		}
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	return slices.Concat(mark, raw[:at.lo], text, raw[at.hi:]), nil
}
