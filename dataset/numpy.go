package dataset

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NumPy: an .npz with images (uint8 N×H×W×C, or N×H×W) and labels, as x_train, y_train, x_test, y_test
// or images, labels; or a folder with such .npy files.

var numpyNames = map[string][2][]string{ // part: names of images, of labels
	"train": {{"x_train", "train_images", "train_x", "images", "x", "data"}, {"y_train", "train_labels", "train_y", "labels", "y", "targets"}},
	"test":  {{"x_test", "test_images", "test_x"}, {"y_test", "test_labels", "test_y"}},
	"val":   {{"x_val", "val_images", "val_x", "x_valid"}, {"y_val", "val_labels", "val_y", "y_valid"}},
}

func isNumPy(path string, o Options) bool {
	s := newStore(path, o)
	files, err := s.numpyFiles(path, o)
	if err != nil || holdsImages(files, o) {
		return true
	}
	if why := s.otherArrays(path, o); why != "" && o.noTables != nil {
		*o.noTables = append(*o.noTables, why)
	}
	return false
}

// holdsImages tells whether an array has a name that those of training images have.
func holdsImages(files map[string]*packedArray, o Options) bool {
	return slices.ContainsFunc(append(slices.Clone(numpyNames["train"][0]), strings.ToLower(o.Image)), func(n string) bool { return files[n] != nil })
}

// packedArray opens an array's file from its beginning and says how many bytes may come out of it.
type packedArray struct {
	file   string // where it lies
	called string // where it lies and its name there, where it is known by another one; or ""
	open   func() (io.ReadCloser, error)
	most   int64
	packed bool
}

// numpyFiles returns the arrays by their names in small letters: those in one place or, where they hold no images, in a place a part.
func (s *store) numpyFiles(path string, o Options) (map[string]*packedArray, error) {
	all, zips, err := s.arraysIn(path, o)
	if err == nil && len(zips) != 1 && !holdsImages(all, o) {
		if of := s.arraysOfParts(path, zips, o); of != nil {
			return of, nil
		}
	}
	return all, err
}

// arraysIn returns the arrays of .npy files, or, where they hold no images, of the only .npz beside them. It refuses images in both.
func (s *store) arraysIn(path string, o Options) (all map[string]*packedArray, zips []string, err error) {
	st, err := s.stat(path)
	switch {
	case err != nil:
		return nil, nil, nil
	case !st.IsDir() && strings.HasSuffix(strings.ToLower(path), ".npz"):
		return s.zipArrays(path, true), []string{path}, nil
	case !st.IsDir():
		return nil, nil, nil
	}
	entries, _ := os.ReadDir(path)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return passedOver(e.Name()) })
	all = map[string]*packedArray{}
	for _, e := range entries {
		name, p := strings.ToLower(e.Name()), filepath.Join(path, e.Name())
		switch filepath.Ext(name) {
		case ".npz":
			zips = append(zips, p)
		case ".npy":
			st, err := s.stat(p)
			if err == nil && st.IsDir() {
				continue
			}
			a := &packedArray{file: s.rel(p), open: func() (io.ReadCloser, error) {
				f, _, err := s.open(p)
				return f, err
			}}
			if err == nil {
				a.most = st.Size()
			}
			putArray(all, strings.TrimSuffix(name, ".npy"), a)
		}
	}
	if !holdsImages(all, o) {
		if len(zips) == 1 {
			return s.zipArrays(zips[0], len(entries) == 1), zips, nil
		}
		return all, zips, nil
	}
	for _, p := range zips {
		if holdsImages(s.zipArrays(p, false), o) {
			return nil, nil, fmt.Errorf("%s and the .npy files beside it both hold images; numpy:%s reads it alone", s.rel(p), p)
		}
	}
	return all, zips, nil
}

// zipArrays returns the arrays of an archive. Of one that can't be read it returns none, or, if it is all that there is, two
// that can't be opened.
func (s *store) zipArrays(path string, only bool) map[string]*packedArray {
	unread := func(err error) map[string]*packedArray {
		if !only {
			return nil
		}
		a := &packedArray{file: s.rel(path), open: func() (io.ReadCloser, error) { return nil, err }}
		return map[string]*packedArray{"x_train": a, "y_train": a}
	}
	f, size, err := s.open(path)
	if err != nil {
		return unread(err)
	}
	defer f.Close()
	z, err := zip.NewReader(f, size)
	if err != nil {
		return unread(fmt.Errorf("%s: %w", s.rel(path), err))
	}
	all := map[string]*packedArray{}
	for i, e := range z.File {
		if passedOverPath(e.Name) || i > maxArrays {
			continue
		}
		name := e.Name
		most := min(int64(min(e.UncompressedSize64, 1<<62)), 1<<20+maxRatio*size)
		putArray(all, strings.ToLower(strings.TrimSuffix(name, ".npy")), &packedArray{
			s.rel(path), "", func() (io.ReadCloser, error) { return s.openInZip(path, name, 1<<20+maxRatio*size) }, most, e.Method != zip.Store,
		})
	}
	return all
}

// putArray adds an array. Two of one name can't be opened.
func putArray(all map[string]*packedArray, name string, a *packedArray) {
	if all[name] != nil {
		a.open = func() (io.ReadCloser, error) {
			return nil, fmt.Errorf("%s: two arrays are called %s, in small letters or large", a.file, name)
		}
	}
	all[name] = a
}

// maxArrays bounds the entries of an .npz file that are looked at.
const maxArrays = 1000

// openInZip opens one entry and closes the archive with it.
func (s *store) openInZip(path, name string, most int64) (io.ReadCloser, error) {
	file, size, err := s.open(path)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		file.Close()
		return nil, err
	}
	f, err := z.Open(name)
	if err != nil {
		file.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{&bounded{f, most}, closers{f, file}}, nil
}

type closers []io.Closer

func (c closers) Close() error {
	var first error
	for _, x := range c {
		if err := x.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func openNumPy(_ context.Context, path string, o Options) (*Contents, error) {
	s := newStore(path, o)
	files, err := s.numpyFiles(path, o)
	if err != nil {
		return nil, err
	}
	var columns *partColumns
	by := ""      // the array that parts the training images
	inner := path // the folder that these lie in
	part := func(name string) (*Part, error) {
		names := numpyNames[name]
		image, label := "", ""
		if name == "train" {
			image, label = o.Image, o.Label
		}
		images, err := oneOf(names[0], image, "--image", func(n string) bool { return files[n] != nil })
		if err != nil || images == "" {
			return nil, err
		}
		labels, err := oneOf(names[1], label, "--label", func(n string) bool { return files[n] != nil })
		if err != nil {
			return nil, err
		}
		if labels == "" && name == "train" {
			return nil, fmt.Errorf("expected labels beside %s, named %s", images, strings.Join(names[1], ", "))
		}
		a, err := numpyImages(files[images], cmp.Or(files[images].called, images))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmp.Or(files[images].called, images), err)
		}
		if labels != "" {
			a.labelsName = cmp.Or(files[labels].called, labels)
			if a.labels, err = numpyLabels(files[labels]); err != nil {
				return nil, fmt.Errorf("%s: %w", a.labelsName, err)
			}
		}
		if name == "train" {
			inner = filepath.Join(s.root, filepath.Dir(filepath.FromSlash(files[images].file)))
			if columns, err = a.parted(files, o); err != nil {
				return nil, err
			}
			by = a.split.by()
		}
		return arrayPart([]arrays{*a})
	}
	c := &Contents{}
	if c.Train, err = part("train"); err != nil {
		return nil, err
	}
	if c.Train == nil {
		if why := s.otherArrays(path, o); why != "" {
			return nil, errors.New(why)
		}
		return nil, fmt.Errorf("expected arrays of images named %s", strings.Join(numpyNames["train"][0], ", "))
	}
	if c.Test, err = part("test"); err != nil {
		return nil, err
	}
	if c.Validation, err = part("val"); err != nil {
		return nil, err
	}
	if c.Classes, err = numpyClasses(path); err == nil && c.Classes == nil {
		c.Classes, err = numpyClasses(inner)
	}
	if err != nil {
		return nil, err
	}
	of := parts{}
	for _, p := range []*Part{c.Test, c.Validation} {
		if p != nil {
			of.test = append(of.test, p.Name)
		}
	}
	return c, s.partedBy(c, of, columns, by)
}

// oneOf picks the known name that is there, or the one that was asked for in whatever letters, and refuses a choice between two.
func oneOf(known []string, asked, flag string, has func(string) bool) (string, error) {
	if asked != "" {
		if small := strings.ToLower(asked); has(small) {
			return small, nil
		}
		return "", fmt.Errorf("%s %s: not there", flag, asked)
	}
	var found []string
	for _, n := range known {
		if has(n) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q and %q could both be meant; %s NAME says which", found[0], found[1], flag)
}

func numpyImages(p *packedArray, name string) (*arrays, error) {
	in, err := p.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	head, err := npyHead(in)
	if err != nil {
		return nil, err
	}
	if head.kind != "u1" {
		return nil, fmt.Errorf(`an array of %s, expected uint8; x.astype("uint8") makes it of numbers from 0 to 255, (255*x).round().astype("uint8") of those from 0 to 1`, head.kind)
	}
	a := &arrays{name: name, packed: p.packed, image: Raw{Channels: 1}}
	switch d := head.dims; {
	case len(d) == 3:
		a.image.Height, a.image.Width = d[1], d[2]
	case len(d) == 4 && (d[3] == 1 || d[3] == 3 || d[3] == 4):
		a.image.Height, a.image.Width, a.image.Channels = d[1], d[2], d[3]
	case len(d) == 4 && (d[1] == 1 || d[1] == 3):
		a.image.Channels, a.image.Height, a.image.Width, a.image.Planar = d[1], d[2], d[3], true
	default:
		return nil, fmt.Errorf("the shape %v, expected N×H×W×C", d)
	}
	if err := a.bound(head.dims[0], p.most-head.size); err != nil {
		return nil, err
	}
	a.open = func() (io.ReadCloser, error) {
		in, err := p.open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		_, err = npyHead(in)
		return in, err
	}
	return a, nil
}
