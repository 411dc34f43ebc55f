package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// way is a layout that data at a place fit.
type way struct {
	*Layout
	dir string
}

func (w way) String() string { return w.Name + ":" + w.dir }

// twoWays refuses data at a place in top that a second layout fits too, where none was named: a stray file must not take the
// place of a data set. Of layouts of which one alone can be read it returns that, and a note about the others.
func twoWays(top, at string, l *Layout, o Options) (string, *Layout, []string, error) {
	all := ways(top, at, l, o)
	if len(all) == 1 {
		return at, l, nil, nil
	}
	var work []way
	var notes []string
	for _, w := range all {
		why := w.fails(o)
		if why == nil && w.Name == "parquet" && all[len(all)-1].Name == "folder" && newStore(w.dir, o).oneHotInParquet(w.dir, o) != nil {
			why = fmt.Errorf("there are folders of classes, and its columns of 0 and 1 may be none; %v reads it", w)
		}
		if why != nil {
			name := w.files(o)
			notes = append(notes, fmt.Sprintf("%s is not read: %s", name, strings.TrimPrefix(why.Error(), name+": ")))
		} else {
			work = append(work, w)
		}
	}
	if len(work) == 0 {
		return at, l, nil, nil // what is wrong is said when it is opened
	}
	first := work[0]
	for _, other := range work[1:] {
		if first.Name != "table" || other.Name != "folder" {
			return "", nil, nil, fmt.Errorf("data %s: the layouts %s and %s both fit; %v reads %s, %v %s: name the one that is meant",
				first.dir, first.Name, other.Name, first, first.reads(o), other, other.reads(o))
		}
		isTable, note, err := orFolders(first.dir, other.dir, o)
		if err != nil {
			return "", nil, nil, err
		}
		if note != "" {
			notes = append(notes, note)
		}
		if !isTable {
			return other.dir, other.Layout, notes, nil
		}
	}
	return first.dir, first.Layout, notes, nil
}

// ways are the layouts that fit, beginning with the one that was recognised; folders of classes in it are the last.
func ways(top, at string, l *Layout, o Options) []way {
	fit, all := []way{{l, at}}, builtin()
	first := slices.IndexFunc(all, func(x Layout) bool { return x.Name == l.Name })
	for i := range all[first+1:] {
		other := &all[first+1+i]
		if o.used(other.Name) != nil {
			continue // what was asked for is no question of this one
		}
		if other.Name != "folder" {
			if other.Recognise(at, o) && (other.Name != "table" || firstImageIsThere(at, o)) {
				fit = append(fit, way{other, at})
			}
			continue
		}
		for _, dir := range places(top, o) {
			if (dir == at || within(at, dir)) && newStore(dir, o).classFolders(dir) != nil {
				fit = append(fit, way{other, dir})
			}
		}
	}
	return fit
}

// orFolders refuses data that have folders of classes too, but for those of which a table names every training image. Of a table
// of no training image, such as predictions, it returns a note.
func orFolders(at, dir string, o Options) (isTable bool, note string, err error) {
	s, f := newStore(at, o), newStore(dir, o)
	p := s.partFiles(at, tableSuffixes)
	tables := s.called(p.train)
	o = s.byIDs(p.train[0], o)
	if s.oneHotIn(p.train[0], o) != nil {
		return false, fmt.Sprintf("%s is not read: there are folders of classes, and its columns of 0 and 1 may be none; table:%s reads it", tables, at), nil
	}
	n := s.namedImages(at, f.classFolders(dir), o)
	parts, err := f.findFolders(dir)
	if err != nil || parts == nil {
		parts = &folders{}
	}
	ofTest := func(path string) bool {
		return parts.test != "" && within(parts.test, path) || parts.val != "" && within(parts.val, path)
	}
	if n.named == 0 && n.err == nil && !slices.ContainsFunc(n.sources, func(path string) bool { return !ofTest(path) }) {
		return false, fmt.Sprintf("%s is not read: it names none of the %d training images in folders of classes", tables, n.images), nil
	}
	if n.named < n.images {
		return false, "", fmt.Errorf("data %s: %s names %d of the %d training images in folders of classes; table:%s reads the table, folder:%s the folders: name the one that is meant",
			at, tables, n.named, n.images, at, dir)
	}
	for _, folder := range []string{parts.test, parts.val} {
		if folder != "" && len(p.test)+len(p.val) == 0 && len(f.imageFolders(folder)) > 0 && !slices.ContainsFunc(n.sources, ofTest) {
			return true, fmt.Sprintf("%s/ is not read, as %s names none of its images; folder:%s reads it", f.rel(folder), tables, dir), nil
		}
	}
	return true, "", nil
}

// fails says why data can't be read so: they can't be opened, or no image at their beginning has a label. Of tables and folders
// it says nothing.
func (w way) fails(o Options) error {
	if w.Name == "table" || w.Name == "folder" {
		return nil
	}
	c, err := w.Open(context.Background(), w.dir, o)
	if err != nil {
		return err
	}
	if w.Name == "cifar10" || w.Name == "cifar100" {
		record := int64(1 + 3*cifarPixels + bit(w.Name == "cifar100"))
		if c.Train.Claim%record != 0 {
			return fmt.Errorf("%d bytes, which are no records of %d", c.Train.Claim, record)
		}
	}
	numbers := &classes{}
	if c.Classes != nil {
		if numbers, err = namedClasses(c.Classes); err != nil {
			return err
		}
	}
	why, looked := errors.New("no image is in it"), 0
	err = c.Train.Records(func(r Record) error {
		looked++
		known := true
		if c.Classes != nil {
			_, known = numbers.of(r.Label)
		}
		switch {
		case r.Err != nil:
			why = r.Err
		case r.Label.kind == noLabel:
			why = errors.New("its images have no labels")
		case !known:
			why = fmt.Errorf("its images have other labels, such as %s", r.Label.describe())
		default:
			why = nil
			return errEnough
		}
		if looked == 16 {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return why
}

// files names the files of a layout.
func (w way) files(o Options) string {
	if w.Name == "numpy" {
		s, names := newStore(w.dir, o), map[string]bool{}
		files, _ := s.numpyFiles(w.dir, o) // an error comes again
		for _, a := range files {
			names[a.file] = true
		}
		return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
	}
	for layout, suffixes := range map[string][]string{"parquet": parquetSuffixes, "webdataset": shardSuffixes} {
		s := newStore(w.dir, o)
		if p := s.partFiles(w.dir, suffixes); w.Name == layout && len(p.train) > 0 {
			return s.called(p.train)
		}
	}
	if name := w.reads(o); name != unnamed {
		return name
	}
	return w.String()
}

const unnamed = "its files"

// reads says what a layout takes for the training images.
func (w way) reads(o Options) string {
	c, err := w.Open(context.Background(), w.dir, o)
	switch {
	case err == nil && c.Train != nil && c.Train.Name != "":
		return c.Train.Name
	case w.Name == "folder":
		return "the folders of classes"
	}
	return unnamed
}

// classFolders returns the folders that the images of classes lie in; none if these are fewer than two. Where the parts have no folder
// of their own, one whose name has the word of a part, such as test_images, is no class. It may be one called train.
func (s *store) classFolders(dir string) (classes []string) {
	f, err := s.findFolders(dir)
	if err != nil || f == nil {
		return nil
	}
	sure := 0
	for _, name := range s.imageFolders(f.train) {
		whole := splitOf(name)
		ofPart := f.train == dir && slices.ContainsFunc(letters(name), func(w string) bool { return splitOf(w) != "" })
		sure += bit(!ofPart)
		if !ofPart || whole == "train" {
			classes = append(classes, filepath.Join(f.train, name))
		}
	}
	if sure < 2 {
		return nil
	}
	return classes
}

// firstImageIsThere tells whether a table's first row names a file.
func firstImageIsThere(dir string, o Options) bool {
	s, there := newStore(dir, o), false
	file := s.partFiles(dir, tableSuffixes).train[0]
	t := &table{store: s, Options: s.byIDs(file, o), path: file}
	_ = t.read(func(n int, cells row) error {
		r := t.record(newFinder(s, o), n, cells)
		there = r.Err == nil && r.File != nil
		return errEnough
	})
	return there
}

// namedCount is what tables name of the images in folders of classes.
type namedCount struct {
	images, named int
	sources       []string // all files that they name and that are there
	err           error    // a table can't be read, or a name in it is that of several files
}

// namedImages counts the images in the folders of classes, and those of them that the tables at dir name.
func (s *store) namedImages(dir string, classes []string, o Options) (n namedCount) {
	of, f := map[string]bool{}, newFinder(s, o)
	p := s.partFiles(dir, tableSuffixes)
	for _, file := range slices.Concat(p.train, p.test, p.val) {
		t := &table{store: s, Options: o, path: file, bare: !slices.Contains(p.train, file)}
		err := t.read(func(k int, cells row) error { // what is wrong with it is said once it is chosen
			r := t.record(f, k, cells)
			if r.Err != nil && r.Err.Want == oneFile && n.err == nil {
				n.err = r.Err
			}
			if r.Err == nil && r.File != nil && !of[r.Source] {
				of[r.Source] = true
				n.sources = append(n.sources, filepath.Join(s.root, filepath.FromSlash(r.Source)))
			}
			return nil
		})
		if n.err == nil {
			n.err = err
		}
	}
	var real map[string]bool // the same without links
	isNamed := func(path string) bool {
		if of[s.rel(path)] {
			return true
		}
		if real == nil {
			real = map[string]bool{}
			for _, name := range n.sources {
				real[realPath(name)] = true
			}
		}
		return real[realPath(path)]
	}
	for _, class := range classes {
		_ = s.walk(class, func(path string, err error) error {
			if err == nil && s.isImageFile(path) {
				n.images++
				n.named += bit(isNamed(path))
			}
			return nil
		})
	}
	return n
}
