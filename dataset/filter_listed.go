package dataset

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// listedFile is the file of an image that a table names, relative to the data; empty if it lies elsewhere.
func (f *filter) listedFile(table, file string) string {
	if f.root != "" {
		return ""
	}
	for _, rel := range []string{file, path.Join(path.Dir(table), file)} {
		if rel = filepath.ToSlash(filepath.Clean(filepath.FromSlash(rel))); f.there(rel) {
			return rel
		}
	}
	return ""
}

// there tells whether a path relative to the data is that of a file in them.
func (f *filter) there(rel string) bool {
	return filepath.IsLocal(filepath.FromSlash(rel)) && exists(filepath.Join(f.base, filepath.FromSlash(rel)))
}

// eachTable visits the tables of the data, and says which of them are links to others of them.
func (f *filter) eachTable(visit func(rel string, link bool, head tableLine, lines []tableLine)) error {
	real := atomicfile.Resolve(f.base)
	return f.eachFile(f.base, func(p string) error {
		rel, err := filepath.Rel(f.base, p)
		if err != nil || !isTableName(p) || f.only != "" && rel != f.only {
			return err
		}
		st, err := os.Lstat(p)
		if err != nil {
			return err
		}
		link := st.Mode()&fs.ModeSymlink != 0 && within(real, atomicfile.Resolve(p))
		head, lines, err := tableText(p)
		if err != nil {
			return nil //nolint:nilerr // no table
		}
		visit(filepath.ToSlash(rel), link, head, lines)
		return nil
	})
}

// otherRows looks through all tables. named are those of some files that rows name which are neither dropped nor images that were
// read: rows that were passed over, and other tables, which it notes. absolute are the tables with paths that inData makes relative.
func (f *filter) otherRows(here *finder, gone map[string]bool, drop map[string]map[int]bool) (named, absolute map[string]bool, err error) {
	read := map[string]map[int]bool{}
	for _, s := range []*Set{f.data.Train, f.data.Test} {
		for i := range s.count() {
			table, row := s.Listed(i)
			if read[table] == nil {
				read[table] = map[int]bool{}
			}
			read[table][row] = true
		}
	}
	ends := map[string][]string{}  // the files by the ends of their paths
	stems := map[string][]string{} // the same without their endings
	for at := range gone {
		for end, more := at, true; more; _, end, more = strings.Cut(end, "/") {
			ends[end] = append(ends[end], at)
			stems[withoutEnding(end)] = append(stems[withoutEnding(end)], at)
		}
	}
	named, absolute = map[string]bool{}, map[string]bool{}
	err = f.eachTable(func(table string, link bool, head tableLine, lines []tableLine) {
		stay := map[string]bool{}
		for k, l := range lines {
			if !absolute[table] && f.root == "" {
				_, absolute[table] = f.inData(here, table, f.imageCell(head, l))
			}
			if link || f.only != "" || read[table][k+1] || drop[table][k+1] {
				continue
			}
			all := f.meant(here, f.imageCell(head, l), table, stems) // other cells may be numbers
			for _, c := range l.cells {
				all = append(all, f.meant(here, c, table, ends)...)
			}
			for _, at := range all {
				named[at], stay[at] = true, true
			}
		}
		if len(stay) > 0 && read[table] == nil {
			f.note("%d dropped images stay as files, since %s names them", len(stay), table)
		}
	})
	return named, absolute, err
}

// meant are those files that a cell of a table may mean, as finder finds them, of some that are given by the ends of their paths.
func (f *filter) meant(here *finder, cell, table string, ends map[string][]string) (all []string) {
	for _, name := range []string{path.Clean(filepath.ToSlash(cell)), path.Clean(slashed(cell))} {
		of := ends[path.Base(name)]
		if len(of) == 0 {
			continue
		}
		at := name
		if rel, ok := f.inData(here, table, name); ok {
			at = rel
		} else if beside := path.Join(path.Dir(table), name); f.there(beside) {
			at = beside
		}
		if !f.there(at) {
			all = append(all, ends[name]...)
			continue
		}
		real := atomicfile.Resolve(filepath.Join(f.base, filepath.FromSlash(at)))
		for _, one := range of {
			if one == at || atomicfile.Resolve(filepath.Join(f.base, filepath.FromSlash(one))) == real {
				all = append(all, one)
			}
		}
	}
	return all
}

// inData returns a path of a file in the data relative to them, where it is absolute or leads out of them and back, as ../DATA/a.png does.
func (f *filter) inData(here *finder, table, cell string) (rel string, ok bool) {
	name := filepath.FromSlash(cell)
	if filepath.IsAbs(name) {
		if !inside(here.data, name) {
			return "", false
		}
		return here.data.rel(here.local(name)), true
	}
	for _, dir := range []string{path.Dir(table), "."} { // as finder looks for it
		at := filepath.Join(filepath.FromSlash(dir), filepath.FromSlash(slashed(cell)))
		if filepath.IsLocal(at) {
			return "", false
		}
		if at = filepath.Join(here.data.root, at); inside(here.data, at) && exists(at) {
			return here.data.rel(here.local(absolute(at))), true
		}
	}
	return "", false
}

// imageCell is what a row names its image by.
func (f *filter) imageCell(head, l tableLine) string {
	if head.raw == nil {
		cells, err := (&table{Options: f.opts}).jsonRow(bytes.TrimPrefix(l.raw, byteOrderMark))
		if err != nil {
			return ""
		}
		return cells.image
	}
	name, err := column(head.cells, pathColumns, f.opts.Image, "--image")
	if at := slices.Index(head.cells, name); err == nil && at >= 0 && at < len(l.cells) {
		return l.cells[at]
	}
	return ""
}

// relative is a row whose path of an image in the data is relative to its table, where inData says that it was not: what is written
// lies elsewhere.
func (f *filter) relative(here *finder, table string, head, l tableLine) (tableLine, error) {
	rel, ok := f.inData(here, table, f.imageCell(head, l))
	if !ok {
		return l, nil
	}
	rel, err := filepath.Rel(filepath.FromSlash(path.Dir(table)), filepath.FromSlash(rel))
	if err != nil {
		return l, err
	}
	f.note("%s: paths of files in the data that are absolute or lead out of them are relative to it now", table)
	return l.with(head, filepath.ToSlash(rel), pathColumns, f.opts.Image)
}

// copyListed copies the images that are kept of a table given alone.
func (f *filter) copyListed(kept map[string]bool) error {
	c := &treeCopy{filter: f, rewrite: func(string) func(from, to string) error { return nil }, listed: kept}
	for rel := range kept {
		if rel == "" {
			continue
		}
		if err := f.ctx.Err(); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(c.to(rel)), 0o777); err != nil {
			return err
		}
		st, err := os.Lstat(c.from(rel))
		if err != nil {
			return err
		}
		if st.Mode()&os.ModeSymlink != 0 {
			err = c.link(rel)
		} else {
			err = c.file(rel)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
