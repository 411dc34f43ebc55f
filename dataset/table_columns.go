package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// splitColumns are what columns are called that say the part of a row, the surest first.
var splitColumns = []string{"split", "partition", "subset", "set"}

// truths are what programs write for yes and no.
var truths = map[string]bool{"true": true, "t": true, "yes": true, "1": true, "1.0": true, "false": false, "f": false, "no": false, "0": false, "0.0": false}

// asksPart is the part that a column asks for, as is_valid does, or "".
func asksPart(column string) string {
	words := letters(camel.ReplaceAllString(column, "$1 $2"))
	if len(words) < 2 || !strings.EqualFold(words[0], "is") {
		return ""
	}
	return splitOf(words[1])
}

// partSaid is the part that a cell says: by a word, or by yes or no where its column asks for a part.
func partSaid(asked, cell string) string {
	cell = strings.ToLower(strings.TrimSpace(cell))
	yes, known := truths[cell]
	switch {
	case asked == "":
		return splitOf(cell)
	case !known:
		return ""
	case yes:
		return asked
	case asked == "train":
		return "test"
	}
	return "train"
}

// partCount is what the cells of a column say of the parts of rows.
type partCount struct {
	name   string // of the column
	asked  string // see asksPart
	parts  map[string]int
	all    int
	values []string // the first that differ
	said   uint64   // a sum of what all rows say, in their order
}

// add counts a cell, and returns the part that it says.
func (c *partCount) add(cell string) (part string) {
	part = partSaid(c.asked, cell)
	c.parts[part]++
	c.all++
	if len(c.values) < mostNamed && !slices.Contains(c.values, cell) {
		c.values = append(c.values, cell)
	}
	c.said = c.said*31 + uint64(len(part)) // their lengths differ
	return part
}

func (c *partCount) several() bool { return severalParts(c.parts) }

func severalParts(n map[string]int) bool { return n["train"] > 0 && n["test"]+n["val"] > 0 }

// partColumns is what the columns of tables say of the parts of their rows.
type partColumns struct {
	rows   int
	counts map[string]*partCount
}

func newPartColumns() *partColumns { return &partColumns{counts: map[string]*partCount{}} }

// count is what a column says, to be added to.
func (p *partColumns) count(column string) *partCount {
	c := p.counts[column]
	if c == nil {
		c = &partCount{name: column, asked: asksPart(column), parts: map[string]int{}}
		p.counts[column] = c
	}
	return c
}

// countParts goes through tables. What can't be read is said later.
func (s *store) countParts(files []string, o Options) *partColumns {
	p := newPartColumns()
	for _, file := range files {
		cells := 0
		t := &table{store: s, Options: o, path: file, each: func(column, cell string) {
			p.count(column).add(cell)
			cells++
		}}
		_ = t.read(func(int, row) error {
			p.rows += bit(cells > 0)
			cells = 0
			return nil
		})
		delete(p.counts, t.image)
		delete(p.counts, t.label)
	}
	return p
}

// known lists the columns with a name that such columns usually have, the surest first.
func (p *partColumns) known() (columns []string) {
	for _, name := range splitColumns {
		for _, column := range slices.Sorted(maps.Keys(p.counts)) {
			if strings.ToLower(strings.TrimSpace(column)) == name {
				columns = append(columns, column)
			}
		}
	}
	return columns
}

// column is the column that parts the rows: one of a usual name, or one of any name in which every row says its part; or "".
func (p *partColumns) column() (string, error) {
	for _, column := range p.known() {
		if p.counts[column].several() {
			return column, nil
		}
	}
	found := ""
	for _, column := range slices.Sorted(maps.Keys(p.counts)) {
		switch c := p.counts[column]; {
		case column == "" || !c.several() || c.all != p.rows || c.parts[""] > 0:
		case found == "":
			found = column
		case p.counts[found].said != c.said:
			return "", fmt.Errorf("the columns %q and %q both say which rows are of the training, and differ; call the one that is meant split", found, column)
		}
	}
	return found, nil
}

// unclear is a note on a column that may be meant to part the rows, and does not.
func (p *partColumns) unclear(tables string) []string {
	for _, column := range p.known() {
		if c := p.counts[column]; len(c.values) > 1 {
			return []string{fmt.Sprintf("all rows of %s are read as training images: the column %q says %.80q, and not train, test or val", tables, column, c.values)}
		}
	}
	return nil
}
