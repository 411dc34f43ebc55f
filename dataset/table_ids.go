package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Tables that name images by ids, as Kaggle's do: a column id, and files of those names with an ending.

// idRows of a table have to name images.
const idRows = 16

// idsIn are the columns of a table that may hold ids; none where another column names files.
func idsIn(head []string) (ids []string) {
	for _, h := range head {
		switch name := strings.ToLower(strings.TrimSpace(h)); {
		case slices.Contains(pathColumns, name):
			return nil
		case slices.Contains(idColumns, name) && !slices.Contains(ids, h):
			ids = append(ids, h)
		}
	}
	return ids
}

// byIDs asks for the column of ids where nothing else is asked for, if there is one alone and its first rows name images.
func (s *store) byIDs(file string, o Options) Options {
	if o.Image != "" {
		return o
	}
	ids := idsIn(s.headOf(file, o))
	if len(ids) != 1 {
		return o
	}
	asked, f, images, others := o, newFinder(s, o), 0, 0
	asked.Image = ids[0]
	t := &table{store: s, Options: asked, path: file, bare: true}
	_ = t.read(func(n int, cells row) error {
		if r := t.record(f, n, cells); r.Err == nil && r.File != nil && IsImage(r.Source) {
			images++
		} else {
			others++
		}
		if images+others == idRows || others > 0 {
			return errEnough
		}
		return nil
	})
	if images == 0 || others > 0 {
		return o
	}
	return asked
}

// headOf are the columns of a table, or those of its first row.
func (s *store) headOf(file string, o Options) []string {
	t := &table{store: s, Options: o, path: file, bareHead: true}
	_ = t.read(func(int, row) error { return errEnough })
	return t.head
}

// noFiles is the error of a table with these columns.
func noFiles(head []string) error {
	such := ""
	if ids := idsIn(head); len(ids) > 0 {
		such = fmt.Sprintf(", as --image %s if that holds the names of image files, with their endings or without", ids[0])
	}
	return fmt.Errorf("expected a column of files (%s), or --image COLUMN%s", strings.Join(pathColumns, ", "), such)
}
