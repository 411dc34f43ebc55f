package dataset

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
)

// The folder layout: DIR/CLASS/image, or DIR/train/CLASS/image with test/ or val/ beside it.

// folders is where the classes lie.
type folders struct {
	train, test, val string // folders of class folders; the last two may be empty
	left             []string
}

func isFolder(dir string, o Options) bool {
	s := newStore(dir, o)
	f, err := s.findFolders(dir)
	if err != nil {
		return true // said by open
	}
	if f == nil || len(o.classes(s.subfolders(f.train))) < 2 {
		return false
	}
	return slices.ContainsFunc(s.subfolders(f.train), func(c string) bool { return s.hasImage(filepath.Join(f.train, c)) })
}

// classes returns those of class folders, and of a single one that is known all that are.
func (o Options) classes(folders []string) []string {
	classes := make([]string, len(folders))
	for k, folder := range folders {
		classes[k] = names.FromFile(folder) // as it was before it was written
	}
	if len(classes) == 1 && slices.Contains(o.Classes, classes[0]) {
		return o.Classes
	}
	return classes
}

// findFolders tells parts from classes by their names and by what lies in them. It returns nil if the folders below hold
// the parts or the classes of one of them.
func (s *store) findFolders(dir string) (*folders, error) {
	byPart := map[string][]string{}
	var others []string
	for _, sub := range s.subfolders(dir) {
		if part := splitOf(sub); part != "" {
			byPart[part] = append(byPart[part], sub)
		} else {
			others = append(others, sub)
		}
	}
	others = slices.DeleteFunc(others, func(o string) bool { return !s.hasImage(filepath.Join(dir, o)) })
	if len(byPart) == 0 {
		byPart, others = s.wordParts(dir, others)
	}
	if len(byPart["train"]) == 0 {
		if len(byPart) == 0 && len(others) == 1 && len(s.imageFolders(filepath.Join(dir, others[0]))) > 1 && !s.hasImageDirectly(filepath.Join(dir, others[0])) {
			return nil, nil // a wrapper
		}
		return &folders{train: dir}, nil
	}
	train := s.innermost(filepath.Join(dir, byPart["train"][0]))
	inner, direct := s.imageFolders(train), s.hasImageDirectly(train)
	if direct && len(inner) == 0 {
		if len(others) == 0 {
			return nil, fmt.Errorf("%s: expected a folder for each class, found images", s.rel(train))
		}
		return &folders{train: dir}, nil // a class of that name
	}
	if len(inner) == 0 {
		return &folders{train: dir}, nil
	}
	for part, names := range byPart {
		if len(names) > 1 {
			return nil, fmt.Errorf("%q and %q could both be the folder of the %s images; rename one", names[0], names[1], part)
		}
	}
	f := &folders{train: train, left: others}
	for part, to := range map[string]*string{"test": &f.test, "val": &f.val} {
		if len(byPart[part]) > 0 {
			*to = s.innermost(filepath.Join(dir, byPart[part][0]))
		}
	}
	if len(others) > 0 && f.test == "" && f.val == "" {
		return nil, fmt.Errorf("the folder %q, with folders in it, may be the training images or a class beside %q; folder:%s reads it alone", byPart["train"][0], others[0], train)
	}
	return f, nil
}

// wordParts finds parts among folders whose names are alike but for the word of the part, as seg_train and seg_test, and hold folders.
// It also returns the rest.
func (s *store) wordParts(dir string, folders []string) (byPart map[string][]string, others []string) {
	alike := map[string]map[string][]string{} // by the rest of the name
	rest := func(name string) (rest, part string) {
		for _, w := range letters(name) {
			if part = splitOf(w); part != "" {
				return strings.Replace(name, w, "", 1), part
			}
		}
		return "", ""
	}
	for _, name := range folders {
		if of, part := rest(name); part != "" {
			if alike[of] == nil {
				alike[of] = map[string][]string{}
			}
			alike[of][part] = append(alike[of][part], name)
		}
	}
	for _, parts := range alike {
		if len(parts) < 2 || len(parts["train"]) == 0 || len(s.imageFolders(filepath.Join(dir, parts["train"][0]))) == 0 {
			continue
		}
		if byPart != nil {
			return nil, folders
		}
		byPart = parts
	}
	return byPart, slices.DeleteFunc(slices.Clone(folders), func(name string) bool {
		_, part := rest(name)
		return slices.Contains(byPart[part], name)
	})
}

// innermost is the folder of a part, or the only one in it, of the same name.
func (s *store) innermost(dir string) string {
	inner := filepath.Join(dir, filepath.Base(dir))
	if all := s.subfolders(dir); len(all) == 1 && all[0] == filepath.Base(dir) && len(s.imageFolders(inner)) > 0 {
		return inner
	}
	return dir
}

// imageFolders lists the folders in dir that hold images.
func (s *store) imageFolders(dir string) []string {
	return slices.DeleteFunc(s.subfolders(dir), func(c string) bool { return !s.hasImage(filepath.Join(dir, c)) })
}

func openFolder(ctx context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	f, err := s.findFolders(dir)
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &folders{train: dir}
	}
	l := &folderLister{ctx: ctx, store: s, others: map[string]int{}}
	c := &Contents{}
	c.Classes = o.classes(s.subfolders(f.train))
	if len(c.Classes) < 2 {
		return nil, fmt.Errorf("%s: expected a folder for each of at least two classes, found %d", s.rel(f.train), len(c.Classes))
	}
	for _, p := range []struct {
		dir string
		to  **Part
	}{{f.train, &c.Train}, {f.test, &c.Test}, {f.val, &c.Validation}} {
		if p.dir == "" {
			continue
		}
		if *p.to, err = l.part(p.dir, c.Classes); err != nil {
			return nil, err
		}
	}
	if len(f.left) > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("the folders %q beside the parts are not read", f.left))
	}
	c.Notes = slices.Concat(c.Notes, s.innerNote(f.train), l.notes())
	return c, nil
}

// folderLister lists the images of class folders and counts what is none.
type folderLister struct {
	ctx    context.Context //nolint:containedctx // lives for one call of openFolder
	store  *store
	others map[string]int // files that are no images, by ending
	loose  int            // images beside the class folders
	hidden []string       // folders beside the class folders that are passed over
	veiled int            // images in class folders that are passed over
	first  string         // of them
}

type folderImage struct {
	path  string
	class string
	err   error
}

// unlabelledFolders are what the only folder of a part is called whose images have no labels.
var unlabelledFolders = []string{"images", "image", "imgs", "img", "unknown", "unlabeled", "unlabelled"}

// part lists the images of a part.
func (l *folderLister) part(dir string, classes []string) (*Part, error) {
	s := l.store
	unlabelled := false
	if all := s.imageFolders(dir); len(all) == 1 {
		unlabelled = !slices.Contains(classes, names.FromFile(all[0])) && (splitOf(all[0]) != "" || slices.Contains(unlabelledFolders, strings.ToLower(all[0])))
	}
	var images []folderImage
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		switch path := filepath.Join(dir, e.Name()); {
		case e.IsDir() && passedOver(e.Name()):
			if !slices.Contains([]string{".git", ".cache", ".ipynb_checkpoints", "__MACOSX", ".dvc", ".vscode", ".idea", "@eaDir"}, e.Name()) {
				l.hidden = append(l.hidden, s.rel(path))
			}
		case !e.IsDir() && !passedOver(e.Name()) && IsImage(path):
			if st, err := s.stat(path); err == nil && !st.IsDir() {
				l.loose++
			}
		}
		if e.Type()&os.ModeSymlink != 0 && !passedOver(e.Name()) {
			if _, err := os.Stat(filepath.Join(dir, e.Name())); err != nil { // perhaps a class
				_, err = s.stat(filepath.Join(dir, e.Name()))
				images = append(images, folderImage{filepath.Join(dir, e.Name()), "", err})
			}
		}
	}
	for _, class := range s.subfolders(dir) {
		if _, err := s.stat(filepath.Join(dir, class)); err != nil {
			images = append(images, folderImage{filepath.Join(dir, class), class, err})
			continue
		}
		err := s.walkPast(filepath.Join(dir, class), func(path string, err error) error {
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
			if err == nil && !s.isImageFile(path) {
				l.others[strings.ToLower(filepath.Ext(path))]++
				return nil
			}
			images = append(images, folderImage{path, class, err})
			return nil
		}, l.past)
		if err != nil {
			return nil, err
		}
	}
	name := s.rel(dir) + "/"
	if name == "./" {
		name = ""
	}
	return &Part{Name: name, Records: func(yield func(Record) error) error {
		for _, i := range images {
			r := s.fileRecord(i.path)
			if !unlabelled {
				r.Label = Name(names.FromFile(i.class))
			}
			if i.err != nil {
				r.Err = &RecordError{r.Source, -1, "an image or a folder of images", i.err.Error()}
			}
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// past counts the images in what is passed over in a class's folder.
func (l *folderLister) past(path string) {
	n := l.store.hiddenImages(path)
	if l.veiled == 0 && n > 0 {
		l.first = l.store.rel(path)
	}
	l.veiled += n
}

// fileRecord is the record of an image file, without a label.
func (s *store) fileRecord(path string) Record {
	return Record{
		Source: s.rel(path), Row: -1, apart: true,
		File: func() ([]byte, error) { return s.read(path, maxFile) },
		Head: func() ([]byte, error) { return s.read(path, headBytes) },
	}
}

func (l *folderLister) notes() (notes []string) {
	if l.loose > 0 {
		notes = append(notes, fmt.Sprintf("%d images lie in no class's folder and are not read", l.loose))
	}
	if len(l.hidden) > 0 {
		notes = append(notes, fmt.Sprintf("hidden folders are not read: %q", l.hidden))
	}
	if l.veiled > 0 {
		notes = append(notes, hiddenNote(l.veiled, l.first))
	}
	total := 0
	var kinds []string
	for ext, n := range l.others {
		total += n
		if ext == "" {
			ext = "none"
		}
		kinds = append(kinds, fmt.Sprintf("%s %d", ext, n))
	}
	if total > 0 {
		sort.Strings(kinds)
		if len(kinds) > 8 {
			kinds = append(kinds[:8], "…")
		}
		notes = append(notes, fmt.Sprintf("%d files are no images that are read (%s)", total, strings.Join(kinds, ", ")))
	}
	return notes
}

// hiddenNote says that images are passed over which a training by other programs does not.
func hiddenNote(n int, first string) string {
	return fmt.Sprintf("%d hidden images are not read, the first in %s; other programs may read them, and data filter copies them: rename or remove them", n, first)
}

// writeFolder stores PNG files, which keep every byte.
func writeFolder(dir string, d *Data) error {
	for _, part := range []struct {
		name string
		set  *Set
	}{{"train", d.Train}, {"test", d.Test}} {
		if part.set == nil {
			continue
		}
		var folders []string
		for _, c := range part.set.Classes {
			folders = append(folders, filepath.Join(dir, part.name, names.File(c)))
			if err := os.MkdirAll(folders[len(folders)-1], 0o777); err != nil {
				return err
			}
		}
		set, digits := part.set, max(6, len(strconv.Itoa(part.set.Len()-1))) // names sort as the images do
		err := d.eachImage(set.Len(), func(i int) error {
			path := filepath.Join(folders[set.Labels[i]], fmt.Sprintf("%0*d.png", digits, i))
			return writeFile(path, func(w io.Writer) error { return encodePNG(w, set.Image(i), set.Height, set.Width) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ToImage wraps RGB bytes.
func ToImage(pixels []uint8, h, w int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for p := range h * w {
		copy(img.Pix[4*p:], pixels[3*p:3*p+3])
		img.Pix[4*p+3] = 255
	}
	return img
}

// WritePNG stores RGB bytes as a PNG file.
func WritePNG(path string, pixels []uint8, h, w int) error {
	return atomicfile.Write(path, func(out io.Writer) error { return encodePNG(out, pixels, h, w) })
}

// encodePNG writes RGB bytes as a PNG file. What an encoder needs is a thousand times what an image of 32 pixels takes: it is used again.
func encodePNG(w io.Writer, pixels []uint8, height, width int) error {
	return (&png.Encoder{BufferPool: &pngBuffers}).Encode(w, ToImage(pixels, height, width))
}

var pngBuffers pngPool

type pngPool struct{ pool sync.Pool }

// Get returns a buffer, or nil.
func (p *pngPool) Get() *png.EncoderBuffer {
	b, _ := p.pool.Get().(*png.EncoderBuffer)
	return b
}

// Put takes it back.
func (p *pngPool) Put(b *png.EncoderBuffer) { p.pool.Put(b) }
