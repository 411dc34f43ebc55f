package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// lookedRows of a table tell what its columns hold.
const lookedRows = 1000

// noLabelsIn is the error of a table without a column of labels. Where columns of zeros and ones say the class, as of ISIC's challenges and
// Roboflow, it says what makes one column of them.
func (s *store) noLabelsIn(file string, o Options) error {
	type count struct{ zeros, others int }
	of, order := map[string]*count{}, []string{}
	rows := [][]string{nil} // the columns with a one in each row
	t := &table{store: s, Options: o, path: file, each: func(column, cell string) {
		c := of[column]
		if c == nil {
			c, order = &count{}, append(order, column)
			of[column] = c
		}
		switch strings.TrimSpace(cell) {
		case "1", "1.0", "1.":
			rows[len(rows)-1] = append(rows[len(rows)-1], column)
		case "0", "0.0", "0.":
			c.zeros++
		default:
			c.others++
		}
	}}
	_ = t.read(func(int, row) error { // what can't be read is said later
		if rows = append(rows, nil); len(rows) > lookedRows {
			return errEnough
		}
		return nil
	})
	var classes []string
	for _, column := range order {
		if c := of[column]; column != t.image && c.others == 0 && c.zeros > 0 && asksPart(column) == "" {
			classes = append(classes, column)
		}
	}
	single := 0 // rows
	rows = rows[:len(rows)-1]
	for _, ones := range rows {
		ones = slices.DeleteFunc(ones, func(column string) bool { return !slices.Contains(classes, column) })
		single += bit(len(ones) == 1)
	}
	if len(classes) < 2 || single == 0 {
		return noLabels()
	}
	how := "one 1 a row"
	if single != len(rows) {
		how = fmt.Sprintf("one 1 in %d of the first %d rows; leave the others out", single, len(rows))
	}
	some := slices.Clone(classes[:min(len(classes), mostNamed)])
	return fmt.Errorf("%w; found %d columns of 0 and 1, such as %q, with %s. Labels in such columns are not read: "+
		"in pandas, t[\"label\"] = t[CLASSES].idxmax(axis=1), with CLASSES for these columns, makes one of them", noLabels(), len(classes), some, how)
}
