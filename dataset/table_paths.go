package dataset

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/printable"
)

// finder finds the files that tables name: beside or below the table, below the data's folder or Options.Root, or in a
// class's folder where the name is unique.
type finder struct {
	data  *store
	root  *store // Options.Root, or nil
	below map[string][]string
	stems map[string][]string       // images by their names without the ending
	looks map[int]map[string]string // see looksAt
	parts map[string]bool           // that have a folder
}

// foundFile is a file and the store that it lies in.
type foundFile struct {
	store *store
	path  string
}

func newFinder(s *store, o Options) *finder {
	f := &finder{data: s}
	if o.Root != "" {
		f.root = newStore(o.Root, o)
	}
	return f
}

// find returns the file that a cell of a table names. Its errors lack file and row.
func (f *finder) find(cell, table string) (foundFile, *RecordError) {
	found, bad := f.findAs(cell, table)
	here := slashed(cell)
	if here == cell {
		return found, bad
	}
	if bad == nil {
		if _, err := os.Lstat(found.path); err == nil {
			return found, nil // a name with a backslash
		}
	}
	if drive.MatchString(here) {
		return foundFile{}, f.outside(cell)
	}
	return f.findAs(here, table)
}

// drive begins the absolute paths of Windows.
var drive = regexp.MustCompile(`^([A-Za-z]:|/)/`)

// slashed is a path with slashes: one that was written on Windows has backslashes, which part nothing elsewhere.
func slashed(path string) string {
	if path = filepath.ToSlash(path); strings.Contains(path, "/") {
		return path
	}
	return strings.ReplaceAll(path, `\`, "/")
}

func (f *finder) outside(cell string) *RecordError {
	return &RecordError{Want: fmt.Sprintf("a path in %s; --root DIR says where else files are", f.data.root), Got: cell}
}

// findAs is find for a cell as it is written.
func (f *finder) findAs(cell, table string) (foundFile, *RecordError) {
	name := filepath.FromSlash(cell)
	if f.root != nil {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(f.root.root, name)
		}
		if !inside(f.root, path) {
			return foundFile{}, &RecordError{Want: "a path in --root " + f.root.root, Got: cell}
		}
		return foundFile{f.root, withEnding(path)}, nil
	}
	if filepath.IsAbs(name) {
		if !inside(f.data, name) {
			return foundFile{}, f.outside(cell)
		}
		return foundFile{f.data, f.local(name)}, nil
	}
	anyInside := false
	for _, dir := range []string{filepath.Dir(table), f.data.root} {
		path := filepath.Join(dir, name)
		if !inside(f.data, path) {
			continue
		}
		anyInside = true
		if _, err := os.Lstat(path); err == nil {
			return foundFile{f.data, path}, nil
		}
	}
	if !anyInside {
		return foundFile{}, f.outside(cell)
	}
	return f.search(cell, table)
}

// local names an absolute path as the data's folder is named.
func (f *finder) local(path string) string {
	for _, base := range []string{absolute(f.data.root), f.data.real} {
		if rel, err := filepath.Rel(base, path); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(f.data.root, rel)
		}
	}
	return path
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// inside reports whether a path lies in a store by its name, or by its folder's as the store's is named.
func inside(s *store, path string) bool {
	path = absolute(path)
	return within(absolute(s.root), path) || within(s.real, path)
}

// search looks for the file below the data's folder, but in no other part's than the table's, and in that one first.
func (f *finder) search(cell, table string) (foundFile, *RecordError) {
	if f.below == nil {
		f.index()
	}
	end := "/" + filepath.ToSlash(filepath.Clean(filepath.FromSlash(cell)))
	var found []string
	for _, path := range f.below[filepath.Base(end)] {
		if strings.HasSuffix("/"+path, end) {
			found = append(found, path)
		}
	}
	if len(found) == 0 && !IsImage(end) {
		found = f.withoutEnding(end)
	}
	elsewhere := ""
	if part := cmp.Or(partOf(filepath.Base(table)), partOfFolder(f.data.rel(table))); part != "" {
		found = slices.DeleteFunc(found, func(path string) bool {
			in := partOfFolder(path)
			if in == "" || in == part || part != "train" && !f.parts[part] { // a list of some training images
				return false
			}
			elsewhere = fmt.Sprintf("; %s is of another part", path)
			return true
		})
		of := slices.DeleteFunc(slices.Clone(found), func(path string) bool { return partOfFolder(path) == "" })
		if len(of) == 1 {
			found = of
		}
	}
	switch len(found) {
	case 0:
		return foundFile{}, &RecordError{Want: "a readable file", Got: fmt.Sprintf("%s: no such file%s", cell, cmp.Or(elsewhere, f.likely(end)))}
	case 1:
		return foundFile{f.data, filepath.Join(f.data.root, filepath.FromSlash(found[0]))}, nil
	}
	return foundFile{}, &RecordError{
		Want: oneFile,
		Got: fmt.Sprintf("%s, which may be %s or %s; folder:%s takes the folders for the classes, table:%s the table",
			cell, found[0], found[1], f.data.root, f.data.root),
	}
}

// withoutEnding lists the images whose paths have an end but for their ending, as ids that tables give.
func (f *finder) withoutEnding(end string) (found []string) {
	if f.stems == nil {
		f.stems = map[string][]string{}
		for base, paths := range f.below {
			if stem := withoutEnding(base); IsImage(base) {
				f.stems[stem] = append(f.stems[stem], paths...)
			}
		}
	}
	for _, path := range f.stems[filepath.Base(end)] {
		if strings.HasSuffix("/"+withoutEnding(path), end) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// likely names a file that may be meant by a path, of which none has the end.
func (f *finder) likely(end string) string {
	name, depth := end[1:], strings.Count(end, "/")
	looks := f.looksAt(depth)
	if path, ok := looks[printable.Look(name)]; ok {
		if how := printable.Alike(name, lastParts(path, depth)); how != "" {
			return fmt.Sprintf("; %+q is there, and differs only %s", path, how)
		}
	}
	return ""
}

// looksAt returns the first file of each look, by so many last parts of its path. It is made once: many files may have one name, and
// many cells name none.
func (f *finder) looksAt(depth int) map[string]string {
	if looks := f.looks[depth]; looks != nil {
		return looks
	}
	looks := map[string]string{}
	for _, paths := range f.below {
		for _, path := range paths {
			key := printable.Look(lastParts(path, depth))
			if first, is := looks[key]; !is || path < first {
				looks[key] = path
			}
		}
	}
	if f.looks == nil {
		f.looks = map[int]map[string]string{}
	}
	f.looks[depth] = looks
	return looks
}

// lastParts returns so many last parts of a path.
func lastParts(path string, depth int) string {
	parts := strings.Split(path, "/")
	return strings.Join(parts[max(0, len(parts)-depth):], "/")
}

func withoutEnding(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// withEnding is a path with the ending of the image that it names without one, if it does.
func withEnding(path string) string {
	if exists(path) || IsImage(path) {
		return path
	}
	found := ""
	for _, ending := range imageSuffixes {
		for _, ending := range []string{ending, strings.ToUpper(ending)} {
			switch {
			case !exists(path+ending) || found != "" && strings.EqualFold(found, path+ending):
			case found != "":
				return path // which one is not said
			default:
				found = path + ending
			}
		}
	}
	return cmp.Or(found, path)
}

// oneFile is what is wanted of a name that several files have.
const oneFile = "the name of one file"

// partOfFolder is the part that a file's folders, in its path relative to the data, name: the first that names one, as in images/train.
func partOfFolder(rel string) string {
	folders := strings.Split(rel, "/")
	for _, folder := range folders[:len(folders)-1] {
		if part := splitOf(folder); part != "" {
			return part
		}
	}
	return ""
}

// maxIndex bounds how many files are looked through for names that tables give without a folder.
const maxIndex = 5_000_000

func (f *finder) index() {
	f.below, f.parts = map[string][]string{}, map[string]bool{}
	n := 0
	_ = f.data.walk(f.data.root, func(path string, err error) error {
		if n++; n > maxIndex {
			return errEnough
		}
		if err == nil {
			base := filepath.Base(path)
			rel := f.data.rel(path)
			f.below[base] = append(f.below[base], rel)
			f.parts[partOfFolder(rel)] = true
		}
		return nil
	})
}
