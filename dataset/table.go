package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/limited"
)

// Tables: CSV, TSV or JSON Lines with a column that names image files, relative to the table, and one
// with their labels. A folder may hold train.csv and test.csv (or val.csv), or one table, each also in numbered files.

var tableSuffixes = []string{".csv", ".tsv", ".jsonl"}

var (
	pathColumns  = []string{"path", "file", "filename", "file_name", "image", "image_path", "filepath"}
	labelColumns = []string{"label", "class", "target", "category", "y", "classid"}
)

func isTable(dir string, o Options) bool {
	s := newStore(dir, o)
	train := s.partFiles(dir, tableSuffixes).train
	if len(train) == 0 {
		return false
	}
	asked := o.Label != "" || o.Image != ""
	o = s.byIDs(train[0], o)
	t := &table{store: s, Options: o, path: train[0]}
	var first row
	err := t.read(func(_ int, cells row) error {
		first = cells
		return errEnough
	})
	var bad *RecordError
	if asked || errors.As(err, &bad) {
		return err != nil // that there is no such column or the file can't be read, open says
	}
	switch {
	case errors.Is(err, errEnough) && t.image != "" && (t.label != "" || s.oneHotIn(train[0], o) != nil) || errors.Is(err, errTwoColumns):
		return true
	case err == nil:
		err = errors.New("expected rows, found none")
	case errors.Is(err, errEnough) && t.head == nil && first.bad != "":
		err = fmt.Errorf("the first row: expected %s, found %s", first.want, first.bad)
	case errors.Is(err, errEnough) && t.image == "":
		err = noFiles(t.head)
	case errors.Is(err, errEnough):
		err = s.noLabelsIn(train[0], o)
	}
	if o.noTables != nil {
		*o.noTables = append(*o.noTables, train[0]+": "+err.Error())
	}
	return false
}

func noLabels() error {
	return fmt.Errorf("expected a column of labels (%s), or --label COLUMN", strings.Join(labelColumns, ", "))
}

// place is what an image is called by.
type place struct {
	source string
	row    int
}

func openTable(_ context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	p := s.partFiles(dir, tableSuffixes)
	if len(p.train) == 0 {
		return nil, fmt.Errorf("expected a table, *.csv, *.tsv or *.jsonl")
	}
	if err := oneTable(p.train); err != nil {
		return nil, err
	}
	usual := o.Image == ""
	o = s.byIDs(p.train[0], o)
	columns := s.countParts(p.train, o)
	by, err := columns.column()
	if err != nil {
		return nil, s.ofFile(p.train[0], err)
	}
	finder, hot := newFinder(s, o), s.oneHotIn(p.train[0], o)
	var seen map[place]string // sources of the part that is read, and the tables that name them; "" where these are several
	shared := 0
	c := p.of(s, hot.names(), func(path string, yield func(Record) error) error {
		if p.begins(path) {
			seen, shared = map[place]string{}, 0
		}
		t := &table{store: s, Options: o, path: path, split: by, hot: hot, bare: !slices.Contains(p.train, path)}
		several := &objects{}
		err := t.read(func(n int, cells row) error {
			r := t.record(finder, n, cells)
			several.add(&r)
			source := place{r.Source, r.Row}
			if first, again := seen[source]; again {
				if first != "" && first != r.Table {
					seen[source] = ""
					shared++
				}
				r.Row, source.row = n, n
			}
			if _, again := seen[source]; again { // in another table's same row
				r.Source += " in " + r.Table
				source.source = r.Source
			}
			seen[source] = r.Table
			return yield(r)
		})
		if err == nil && t.label == "" && hot == nil && slices.Contains(p.train, path) {
			err = s.noLabelsIn(path, o)
		}
		if err == nil {
			err = several.check(t.boxes)
		}
		return s.ofFile(path, err)
	})
	c.Notes = slices.Concat(hot.notes(s.rel(p.train[0])), s.unreadNote("tables", s.unreadTables(dir, o, p), p), s.gaps(p))
	if usual && o.Image != "" {
		c.Notes = append(c.Notes, fmt.Sprintf("the images are those that the column %q of %s names", o.Image, s.rel(p.train[0])))
	}
	for _, part := range []*Part{c.Train, c.Test, c.Validation} {
		if part != nil {
			part.notes = func() []string {
				if shared == 0 {
					return nil
				}
				return []string{fmt.Sprintf("%d images are named by more than one of the tables %s", shared, part.Name)}
			}
		}
	}
	return c, s.parted(c, p, columns, by)
}

var digits = regexp.MustCompile("[0-9]+")

// oneTable refuses tables whose names differ in more than numbers: an image may be in both of them, or be one of the test.
func oneTable(files []string) error {
	numbered := func(file string) string { return digits.ReplaceAllString(filepath.Base(file), "") }
	for _, file := range files {
		if numbered(file) != numbered(files[0]) {
			return fmt.Errorf("%q and %q could both be meant; table:PATH reads one", filepath.Base(files[0]), filepath.Base(file))
		}
	}
	return nil
}

// table reads one file.
type table struct {
	*store
	Options
	path         string
	bare         bool                      // labels that were asked for may be missing, as they do in tables of test images
	head         []string                  // all columns, once known; of JSON Lines those of the last row
	bareHead     bool                      // nothing else is asked for
	image, label string                    // the columns, once known
	split        string                    // the column that says the part, or ""
	hot          *oneHot                   // the columns of classes, where no other one says the label; or nil
	at           []int                     // where they are in a table with separators; nil: it has none
	boxes        bool                      // there are columns of places in images
	each         func(column, cell string) // told of all cells; may be nil
}

// row is what the two columns of a row hold.
type row struct {
	image string
	label Label
	split string // the part that it says it is of
	bad   string // what is wrong with the row or its label
	want  string
}

func (t *table) record(f *finder, n int, cells row) Record {
	name := t.rel(t.path)
	r := Record{Source: name, Row: n, Table: name, TableRow: n, Label: cells.label, split: cells.split}
	switch {
	case cells.bad != "":
		r.Err = &RecordError{name, n, cells.want, cells.bad}
		return r
	case cells.image == "":
		return r
	}
	file, err := f.find(cells.image, t.path)
	if err != nil {
		r.Err = &RecordError{name, n, err.Want, err.Got}
		r.folder = t.folderPart(&r, cells.image)
		return r
	}
	of := file.store.fileRecord(file.path)
	r.Source, r.Row, r.File, r.Head, r.apart = of.Source, -1, of.File, of.Head, true
	r.folder = t.folderPart(&r, cells.image)
	return r
}

var errTwoColumns = errors.New("two columns could be meant")

// column finds the column that was asked for, or the known one that is there, or "".
func column(head, known []string, asked, flag string) (string, error) {
	var found []string
	for _, h := range head {
		if asked != "" && h == asked || asked == "" && slices.Contains(known, strings.ToLower(strings.TrimSpace(h))) {
			found = append(found, h)
		}
	}
	switch {
	case len(found) == 1 || len(found) == 0 && asked == "":
		return strings.Join(found, ""), nil
	case len(found) == 0:
		return "", fmt.Errorf("no column %q for %s; there are %q", asked, flag, head)
	}
	slices.Sort(found)
	if found[0] == found[1] {
		return "", fmt.Errorf("%w: %d are called %q; rename those that are not", errTwoColumns, len(found), found[0])
	}
	return "", fmt.Errorf("%w: %q and %q; %s COLUMN says which", errTwoColumns, found[0], found[1], flag)
}

// columns settles the two columns by the names of all.
func (t *table) columns(head []string) (err error) {
	if t.head = head; t.bareHead {
		return errEnough
	}
	if t.image, err = column(head, pathColumns, t.Image, "--image"); err != nil {
		return err
	}
	if t.label, err = column(head, labelColumns, t.Label, "--label"); err != nil && (!t.bare || errors.Is(err, errTwoColumns)) {
		return err
	}
	t.boxes = named(head, boxColumns) != ""
	if t.image == "" {
		return fmt.Errorf("%w, found %q", noFiles(head), head)
	}
	if t.hot == nil || t.label != "" {
		return nil
	}
	t.at, err = t.hot.find(head, t.image)
	if err == nil && t.at == nil && !t.bare {
		err = errors.New("none of them")
	}
	if err != nil {
		return fmt.Errorf("expected %s, found %w", sameColumns, err)
	}
	return nil
}

// read yields the rows, counted from 1.
func (t *table) read(yield func(n int, cells row) error) error {
	f, _, err := t.open(t.path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(limited.Text(f))
	if strings.HasSuffix(strings.ToLower(t.path), ".jsonl") {
		return t.readJSONLines(in, yield)
	}
	return t.readCSV(in, yield)
}

const maxLine = limited.MaxLine

func (t *table) readCSV(in *bufio.Reader, yield func(int, row) error) error {
	first, _ := in.Peek(4096)
	if err := limited.Ended(first); err != nil {
		return err
	}
	c := csv.NewReader(in)
	c.Comma = separator(first, strings.HasSuffix(strings.ToLower(t.path), ".tsv"))
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("expected a line of column names: %w", err)
	}
	if err := t.columns(head); err != nil {
		return err
	}
	image, label, split := slices.Index(head, t.image), columnIndex(head, t.label), columnIndex(head, t.split)
	asked := asksPart(t.split)
	for n := 1; ; n++ {
		line, err := c.Read()
		cells := row{}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			cells.want, cells.bad = fmt.Sprintf("%d cells", len(head)), fmt.Sprint(len(line))
		case err != nil:
			return err
		default:
			cells.image = line[image]
			switch {
			case label >= 0:
				cells.label = Text(line[label])
			case t.at != nil:
				cells.label, cells.want, cells.bad = t.hot.label(func(k int) string { return line[t.at[k]] })
			}
			if split >= 0 {
				cells.split = partSaid(asked, line[split])
			}
			for k := range line {
				if t.each != nil {
					t.each(head[k], line[k])
				}
			}
		}
		if err := yield(n, cells); err != nil {
			return err
		}
	}
}

// separator looks at the first line that is not empty, which holds names.
func separator(first []byte, tabs bool) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(first, "\r\n"), []byte("\n"))
	order := ",;\t|"
	if tabs {
		order = "\t,;|"
	}
	for _, c := range order {
		if bytes.ContainsRune(line, c) {
			return c
		}
	}
	return rune(order[0])
}
