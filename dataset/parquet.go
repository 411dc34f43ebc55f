package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Parquet as the Hugging Face hub has it: columns image (a struct of bytes and path, or bytes alone) and
// label, whose class names stand in the file's metadata; several shards, train-*.parquet and
// test-*.parquet, also below data/.

var parquetSuffixes = []string{".parquet"}

var (
	parquetImages = []string{"image", "img"}
	parquetLabels = []string{"label", "fine_label", "labels", "class", "target"}
)

func isParquet(dir string, o Options) bool {
	return len(newStore(dir, o).partFiles(dir, parquetSuffixes).train) > 0
}

func openParquet(_ context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	p := s.partFiles(dir, parquetSuffixes)
	if len(p.train) == 0 {
		return nil, fmt.Errorf("expected Parquet files")
	}
	var names []string
	train := map[string]bool{}
	for _, file := range p.train {
		train[file] = true
	}
	for _, file := range slices.Concat(p.train, p.test, p.val) {
		of, err := s.parquetClasses(file, o, train[file])
		if err != nil {
			return nil, err
		}
		if names != nil && of != nil && !slices.Equal(names, of) {
			return nil, fmt.Errorf("%s has the classes %.200q, %s has others", s.rel(p.train[0]), names, s.rel(file))
		}
		if names == nil {
			names = of
		}
	}
	columns := s.countParquetParts(p.train, o)
	by, err := columns.column()
	if err != nil {
		return nil, s.ofFile(p.train[0], err)
	}
	hot := s.oneHotInParquet(dir, o)
	if hot != nil {
		names = hot.classes
	}
	c := p.of(s, names, func(file string, yield func(Record) error) error {
		return s.readParquet(file, parquetReading{o, train[file], by, hot}, yield)
	})
	c.Notes = slices.Concat(hot.notes(s.rel(p.train[0])), s.unreadNote("Parquet files", s.unread(dir, parquetSuffixes, p), p), s.gaps(p))
	return c, s.partedBy(c, p, columns, by)
}

// withParquet opens a file; what the library panics with on a damaged one becomes an error.
func (s *store) withParquet(path string, do func(p *parquet.File, f io.ReaderAt) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.ofFile(path, fmt.Errorf("damaged: %v", p))
		}
	}()
	f, size, err := s.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkFooter(f, size); err != nil {
		return s.ofFile(path, err)
	}
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return s.ofFile(path, err)
	}
	return s.ofFile(path, do(p, f))
}

// parquetColumns are the places of the image's and the label's column; label is -1 if there is none.
type parquetColumns struct {
	image, label int
	name         string // of the image's
	hot          *oneHot
	at           []int  // of the classes, where they are columns; or nil
	part         int    // of what says a row's part, or -1
	asked        string // see asksPart
	list         bool   // the label is a list
	kind         string // of the label, see kindOf
	says         func(v parquet.Value) (l Label, bad string)
}

// parquetHead lists the columns, and which leaves of the schema each has.
func parquetHead(f *parquet.File) (head []string, leaves map[string][]int) {
	leaves = map[string][]int{}
	for i, path := range f.Schema().Columns() {
		if leaves[path[0]] == nil {
			head = append(head, path[0])
		}
		leaves[path[0]] = append(leaves[path[0]], i)
	}
	return head, leaves
}

// findColumns finds the columns of the images and the labels. A file that is not labelled may lack these.
func findColumns(f *parquet.File, o Options, labelled bool) (c parquetColumns, labelName string, err error) {
	head, leaves := parquetHead(f)
	image, err := column(head, parquetImages, o.Image, "--image")
	if err != nil {
		return c, "", err
	}
	if labelName, err = column(head, parquetLabels, o.Label, "--label"); err != nil && (labelled || errors.Is(err, errTwoColumns)) {
		return c, "", err
	}
	c = parquetColumns{image: -1, label: -1, part: -1, name: image}
	for _, i := range leaves[image] {
		if path := f.Schema().Columns()[i]; len(path) == 1 || len(path) == 2 && path[1] == "bytes" {
			c.image = i
		}
	}
	if files := named(head, pathColumns); image == "" && files != "" {
		return c, "", fmt.Errorf("expected a column image with bytes, or --image COLUMN, found %q; %s", head, asTable(files))
	}
	if c.image < 0 {
		return c, "", fmt.Errorf("expected a column image with bytes, or --image COLUMN, found %q", head)
	}
	if of := leaves[labelName]; len(of) == 1 {
		path := f.Schema().Columns()[of[0]]
		c.label, c.list = of[0], len(path) > 1
		if leaf, ok := f.Schema().Lookup(path...); ok {
			c.kind = kindOf(leaf)
			if c.says, err = labelsOf(leaf.Node.Type()); err != nil {
				return c, "", fmt.Errorf("the column %q: %w", labelName, err)
			}
		}
	} else if len(of) > 1 {
		return c, "", fmt.Errorf("expected one label, the column %q has %d fields", labelName, len(of))
	}
	return c, labelName, nil
}

// asTable says what to do where a column names the files of images.
func asTable(column string) string {
	return fmt.Sprintf("where %q names image files, a table beside them is read, in pandas read_parquet(FILE).to_csv(\"labels.csv\", index=False)", column)
}

// parquetClasses returns the class names that the hub's metadata gives, or nil.
func (s *store) parquetClasses(path string, o Options, labelled bool) (classes []string, err error) {
	err = s.withParquet(path, func(f *parquet.File, _ io.ReaderAt) error {
		_, label, err := findColumns(f, o, labelled)
		if err != nil {
			return err
		}
		text, ok := f.Lookup("huggingface")
		if !ok {
			return nil
		}
		type feature struct {
			Names   json.RawMessage `json:"names"`
			Feature *struct {
				Names json.RawMessage `json:"names"`
			} `json:"feature"` // of a list
		}
		var meta struct {
			Info struct {
				Features map[string]json.RawMessage `json:"features"`
			} `json:"info"`
		}
		var of feature
		if json.Unmarshal([]byte(text), &meta) != nil || json.Unmarshal(meta.Info.Features[label], &of) != nil {
			return nil
		}
		names := of.Names
		if names == nil && of.Feature != nil {
			names = of.Feature.Names
		}
		var byNumber map[string]string
		if json.Unmarshal(names, &classes) == nil && classes != nil {
			return nil
		}
		if json.Unmarshal(names, &byNumber) == nil && byNumber != nil {
			for i := range len(byNumber) {
				classes = append(classes, byNumber[fmt.Sprint(i)])
			}
		}
		return nil
	})
	return classes, err
}

// parquetReading is how a file is read.
type parquetReading struct {
	Options
	labelled bool    // its images have to have labels
	by       string  // the column that says the part, or ""
	hot      *oneHot // the columns of classes, or nil
}

func (s *store) readParquet(path string, o parquetReading, yield func(Record) error) error {
	return s.withParquet(path, func(p *parquet.File, f io.ReaderAt) error {
		c, _, err := findColumns(p, o.Options, o.labelled)
		if err != nil {
			return err
		}
		switch {
		case c.label >= 0:
		case o.hot != nil:
			if err := c.findOneHot(p, o.hot, o.labelled); err != nil {
				return err
			}
		case o.labelled:
			return lookAtParquet(p, f, o.Options).noLabels(fmt.Errorf("expected a column of labels (%s), or --label COLUMN", strings.Join(parquetLabels, ", ")))
		}
		c.part, c.asked = partLeaf(p, o.by), asksPart(o.by)
		row := 0
		for i, g := range p.RowGroups() {
			for _, column := range append([]int{c.label, c.image, c.part}, c.at...) {
				if column < 0 {
					continue
				}
				if err := checkColumn(f, p.Size(), &p.Metadata().RowGroups[i], column, column == c.label && c.list); err != nil {
					return fmt.Errorf("row group %d: %w", i, err)
				}
			}
			if err := readGroup(g, s.rel(path), c, &row, yield); err != nil {
				return err
			}
		}
		return nil
	})
}

// readGroup yields the rows of a row group; row counts on.
func readGroup(g parquet.RowGroup, file string, c parquetColumns, row *int, yield func(Record) error) error {
	labels, err := rowLabels(g, c)
	if err != nil {
		return err
	}
	defer labels.close()
	said, err := groupParts(g, c)
	if err != nil {
		return err
	}
	k := 0
	err = eachValue(g.ColumnChunks()[c.image], func(v parquet.Value) error {
		if v.RepetitionLevel() != 0 {
			return fmt.Errorf("row %d: a list of images", *row)
		}
		r := Record{Source: file, Row: *row}
		if k < len(said) {
			r.split = said[k]
		}
		l, want, bad, err := labels.next()
		if errors.Is(err, io.EOF) {
			err = errors.New("more images than labels")
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", *row, err)
		}
		if r.Label = l; bad != "" {
			r.Err = &RecordError{file, *row, want, bad}
		}
		if !v.IsNull() && v.Kind() == parquet.ByteArray {
			data := slices.Clone(v.ByteArray())
			if r.Err == nil && len(data) < 4096 && IsImage(string(data)) && !looksLikeImage(data) {
				r.Err = &RecordError{file, *row, "the bytes of an image", fmt.Sprintf("%q; %s", data, asTable(c.name))}
			}
			r.File = func() ([]byte, error) { return data, nil }
		}
		k++
		*row++
		return yield(r)
	})
	if err == nil && labels.more() {
		err = fmt.Errorf("row %d: more labels than images", *row)
	}
	return err
}

// eachValue visits the values of a column in one row group.
func eachValue(c parquet.ColumnChunk, visit func(parquet.Value) error) error {
	r := newValueReader(c)
	defer r.close()
	for {
		v, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(v); err != nil {
			return err
		}
	}
}
