package dataset

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// twoWays refuses data at a place in top that a second layout fits too, where none was named: a stray file must not take the
// place of a data set.
func twoWays(top, at string, l *Layout, o Options) error {
	all := builtin()
	first := slices.IndexFunc(all, func(x Layout) bool { return x.Name == l.Name })
	for i := range all[first+1:] {
		other := &all[first+1+i]
		if o.used(other.Name) != nil {
			continue // what was asked for is no question of this one
		}
		if other.Name == "folder" {
			if err := orFolders(top, at, l, o); err != nil {
				return err
			}
		} else if other.Recognise(at, o) && (other.Name != "table" || firstImageIsThere(at, o)) {
			return bothFit(l, at, other, at, o)
		}
	}
	return nil
}

// orFolders refuses data that have folders of classes too, but for those of which a table names every training image.
func orFolders(top, at string, l *Layout, o Options) error {
	for _, dir := range places(top, o) {
		if dir != at && !within(at, dir) {
			continue
		}
		classes := newStore(dir, o).classFolders(dir)
		if classes == nil {
			continue
		}
		if l.Name != "table" {
			return bothFit(l, at, layoutNamed(builtin(), "folder"), dir, o)
		}
		s := newStore(at, o)
		if images, named := s.namedImages(at, classes, o); named < images {
			tables := s.called(s.partFiles(at, tableSuffixes).train)
			return fmt.Errorf("data %s: %s names %d of the %d training images in folders of classes; table:%s reads the table, folder:%s the folders: name the one that is meant",
				top, tables, named, images, at, dir)
		}
	}
	return nil
}

func bothFit(a *Layout, atA string, b *Layout, atB string, o Options) error {
	return fmt.Errorf("data %s: the layouts %s and %s both fit; %s:%s reads %s, %s:%s %s: name the one that is meant",
		atA, a.Name, b.Name, a.Name, atA, reads(a, atA, o), b.Name, atB, reads(b, atB, o))
}

// reads says what a layout takes for the training images.
func reads(l *Layout, dir string, o Options) string {
	c, err := l.Open(context.Background(), dir, o)
	switch {
	case err == nil && c.Train != nil && c.Train.Name != "":
		return c.Train.Name
	case l.Name == "folder":
		return "the folders of classes"
	}
	return "its files"
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
	t := &table{store: s, Options: o, path: s.partFiles(dir, tableSuffixes).train[0]}
	_ = t.read(func(n int, cells row) error {
		r := t.record(newFinder(s, o), n, cells)
		there = r.Err == nil && r.File != nil
		return errEnough
	})
	return there
}

// namedImages counts the images in the folders of classes, and those of them that the tables at dir name.
func (s *store) namedImages(dir string, classes []string, o Options) (images, named int) {
	of, f := map[string]bool{}, newFinder(s, o)
	p := s.partFiles(dir, tableSuffixes)
	for _, file := range slices.Concat(p.train, p.test, p.val) {
		t := &table{store: s, Options: o, path: file}
		_ = t.read(func(n int, cells row) error { // what is wrong with it is said once it is chosen
			if r := t.record(f, n, cells); r.Err == nil && r.File != nil {
				of[r.Source] = true
			}
			return nil
		})
	}
	var real map[string]bool // the same without links
	isNamed := func(path string) bool {
		if of[s.rel(path)] {
			return true
		}
		if real == nil {
			real = map[string]bool{}
			for name := range of {
				real[realPath(filepath.Join(s.root, filepath.FromSlash(name)))] = true
			}
		}
		return real[realPath(path)]
	}
	for _, class := range classes {
		_ = s.walk(class, func(path string, err error) error {
			if err == nil && s.isImageFile(path) {
				images++
				named += bit(isNamed(path))
			}
			return nil
		})
	}
	return images, named
}
