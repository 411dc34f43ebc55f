package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/rng"
)

// filter is the writing of data without some of its training images.
type filter struct {
	ctx   context.Context //nolint:containedctx // lives for one call of Correct
	data  *Data
	drop  []bool
	base  string // the data's folder
	only  string // the data's file in it, if they are one
	dir   string // where it is written
	final string // what becomes of dir
	root  string // where a table's files are instead; they stay there

	files   map[string]bool         // images that are files and don't stay where they are, relative to base
	rows    map[string]*change      // of files of many images
	bad     map[string]map[int]bool // rows of tables that could not be read
	members []string                // samples of shards likewise, by what they are called
	moves   moves
	notes   []string

	labels []int32 // the classes of images under other labels, −1 for the rest; nil: all keep theirs
	opts   Options
}

// change is what becomes of a file's rows.
type change struct {
	drop  map[int]bool
	label map[int]int32 // the classes of rows under other labels
}

// Correct writes the data without the training images marked in drop to the folder out, in its own layout and with its
// own bytes: files are copied, links stay links, rows and members are written as they were. labels, unless nil, hold the class that
// each training image shall have, or −1 where it keeps its own; the order of the images may then change. out appears whole or not at
// all. d must be as Load returned it for o, with neither Size nor Limit. What was written is read again and compared with
// what was to be kept; an error is returned, and out is not there, if they differ. notes are sentences that users have
// to know.
func Correct(ctx context.Context, d *Data, o Options, drop []bool, labels []int32, out string) (notes []string, err error) {
	if len(drop) != d.Train.Len() || labels != nil && len(labels) != len(drop) {
		return nil, fmt.Errorf("%d marks and %d labels for %d images", len(drop), len(labels), d.Train.Len())
	}
	if filters[d.Layout] == nil {
		return nil, fmt.Errorf("data of the format %s can't be written; a list of what is kept can (--list)", d.Layout)
	}
	f := &filter{ctx: ctx, data: d, drop: drop, base: d.Path, final: out, root: o.Root, files: map[string]bool{}, rows: map[string]*change{}, bad: map[string]map[int]bool{}, labels: labels, opts: o}
	if st, err := os.Stat(d.Path); err == nil && !st.IsDir() {
		f.base, f.only = filepath.Dir(d.Path), filepath.Base(d.Path)
	} else if err := Outside(out, d.Path); err != nil {
		return nil, err
	}
	for i, gone := range drop {
		if file, row := d.Train.origin(i); gone || f.relabelled(i) {
			f.mark(file, row, i)
		}
	}
	if tables := f.store().partFiles(d.Path, tableSuffixes).train; d.Layout == "table" && len(tables) > 0 {
		f.opts = f.store().byIDs(tables[0], o)
	}
	if err := f.leaveOut(); err != nil {
		return nil, err
	}
	err = atomicfile.Folder(out, func(dir string) error {
		f.dir = dir
		if err := filters[d.Layout](f); err != nil {
			return err
		}
		if err := f.check(o); err != nil {
			return fmt.Errorf("%w%s", err, f.emptied())
		}
		return nil
	})
	return f.notes, err
}

// filters write the layouts.
var filters = map[string]func(f *filter) error{
	"cifar10":      func(f *filter) error { return f.cifar(1) },
	"cifar100":     func(f *filter) error { return f.cifar(2) },
	"cifar-python": (*filter).pickles,
	"gtsrb":        (*filter).folder,
	"folder":       (*filter).folder,
	"table":        (*filter).table,
	"idx":          (*filter).idx,
	"numpy":        (*filter).numpy,
	"parquet":      (*filter).parquet,
	"webdataset":   (*filter).shards,
}

// Outside refuses a folder to write to that is the data's, or lies in it: what is written would become data.
func Outside(out, data string) error {
	if _, rest, ok := strings.Cut(data, ":"); ok {
		if _, err := os.Stat(data); err != nil { // layout:DIR
			data = rest
		}
	}
	if liesIn(out, data) {
		return fmt.Errorf("%s lies in the data %s; choose another --out", out, data)
	}
	return nil
}

// liesIn tells whether a path is a folder, or lies in it.
func liesIn(path, folder string) bool {
	st, err := os.Stat(folder)
	if err != nil || !st.IsDir() {
		return false // there is no folder to be in; reading it says what is wrong
	}
	return atomicfile.Within(path, folder)
}

// origin is where image i came from: a file, and the row in it or -1.
func (s *Set) origin(i int) (file string, row int) {
	if i >= len(s.file) {
		return "", -1
	}
	return s.Files[s.file[i]], int(s.row[i])
}

func (f *filter) mark(file string, row, i int) {
	if row < 0 {
		f.files[file] = true
		return
	}
	if f.drop[i] {
		f.change(file).drop[row] = true
	} else {
		f.change(file).label[row] = f.labels[i]
	}
}

// change is what becomes of the rows of a file.
func (f *filter) change(file string) *change {
	if f.rows[file] == nil {
		f.rows[file] = &change{map[int]bool{}, map[int]int32{}}
	}
	return f.rows[file]
}

// check reads what was written and compares it with what was to be kept.
func (f *filter) check(o Options) error {
	o.Limit = 0
	o.undecoded = len(f.data.Skipped) == 0 // digests tell, but not which images are bad
	if t := f.data.Train; t.Height == t.Width {
		o.Size = t.Height // of mixed sizes what is left may have one
	}
	got, err := Load(f.ctx, f.data.Layout+":"+filepath.Join(f.dir, f.only), o)
	if err != nil {
		return fmt.Errorf("what is left can't be read: %w", err)
	}
	var keep []int
	for i, gone := range f.drop {
		if !gone {
			keep = append(keep, i)
		}
	}
	compare := same
	if f.labels != nil {
		compare = f.corrected
	}
	if err := compare(f.data.Train, keep, got.Train); err != nil {
		return fmt.Errorf("written training images differ from those to be kept: %w", err)
	}
	if f.data.Unlabelled != got.Unlabelled {
		return fmt.Errorf("of %d test images without labels %d were written", f.data.Unlabelled, got.Unlabelled)
	}
	if f.data.Test == nil || got.Test == nil {
		if f.data.Test.count() != got.Test.count() {
			return fmt.Errorf("of %d test images %d were written", f.data.Test.count(), got.Test.count())
		}
		return nil
	}
	if err := same(f.data.Test, rng.Iota(f.data.Test.Len()), got.Test); err != nil {
		return fmt.Errorf("written test images differ: %w", err)
	}
	return nil
}

// emptied names the classes of which no training image is kept, which some layouts then don't know.
func (f *filter) emptied() string {
	kept := make([]int, len(f.data.Train.Classes))
	for i, gone := range f.drop {
		if !gone {
			kept[f.class(i)]++
		}
	}
	var empty []string
	for c, n := range f.data.Train.Counts() {
		if n > 0 && kept[c] == 0 {
			empty = append(empty, f.data.Train.Classes[c])
		}
	}
	if len(empty) == 0 {
		return ""
	}
	return fmt.Sprintf("; every training image of the classes %q would be dropped", empty)
}

func (s *Set) count() int {
	if s == nil {
		return 0
	}
	return s.Len()
}

// same reports where the images at of one set are not those of another, in order and with their classes' names.
func same(a *Set, at []int, b *Set) error {
	if len(at) != b.Len() {
		return fmt.Errorf("%d are expected, %d are there", len(at), b.Len())
	}
	for k, i := range at {
		if a.ImageDigest(i) != b.ImageDigest(k) {
			return fmt.Errorf("image %d should be %s, is %s", k, a.Source(i), b.Source(k))
		}
		if want, got := a.Classes[a.Labels[i]], b.Classes[b.Labels[k]]; want != got {
			return fmt.Errorf("%s has the label %q, not %q", b.Source(k), got, want)
		}
	}
	return nil
}

// path returns where a file that an image's origin names lies: relative to the data's folder or, as errors name it, by
// its last element.
func (f *filter) path(name string, among []string) string {
	for _, p := range among {
		if rel, err := filepath.Rel(f.base, p); err == nil && filepath.ToSlash(rel) == name {
			return p
		}
	}
	found := ""
	for _, p := range among {
		if filepath.Base(p) == name {
			if found != "" {
				return "" // which one is not said
			}
			found = p
		}
	}
	return found
}

// rewrites copies the data, but writes some of its files, given by their paths, with functions of their own.
func (f *filter) rewrites(of map[string]func(from, to string) error) error {
	return f.copyTree(func(rel string) func(from, to string) error {
		return of[filepath.Join(f.base, filepath.FromSlash(rel))]
	})
}

// rewriteRows copies the data, but writes the files whose rows change with a function of their own.
func (f *filter) rewriteRows(among []string, write func(from, to string, c *change) error) error {
	rows, err := f.rowFiles(among)
	if err != nil {
		return err
	}
	of := map[string]func(from, to string) error{}
	for p, c := range rows {
		of[p] = func(from, to string) error { return write(from, to, c) }
	}
	return f.rewrites(of)
}

// rowFiles finds the files whose rows change.
func (f *filter) rowFiles(among []string) (map[string]*change, error) {
	found := map[string]*change{}
	for name, rows := range f.rows {
		p := f.path(name, among)
		if p == "" {
			return nil, fmt.Errorf("%s: no such file among %q", name, among)
		}
		found[p] = rows
	}
	return found, nil
}

func (f *filter) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(f.notes, n) {
		f.notes = append(f.notes, n)
	}
}
