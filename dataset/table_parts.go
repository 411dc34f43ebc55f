package dataset

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tables that list the images of several parts: by a column that says the part, or by the folders of the parts.

var boxColumns = []string{"xmin", "ymin", "x_min", "y_min", "x1", "y1", "bbox", "bbox_x", "bbox_y", "box"}

// named returns the first of the names, in any case, that is among others, or "".
func named(head, names []string) string {
	for _, h := range head {
		if slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) {
			return h
		}
	}
	return ""
}

// columnIndex is a column's index, or -1.
func columnIndex(head []string, name string) int {
	if name == "" { // one of that name is none that was found
		return -1
	}
	return slices.Index(head, name)
}

// folderPart is the part whose folder a record's file lies in, seen from the data or from its table; cell is what names it.
func (t *table) folderPart(r *Record, cell string) string {
	file := r.Source
	if r.Err != nil {
		if file = strings.TrimPrefix(slashed(cell), "./"); path.IsAbs(file) || drive.MatchString(file) {
			return "" // of folders elsewhere
		}
	}
	if part := partOfFolder(file); part != "" {
		return part
	}
	if below, err := filepath.Rel(filepath.Dir(t.rel(t.path)), file); err == nil {
		return partOfFolder(filepath.ToSlash(below))
	}
	return ""
}

// partedBy is parted where folders say nothing. Without such a column no row is read.
func (s *store) partedBy(c *Contents, p parts, columns *partColumns, by string) error {
	if by == "" && len(p.test)+len(p.val) == 0 {
		c.Notes = append(c.Notes, columns.unclear(c.Train.Name)...)
		return nil
	}
	return s.parted(c, p, columns, by)
}

// parted divides the only part of tables where their rows say that they are of several, in the column by or by their folders.
func (s *store) parted(c *Contents, p parts, columns *partColumns, by string) error {
	if len(p.test)+len(p.val) > 0 {
		if by != "" {
			c.Notes = append(c.Notes, fmt.Sprintf("all rows of %s are read as training images, as other tables hold the test images, although its column %q names other parts", c.Train.Name, by))
		}
		return nil
	}
	cells, folders, strange := map[string]int{}, map[string]int{}, map[bool]string{}
	_ = c.Train.Records(func(r Record) error { // its error is said when it is read
		for how, part := range map[bool]string{true: r.split, false: r.folder} {
			if r.Err != nil && part == "" {
				continue
			}
			if part == "" && strange[how] == "" {
				if strange[how] = r.Source; max(r.TableRow, r.Row) >= 0 {
					strange[how] = fmt.Sprintf("row %d of %s", max(r.TableRow, r.Row), cmp.Or(r.Table, r.Source))
				}
			}
			if how {
				cells[part]++
			} else {
				folders[part]++
			}
		}
		return nil
	})
	of, n, how, byCell := func(r *Record) string { return r.split }, cells, fmt.Sprintf("the column %q", by), true
	if !severalParts(cells) {
		ofPart := func(file string) bool { return partOf(filepath.Base(file)) != "" || partOfFolder(s.rel(file)) != "" }
		if !severalParts(folders) || slices.ContainsFunc(p.train, ofPart) {
			c.Notes = append(c.Notes, columns.unclear(c.Train.Name)...)
			return nil
		}
		of, n, how, byCell = func(r *Record) string { return r.folder }, folders, "the folders of its images", false
	}
	if n[""] > 0 {
		return fmt.Errorf("%s lists training and test images, by %s; of which of them is %s? Give each row train, test or val in a column split, or each part files of its own, as train.csv and test.csv",
			c.Train.Name, how, strange[byCell])
	}
	whole := c.Train
	part := func(name string) *Part {
		if n[name] == 0 {
			return nil
		}
		return &Part{Name: whole.Name + " (" + name + ")", Records: func(yield func(Record) error) error {
			return whole.Records(func(r Record) error {
				if cmp.Or(of(&r), "train") != name {
					return nil
				}
				return yield(r)
			})
		}}
	}
	c.Train, c.Test, c.Validation = part("train"), part("test"), part("val")
	c.Train.notes = whole.notes
	c.Notes = append(c.Notes, fmt.Sprintf("%s lists images of several parts, by %s: %d for the training, %d for the test, %d for validation", whole.Name, how, n["train"], n["test"], n["val"]))
	return nil
}

// objects counts the images that a table names under several labels.
type objects struct {
	labels map[string]Label
	twice  map[string]bool
	first  string
}

func (o *objects) add(r *Record) {
	if r.Err != nil || r.File == nil || r.Label.kind == noLabel {
		return
	}
	if o.labels == nil {
		o.labels, o.twice = map[string]Label{}, map[string]bool{}
	}
	before, ok := o.labels[r.Source]
	if !ok {
		o.labels[r.Source] = r.Label
	} else if before != r.Label {
		o.twice[r.Source] = true
		o.first = cmp.Or(o.first, fmt.Sprintf("%s is %s and %s", r.Source, before.describe(), r.Label.describe()))
	}
}

// check refuses a table with a row an object, or a label: the images of some are not one class's. A few images under two labels
// are read: they may be what is looked for.
func (o *objects) check(boxes bool) error {
	if n := len(o.twice); n == 0 || !boxes && (n < 10 || 10*n < len(o.labels)) {
		return nil
	}
	return fmt.Errorf("%d of %d images have several labels, such as %s: is a row an object in an image? Expected a row an image, with one label", len(o.twice), len(o.labels), o.first)
}
