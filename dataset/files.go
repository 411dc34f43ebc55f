package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

const (
	// maxFile bounds what one image file may have: 64 million pixels in three bytes each, and some more.
	maxFile = 256 << 20
	// headBytes of an image file nearly always tell its size.
	headBytes = 64 << 10
)

// store opens files of a data set.
type store struct {
	root     string // of the data set, for errors
	real     string // the same without links
	noFollow bool
}

func newStore(dir string, o Options) *store {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		dir = filepath.Dir(dir)
	}
	s := &store{root: dir, noFollow: o.NoFollow}
	s.real = realPath(dir)
	return s
}

func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if r, err := filepath.EvalSymlinks(abs); err == nil {
		return r
	}
	return abs
}

// within reports whether path is dir or lies below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// rel names a file relative to the data set, with slashes.
func (s *store) rel(path string) string {
	if r, err := filepath.Rel(s.root, path); err == nil {
		return filepath.ToSlash(r)
	}
	return path
}

// stat follows links and refuses what is neither a folder nor a file. Its errors say what was found.
func (s *store) stat(path string) (fs.FileInfo, error) {
	st, err := os.Stat(path)
	if err != nil {
		if to, linkErr := os.Readlink(path); linkErr == nil {
			if errors.Is(err, syscall.ELOOP) {
				return nil, errors.New("a link that leads to itself")
			}
			return nil, fmt.Errorf("a link to %s, which is not there", to)
		}
		var at *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, errors.New("no such file")
		case errors.As(err, &at):
			err = at.Err
		}
		return nil, err
	}
	if kind := specialFile(st.Mode()); kind != "" {
		return nil, errors.New(kind)
	}
	if kind := hollow(st); kind != "" {
		return nil, errors.New(kind)
	}
	if s.noFollow {
		if real := realPath(path); !within(s.real, real) {
			return nil, fmt.Errorf("a link out of the data set to %s, which is not followed", real)
		}
	}
	return st, nil
}

// hollow says what a large file is that holds hardly anything but holes.
func hollow(st fs.FileInfo) string {
	if stored := storedBytes(st); st.Mode().IsRegular() && st.Size() > maxFile && st.Size()/maxRatio > stored {
		return fmt.Sprintf("a sparse file: %s of its %s are there", sysinfo.Size(stored), sysinfo.Size(st.Size()))
	}
	return ""
}

// specialFile names what can't be read as a file.
func specialFile(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&(fs.ModeDevice|fs.ModeCharDevice|fs.ModeIrregular) != 0:
		return "a device"
	}
	return ""
}

// open opens a regular file.
func (s *store) open(path string) (*os.File, int64, error) {
	st, err := s.stat(path)
	if err == nil && st.IsDir() {
		err = errors.New("a folder")
	}
	if err != nil {
		return nil, 0, &RecordError{s.rel(path), -1, "a readable file", err.Error()}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, &RecordError{s.rel(path), -1, "a readable file", reason(err)}
	}
	return f, st.Size(), nil
}

// reason is an error without the path, which stands before it.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// read returns up to limit bytes of a file, and refuses one with more than maxFile.
func (s *store) read(path string, limit int64) ([]byte, error) {
	f, size, err := s.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxFile {
		return nil, &RecordError{s.rel(path), -1, fmt.Sprintf("a file of up to %d MB", maxFile>>20), fmt.Sprintf("%d MB", size>>20)}
	}
	raw := make([]byte, min(size, limit))
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, &RecordError{s.rel(path), -1, "a readable file", reason(err)}
	}
	return raw, nil
}

// passedOver reports files and folders that belong to no data set: hidden ones, macOS's and Windows's.
func passedOver(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains([]string{"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"}, name)
}

// passedOverPath is passedOver for any element of a path with slashes.
func passedOverPath(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(e string) bool { return e != "." && e != ".." && passedOver(e) })
}

// subfolders lists the folders in dir and the links to such, by name.
func (s *store) subfolders(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if passedOver(e.Name()) {
			continue
		}
		if e.IsDir() {
			names = append(names, e.Name())
		} else if e.Type()&fs.ModeSymlink != 0 {
			if st, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && st.IsDir() { // whether it is followed is said when it is read
				names = append(names, e.Name())
			}
		}
	}
	sort.Strings(names)
	return names
}

// walk visits the files below dir by name and follows links. What can't be read, such as a device or a link that leads
// back, comes with an error.
func (s *store) walk(dir string, visit func(path string, err error) error) error {
	return s.walkPast(dir, visit, nil)
}

// walkPast is walk that also says which files and folders it passed over.
func (s *store) walkPast(dir string, visit func(path string, err error) error, past func(path string)) error {
	return (&walker{store: s, visit: visit, past: past}).walk(dir)
}

type walker struct {
	*store
	seen  map[string]bool // folders, without links
	visit func(path string, err error) error
	past  func(path string) // may be nil
	all   bool              // nothing is passed over
}

func (w *walker) walk(dir string) error {
	w.seen = map[string]bool{}
	for above := realPath(filepath.Dir(absolute(dir))); !w.seen[above]; above = filepath.Dir(above) {
		w.seen[above] = true
	}
	real := realPath(dir)
	if w.seen[real] {
		return w.visit(dir, fmt.Errorf("a link that leads back to %s", real))
	}
	return w.from(dir, real)
}

func (w *walker) from(dir, real string) error {
	w.seen[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return w.visit(dir, errors.New(reason(err)))
	}
	for _, e := range entries {
		path, to := filepath.Join(dir, e.Name()), filepath.Join(real, e.Name())
		if !w.all && passedOver(e.Name()) {
			if w.past != nil {
				w.past(path)
			}
			continue
		}
		folder := e.IsDir()
		if !folder && !e.Type().IsRegular() {
			st, err := w.stat(path)
			if err != nil {
				if err := w.visit(path, err); err != nil {
					return err
				}
				continue
			}
			folder, to = st.IsDir(), realPath(path)
		}
		switch {
		case !folder:
			err = w.visit(path, nil)
		case w.seen[to]:
			err = w.visit(path, fmt.Errorf("a link that leads back to %s", to))
		default:
			err = w.from(path, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hiddenImages counts the images in what is passed over: a file, or a folder with all that is in it. macOS's ._ files are none.
func (s *store) hiddenImages(path string) (n int) {
	count := func(path string, err error) error {
		if err == nil && isHiddenImage(path) {
			n++
		}
		return nil
	}
	switch st, err := s.stat(path); {
	case err != nil:
	case st.IsDir():
		_ = (&walker{store: s, visit: count, all: true}).walk(path)
	default:
		_ = count(path, nil)
	}
	return n
}

// isHiddenImage tells an image that is passed over, as other programs do, by its ending.
func isHiddenImage(path string) bool {
	return IsImage(path) && !strings.HasPrefix(filepath.Base(path), "._")
}

// isImageFile reports whether a file is an image by its ending or, where that says nothing, by its first bytes.
func (s *store) isImageFile(path string) bool {
	if IsImage(path) {
		return true
	}
	if slices.Contains([]string{".txt", ".csv", ".json", ".xml", ".md", ".html", ".py"}, strings.ToLower(filepath.Ext(path))) {
		return false
	}
	f, _, err := s.open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 18)
	n, _ := io.ReadFull(f, head)
	return looksLikeImage(head[:n])
}

// looksLikeImage knows the first bytes of the formats that decode reads.
func looksLikeImage(b []byte) bool {
	s := string(b)
	for _, magic := range []string{"\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF87a", "GIF89a", "II*\x00", "MM\x00*"} {
		if strings.HasPrefix(s, magic) {
			return true
		}
	}
	switch {
	case len(s) < 12:
		return false
	case s[:2] == "P5" || s[:2] == "P6":
		return strings.ContainsRune(" \t\r\n", rune(s[2]))
	case s[:2] == "BM":
		return s[6:10] == "\x00\x00\x00\x00"
	}
	return s[:4] == "RIFF" && s[8:12] == "WEBP"
}

var errEnough = errors.New("enough")

// hasImage reports whether an image lies below dir. It looks into few files without an image's ending.
func (s *store) hasImage(dir string) bool {
	looked := 0
	err := s.walk(dir, func(path string, err error) error {
		if err != nil {
			return nil
		}
		if !IsImage(path) {
			if looked++; looked > 1000 {
				return nil
			}
		}
		if s.isImageFile(path) {
			return errEnough
		}
		return nil
	})
	return errors.Is(err, errEnough)
}

// hasImageDirectly reports whether an image lies in dir itself.
func (s *store) hasImageDirectly(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		if passedOver(e.Name()) || e.IsDir() {
			return false
		}
		st, err := s.stat(filepath.Join(dir, e.Name()))
		return err == nil && st.Mode().IsRegular() && s.isImageFile(filepath.Join(dir, e.Name()))
	})
}

// isFile reports whether dir holds something of a name that is no folder.
func isFile(dir, name string) bool {
	st, err := os.Stat(filepath.Join(dir, name))
	return err == nil && !st.IsDir()
}
