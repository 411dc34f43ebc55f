package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options says how to read. The zero value reads everything as it is.
type Options struct {
	// Size is the height and width that images are resized to. 0 keeps what they show: their own size if they agree, else the
	// median of their shorter sides, neither above 224 pixels. Data.Notes say what was chosen and how many images lost detail.
	Size int
	// Width is another width than Size; 0: the same.
	Width int
	// SkipBad passes over unreadable records and reports them in Data.Skipped.
	SkipBad bool
	// Limit keeps the first Limit training images of a shuffle by Seed; 0 keeps all. Others are not decoded, and may be damaged. With
	// SkipBad all are decoded, and the shuffle is of the readable ones.
	Limit int
	Seed  uint64
	// Only names the part whose images are wanted: OnlyTrain, or OnlyTest, which is of the training images where there are no test
	// images; empty: both. The other part then has labels and sources, but neither pixels nor digests, unless SkipBad has the test
	// images read too.
	Only string
	// Label and Image name the columns of the labels and the images in tables, Parquet and the JSON of WebDataset;
	// empty: one of the usual names, if there is one alone.
	Label, Image string
	// Root is the folder that the paths in a table are in, where that is not the data's.
	Root string
	// NoFollow refuses links to files outside the data.
	NoFollow bool
	// Depth is how many bits the samples of images with 16 bits a sample really have, 8 to 16; 0: judged by the brightest.
	Depth int
	// Store is a folder for files of decoded images. They are mapped, so that sets may be larger than memory, and used again by
	// the next reading of the same images at the same size. Empty: images that would take more than half of the memory go to
	// DefaultStore, others into memory.
	Store string
	// Smaller is a shorter side that larger training images are needed at too, beside those that are read: what there is no room for
	// is refused before anything is decoded. 0: none are.
	Smaller int
	// Watch is told how many records of a part were read, of how many; nil: nobody.
	Watch func(part string, read, of int)
	// Tell is told a sentence before something that takes long or much; nil: nobody.
	Tell func(text string)
	// Classes are those that the data may have. A folder of one of them alone is data too; empty: two are needed.
	Classes []string
	// Layouts are further layouts, tried before the built-in ones.
	Layouts []Layout

	noTables  *[]string // what keeps tables from being recognised; may be nil
	undecoded bool      // no pixels are made: labels and digests are enough
}

func (o Options) check() error {
	switch {
	case o.Size < 0 || o.Width < 0 || o.Limit < 0:
		return fmt.Errorf("size %d, width %d and limit %d, expected 0 or more", o.Size, o.Width, o.Limit)
	case o.Width > 0 && o.Size == 0:
		return fmt.Errorf("width %d without a size", o.Width)
	case o.Only != "" && o.Only != OnlyTrain && o.Only != OnlyTest:
		return fmt.Errorf("the part %q, expected %s or %s", o.Only, OnlyTrain, OnlyTest)
	case o.Depth != 0 && (o.Depth < 8 || o.Depth > 16):
		return fmt.Errorf("%d bits a sample, expected 8 to 16, or 0 for what the images need", o.Depth)
	}
	if o.Root != "" {
		if st, err := os.Stat(o.Root); err != nil || !st.IsDir() {
			return fmt.Errorf("root %s: expected a folder", o.Root)
		}
	}
	return nil
}

// Load reads the data at spec: a folder, table or archive whose layout is recognised, or layout:path. The data may lie
// in a single folder in the one that is named.
func Load(ctx context.Context, spec string, o Options) (*Data, error) {
	dir, l, notes, err := find(spec, o)
	if err != nil {
		return nil, err
	}
	d, err := open(ctx, l, dir, o, notes)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("data %s: %w", l.Name+":"+dir, err)
	}
	if o.Limit > 0 && o.Limit < d.Train.Len() {
		d.Train = d.Train.pick(firstShuffled(o, d.Train.Len()))
	}
	return d, nil
}

// find says where the data at spec lie, in which layout, and what users have to know about the choice.
func find(spec string, o Options) (dir string, l *Layout, notes []string, err error) {
	if err := o.check(); err != nil {
		return "", nil, nil, err
	}
	layouts := slices.Concat(o.Layouts, builtin())
	dir = spec
	if name, rest, ok := strings.Cut(spec, ":"); ok {
		if l = layoutNamed(layouts, name); l != nil {
			dir = rest
		}
	}
	st, err := os.Stat(dir)
	if err != nil {
		return "", nil, nil, fmt.Errorf("data %s: %w", spec, err)
	}
	if kind := specialFile(st.Mode()); kind != "" {
		return "", nil, nil, fmt.Errorf("data %s: expected a folder or a file, found %s", spec, kind)
	}
	top, named, noTables := dir, l, []string(nil)
	o.noTables = &noTables
	if dir, l = recognise(layouts, named, dir, o); l == nil {
		return "", nil, nil, &UnrecognisedError{dir, layouts, noTables}
	}
	if named == nil && l.Name == "folder" && len(noTables) > 0 {
		if _, err := newStore(dir, o).findFolders(dir); err != nil {
			return "", nil, nil, fmt.Errorf("data folder:%s: %w; and no table says what they show: %s", dir, err, strings.Join(noTables, "; "))
		}
	}
	if o.Store != "" && liesIn(o.Store, dir) {
		return "", nil, nil, fmt.Errorf("store %s: it lies in the data %s; choose another --store", o.Store, dir)
	}
	if layoutNamed(o.Layouts, l.Name) != nil {
		return dir, l, nil, nil
	}
	if err = o.used(l.Name); err != nil {
		return dir, l, nil, fmt.Errorf("data %s:%s: %w", l.Name, dir, err)
	}
	if named == nil {
		dir, l, notes, err = twoWays(top, dir, l, o)
	}
	if err == nil {
		notes = append(notes, newStore(top, o).besideNote(top, dir)...)
	}
	return dir, l, notes, err
}

// besideNote says which folders beside the one that is read are not.
func (s *store) besideNote(top, dir string) []string {
	if dir == top || filepath.Dir(dir) != filepath.Clean(top) {
		return nil
	}
	beside := slices.DeleteFunc(s.subfolders(top), func(name string) bool { return name == filepath.Base(dir) })
	if len(beside) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("what is read is %s; not the folders beside it, %q", dir, beside[:min(len(beside), mostNamed)])}
}

// used refuses an option that a layout has no use for, which the user wants to be heard.
func (o Options) used(layout string) error {
	for _, x := range []struct {
		flag, value, kind string
		layouts           []string
	}{
		{"--label", o.Label, "columns", []string{"table", "parquet", "webdataset", "numpy", "cifar-python"}},
		{"--image", o.Image, "columns", []string{"table", "parquet", "webdataset", "numpy"}},
		{"--root", o.Root, "table of files", []string{"table"}},
	} {
		if x.value != "" && !slices.Contains(x.layouts, layout) {
			return fmt.Errorf("%s %s: this layout has no %s; leave it out, or name one that has: %s:DIR", x.flag, x.value, x.kind, strings.Join(x.layouts, ":DIR, "))
		}
	}
	return nil
}

// UnrecognisedError says that data are of no known layout.
type UnrecognisedError struct {
	Path    string
	Layouts []Layout // that are known
	Tables  []string // what is wrong with the tables that are there
}

func (e *UnrecognisedError) Error() string {
	var names []string
	for _, l := range e.Layouts {
		names = append(names, "  "+l.Name+": "+l.About)
	}
	tables := ""
	for _, why := range e.Tables {
		tables += "\n  " + why
	}
	return fmt.Sprintf("data %s: no layout recognised%s; the layouts are\n%s", e.Path, tables, strings.Join(names, "\n"))
}

// recognise finds the layout of dir, or of the folder in it that holds the data.
func recognise(layouts []Layout, named *Layout, dir string, o Options) (string, *Layout) {
	fits := func(l *Layout, dir string) bool { return l.Recognise != nil && l.Recognise(dir, o) }
	for _, d := range places(dir, o) {
		for i := range layouts {
			l := &layouts[i]
			if (named == nil || named.Name == l.Name) && fits(l, d) {
				return d, l
			}
		}
	}
	return dir, named
}

// places are where the data at dir may lie.
func places(dir string, o Options) []string {
	dirs := []string{dir}
	for _, d := range []string{"cifar-10-batches-bin", "cifar-100-binary", "GTSRB", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw"} {
		dirs = append(dirs, filepath.Join(dir, d))
	}
	if inner := newStore(dir, o).holder(dir); inner != "" {
		dirs = append(dirs, filepath.Join(dir, inner))
	}
	return dirs
}

// holder is the only folder in dir, or the only one with images, as beside lists and boxes; or "".
func (s *store) holder(dir string) (only string) {
	inner := s.subfolders(dir)
	if len(inner) == 1 {
		return inner[0]
	}
	for _, name := range inner {
		if !s.hasImage(filepath.Join(dir, name)) {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}

func open(ctx context.Context, l *Layout, dir string, o Options, notes []string) (*Data, error) {
	c, err := l.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	b := newBuilder(ctx, o)
	b.notes = notes
	d, err := b.build(c)
	if err != nil {
		return nil, err
	}
	if d.Train.Len() == 0 {
		return nil, fmt.Errorf("no training images found%s", firstOf(d.Skipped))
	}
	d.Layout, d.Path = l.Name, dir
	d.Train.folder = filepath.Base(absolute(dir))
	return d, nil
}

func firstOf(skipped []error) string {
	if len(skipped) == 0 {
		return ""
	}
	return fmt.Sprintf("; %d records were passed over, the first: %v", len(skipped), skipped[0])
}

// Flips reports whether images of a layout may be swapped left and right in training: road signs may
// not.
func Flips(name string) bool { return name != "gtsrb" && name != "signs" }

// WritableAs returns the layout in which data of the named one can be written at their size: itself, or folder.
func WritableAs(name string, set *Set) string {
	l := layoutNamed(builtin(), name)
	if l == nil || l.Write == nil || strings.HasPrefix(name, "cifar") && (set.Height != cifarSide || set.Width != cifarSide) {
		return "folder"
	}
	return name
}

// Write stores d in the named layout under dir.
func Write(name, dir string, d *Data) error {
	l := layoutNamed(builtin(), name)
	if l == nil || l.Write == nil {
		return fmt.Errorf("layout %q can't be written", name)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return l.Write(dir, d)
}
