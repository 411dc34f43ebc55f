package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tables whose labels are columns of zeros and ones, one a class, as those of ISIC's challenges and Roboflow.

// lookedRows of a table tell what its columns hold.
const lookedRows = 1000

// oneHot are the columns that are the classes.
type oneHot struct {
	classes []string       // in the columns' order
	index   map[string]int // of the classes
	beside  []string       // columns that are none
}

// besideColumns are what columns are called that number rows, beside idColumns.
var besideColumns = []string{"", "index", "unnamed: 0", "__index_level_0__"}

// isBeside tells whether a column is called as those that number, name or part images.
func isBeside(column string) bool {
	name := strings.ToLower(strings.TrimSpace(column))
	return asksPart(column) != "" ||
		slices.ContainsFunc([][]string{besideColumns, idColumns, pathColumns, splitColumns}, func(names []string) bool { return slices.Contains(names, name) })
}

// zeroOrOne reads a cell as programs write it: 1, 1.0, true.
func zeroOrOne(cell string) (one, ok bool) {
	if cell = strings.ToLower(strings.TrimSpace(cell)); cell == "true" || cell == "false" {
		return cell == "true", true
	}
	n, err := strconv.ParseFloat(cell, 64)
	return n == 1, err == nil && (n == 0 || n == 1)
}

// columnLook is what the first rows of a table hold.
type columnLook struct {
	head         []string // all columns
	image, label string
	classes      []string   // columns of zeros and ones, as they are called
	others       []string   // columns that hold something else
	beside       []string   // columns that say parts
	rows         [][]string // the columns with a one in each row
}

// cellCount is what the cells of a column hold.
type cellCount struct{ known, parts, others int }

// columnCounts are what the first rows of a table hold, while they are gone through.
type columnCounts struct {
	of     map[string]*cellCount
	order  []string // of the columns
	rows   [][]string
	ones   []string // of the row
	filled bool     // the row has cells
}

func (n *columnCounts) add(column, cell string) {
	n.filled = true
	c := n.of[column]
	if c == nil {
		c, n.order = &cellCount{}, append(n.order, column)
		n.of[column] = c
	}
	switch one, ok := zeroOrOne(cell); {
	case one:
		n.ones = append(n.ones, column)
		c.known++
	case ok:
		c.known++
	case splitOf(strings.TrimSpace(cell)) != "":
		c.parts++
	case strings.TrimSpace(cell) != "":
		c.others++
	}
}

// end ends a row.
func (n *columnCounts) end() {
	if n.filled {
		n.rows = append(n.rows, n.ones)
	}
	n.ones, n.filled = nil, false
}

// look tells the columns beside that of the images apart.
func (n *columnCounts) look(image, label string) *columnLook {
	l := &columnLook{image: image, label: label, head: n.order, rows: n.rows}
	for _, column := range n.order {
		c := n.of[column]
		switch {
		case column == image || isBeside(column):
		case c.parts == len(l.rows):
			l.beside = append(l.beside, column)
		case c.others+c.parts == 0 && c.known > 0:
			l.classes = append(l.classes, column)
		default:
			l.others = append(l.others, column)
		}
	}
	return l
}

// lookAt looks at a table, until a row has a label. What can't be read is said later.
func (s *store) lookAt(file string, o Options) *columnLook {
	n := &columnCounts{of: map[string]*cellCount{}}
	t := &table{store: s, Options: o, path: file, each: n.add}
	_ = t.read(func(int, row) error {
		if n.end(); len(n.rows) == lookedRows || t.label != "" { // a label: no column is asked for more
			return errEnough
		}
		return nil
	})
	return n.look(t.image, t.label)
}

// oneHotIn returns the columns of a table that are the classes: all beside the image, where none says the label. Else nil.
func (s *store) oneHotIn(file string, o Options) *oneHot {
	if o.Label != "" {
		return nil
	}
	return s.lookAt(file, o).oneHot()
}

func (l *columnLook) oneHot() *oneHot {
	if l.image == "" || l.label != "" || len(l.classes) < 2 || len(l.others) > 0 {
		return nil
	}
	h := &oneHot{index: map[string]int{}, beside: l.beside}
	for k, column := range l.classes {
		name := strings.TrimSpace(column)
		h.classes, h.index[name] = append(h.classes, name), k
	}
	return h
}

// names are the classes' names; nil: the table has other labels.
func (h *oneHot) names() []string {
	if h == nil {
		return nil
	}
	return h.classes
}

func (h *oneHot) notes(file string) []string {
	if h == nil {
		return nil
	}
	return []string{fmt.Sprintf("the classes are the columns of 0 and 1 of %s, as it has no other column of labels: %d, such as %q", file, len(h.classes), h.classes[:min(len(h.classes), mostNamed)])}
}

// sameColumns is what is wanted where find fails.
const sameColumns = "the columns of classes that the first table has, and no other ones"

// find returns where the columns of the classes stand; nil if a table has none. It has them all, and no other ones; else the error says
// what was found.
func (h *oneHot) find(head []string, image string) ([]int, error) {
	at := slices.Repeat([]int{-1}, len(h.classes))
	found, strange := 0, ""
	for i, column := range head {
		k, known := h.index[strings.TrimSpace(column)]
		switch {
		case column == image || isBeside(column) || slices.Contains(h.beside, column):
		case !known:
			strange = strings.TrimSpace(column)
		case at[k] >= 0:
			return nil, fmt.Errorf("two that are called %q", h.classes[k])
		default:
			at[k] = i
			found++
		}
	}
	switch {
	case found == 0:
		return nil, nil
	case found < len(at):
		return nil, fmt.Errorf("none that is called %q", h.classes[slices.Index(at, -1)])
	case strange != "":
		return nil, fmt.Errorf("%q too", strange)
	}
	return at, nil
}

// label is what the cells of a row's columns say.
func (h *oneHot) label(cell func(k int) string) (l Label, want, bad string) {
	var ones, empty []string
	for k, class := range h.classes {
		text := cell(k)
		switch one, ok := zeroOrOne(text); {
		case strings.TrimSpace(text) == "":
			empty = append(empty, class)
		case !ok:
			return Label{}, fmt.Sprintf("0 or 1 in the column %q", class), strconv.Quote(text)
		case one:
			ones = append(ones, class)
		}
	}
	const what = ": images of several classes, or of none, are not read; leave such rows out, or pass over them with --skip-bad"
	switch {
	case len(empty) == len(h.classes):
		return Label{}, "", ""
	case len(empty) > 0:
		return Label{}, fmt.Sprintf("0 or 1 in the column %q", empty[0]), "none"
	case len(ones) == 1:
		return Name(ones[0]), "", ""
	case len(ones) == 0:
		return Label{}, "one 1 in the columns of classes", "none" + what
	}
	return Label{}, "one 1 in the columns of classes", fmt.Sprintf("%d, such as in %q%s", len(ones), ones[:min(len(ones), mostNamed)], what)
}

// moved is a row whose one stands in the column of another class: the two cells change places, and all else is as it was.
func (h *oneHot) moved(head, l tableLine, class string, o Options) ([]byte, error) {
	if head.raw == nil {
		return h.movedJSON(l.raw, class, o)
	}
	image, err := column(head.cells, pathColumns, o.Image, "--image")
	if err != nil {
		return nil, err
	}
	at, err := h.find(head.cells, image)
	if err != nil {
		return nil, fmt.Errorf("expected %s, found %w", sameColumns, err)
	}
	from, to, err := h.places(at, class, func(i int) string { return l.cells[i] })
	if err != nil {
		return nil, err
	}
	body := bytes.TrimRight(l.raw, "\r\n")
	if cells := bytes.Split(body, []byte(string(head.comma))); !bytes.ContainsRune(body, '"') && len(cells) == len(l.cells) {
		cells[from], cells[to] = cells[to], cells[from]
		return slices.Concat(bytes.Join(cells, []byte(string(head.comma))), l.raw[len(body):]), nil
	}
	l.cells = slices.Clone(l.cells)
	l.cells[from], l.cells[to] = l.cells[to], l.cells[from]
	return l.encoded(head)
}

// places are where a row has its one, and where it shall have it.
func (h *oneHot) places(at []int, class string, cell func(i int) string) (from, to int, err error) {
	k, known := h.index[class]
	from = slices.IndexFunc(at, func(i int) bool { one, _ := zeroOrOne(cell(i)); return one })
	if !known || from < 0 {
		return 0, 0, fmt.Errorf("no columns of classes to change to %q", class)
	}
	return at[from], at[k], nil
}

func (h *oneHot) movedJSON(raw []byte, class string, o Options) ([]byte, error) {
	mark := raw[:len(raw)-len(bytes.TrimPrefix(raw, byteOrderMark))]
	raw = raw[len(mark):]
	var head, texts []string
	var values []json.RawMessage
	var ends []int64
	err := eachField(raw, func(name string, d *json.Decoder) error {
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		if string(v) == "null" {
			return nil
		}
		head, texts, values, ends = append(head, name), append(texts, strings.Trim(string(v), `"`)), append(values, v), append(ends, d.InputOffset())
		return nil
	})
	if err != nil {
		return nil, err
	}
	image, err := column(head, pathColumns, o.Image, "--image")
	if err != nil {
		return nil, err
	}
	at, err := h.find(head, image)
	if err != nil {
		return nil, fmt.Errorf("expected %s, found %w", sameColumns, err)
	}
	from, to, err := h.places(at, class, func(i int) string { return texts[i] })
	if err != nil {
		return nil, err
	}
	a, b := min(from, to), max(from, to)
	begin := func(i int) int64 { return ends[i] - int64(len(values[i])) }
	if a == b {
		return nil, errors.New("the label is the same")
	}
	return slices.Concat(mark, raw[:begin(a)], values[b], raw[ends[a]:begin(b)], values[a], raw[ends[b]:]), nil
}

// noLabelsIn is the error of a table without a column of labels.
func (s *store) noLabelsIn(file string, o Options) error {
	return s.lookAt(file, o).noLabels(noLabels())
}

// noLabels is such an error. Where some of the columns may be the classes, it says what to do.
func (l *columnLook) noLabels(err error) error {
	single := 0 // rows
	for _, ones := range l.rows {
		single += bit(len(slices.DeleteFunc(ones, func(column string) bool { return !slices.Contains(l.classes, column) })) == 1)
	}
	if len(l.classes) < 2 || len(l.others) == 0 || l.label != "" || single == 0 {
		return fmt.Errorf("%w, found %q%s", err, l.head[:min(len(l.head), mostColumns)], more(len(l.head)-mostColumns))
	}
	some := func(columns []string) []string { return columns[:min(len(columns), mostNamed)] }
	return fmt.Errorf("%w; found %d columns of 0 and 1, such as %q, with one 1 in %d of the first %d rows. They are read as labels where no others are beside them: "+
		"take %q out, or make one column, in pandas by t[\"label\"] = t[CLASSES].idxmax(axis=1), with CLASSES for these columns", err, len(l.classes), some(l.classes), single, len(l.rows), some(l.others))
}

// mostColumns bounds how many columns an error names.
const mostColumns = 20

// more says that so many more are there than were named.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
