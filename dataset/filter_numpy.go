package dataset

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// numpy filters the arrays of training images and labels, and others with as many rows unless they are named after
// another part.
func (f *filter) numpy() error {
	if len(f.rows) == 0 {
		return f.rewrites(nil)
	}
	if len(f.rows) > 1 {
		return fmt.Errorf("images of %d arrays", len(f.rows))
	}
	n := &numpyFilter{filter: f}
	for n.images, n.edit = range f.rows {
	}
	var err error
	if n.labels, err = f.numpyLabels(); err != nil {
		return err
	}
	if n.heads, err = f.numpyHeads(n.labels, n.edit); err != nil {
		return err
	}
	all, err := f.numpyArrays(n.images)
	if err != nil {
		return err
	}
	return n.write(all)
}

// numpyFilter is the filtering of arrays.
type numpyFilter struct {
	*filter
	images, labels string // the arrays' names
	edit           *change
	heads          map[int][]byte // of labels that change
}

// numpyArray is an array that lies in the data.
type numpyArray struct {
	path  string // of its file or archive
	entry int    // in the archive; -1: the file is the array
	name  string // in small letters, without the ending
	main  bool   // it lies among those that are read
	head  *rowHead
}

// write copies the data with the arrays that belong to the training images filtered, and says what became of others with as many rows.
func (n *numpyFilter) write(all []numpyArray) error {
	at := slices.IndexFunc(all, func(a numpyArray) bool { return a.main && a.name == n.images })
	if at < 0 {
		return fmt.Errorf("the array %s is not there", n.images)
	}
	total := all[at].head.rows
	n.dropRest(n.images, total)
	var beside []string
	of := map[string]map[int]bool{} // entries to be filtered, by file
	for i, a := range all {
		own := i == at || a.main && a.name == n.labels
		if !own && (a.head.rows != total || ofOtherPart(a.name) || n.inOtherPart(a.path)) {
			continue
		}
		why := a.head.why
		if dir := filepath.Dir(a.path); dir != filepath.Dir(all[at].path) && why == "" {
			why = "it lies in another folder"
		}
		switch name := n.called(a); {
		case own && a.head.size <= 0:
			return fmt.Errorf("%s: %s", name, why)
		case !own && why != "":
			n.note("%s was copied whole, with as many rows as there were images, %d: %s; filter it yourself if its rows are theirs", name, total, why)
			continue
		case !own:
			beside = append(beside, name)
		}
		if of[a.path] == nil {
			of[a.path] = map[int]bool{}
		}
		of[a.path][a.entry] = true
	}
	if len(beside) > 0 {
		n.note("these arrays lost the same rows as the images, as they had as many, %d: %s", total, strings.Join(beside, ", "))
	}
	write := map[string]func(from, to string) error{}
	for p, entries := range of {
		write[p] = func(from, to string) error {
			if entries[-1] {
				return n.npy(from, to)
			}
			return n.npz(from, to, entries)
		}
	}
	return n.rewrites(write)
}

// called names an array: its file, or its archive and the entry.
func (n *numpyFilter) called(a numpyArray) string {
	rel, err := filepath.Rel(n.base, a.path)
	if err != nil {
		rel = a.path
	}
	if a.entry < 0 {
		return filepath.ToSlash(rel)
	}
	return path.Join(filepath.ToSlash(rel), a.name)
}

// ofOtherPart reports whether an array's name has the word of a part that is not the training.
func ofOtherPart(name string) bool {
	return slices.ContainsFunc(letters(name), func(word string) bool {
		part := splitOf(strings.Trim(word, "xy")) // also xtest
		return part == "test" || part == "val"
	})
}

// inOtherPart reports whether a file, or its folder, is called as a part is that is not the training.
func (n *numpyFilter) inOtherPart(file string) bool {
	part := partOfFolder(n.store().rel(file))
	if part == "" && strings.EqualFold(filepath.Ext(file), ".npz") {
		part = partOf(filepath.Base(file))
	}
	return part == "test" || part == "val"
}

// arrayName is what an array is called, by the name of its file or entry.
func arrayName(file string) string {
	return strings.TrimSuffix(strings.ToLower(file), ".npy")
}

// numpyArrays finds the arrays in the data that have rows. Those that are read lie as that of the images does.
func (f *filter) numpyArrays(images string) (all []numpyArray, err error) {
	read, err := f.numpyFiles()
	if err != nil {
		return nil, err
	}
	files, err := f.named([]string{".npy", ".npz"})
	if err != nil {
		return nil, err
	}
	s, at := f.store(), ""
	if read[images] != nil {
		at = read[images].file
	}
	archive := func(p string) bool { return strings.HasSuffix(strings.ToLower(p), ".npz") }
	files = slices.DeleteFunc(files, func(p string) bool {
		rel, err := filepath.Rel(f.base, p)
		st, statErr := os.Stat(p)
		return err != nil || statErr != nil || !st.Mode().IsRegular() || passedOverPath(filepath.ToSlash(rel))
	})
	for _, p := range files {
		main := at != "" && archive(p) == archive(at) && (s.rel(p) == at || !archive(at) && path.Dir(s.rel(p)) == path.Dir(at))
		if archive(p) {
			of, err := zippedHeads(p)
			if err != nil && main {
				return nil, fmt.Errorf("%s: %w", p, err)
			}
			for _, a := range of {
				a.main = main
				all = append(all, a)
			}
		} else if h, err := npyFileHead(p); err == nil {
			all = append(all, numpyArray{p, -1, arrayName(filepath.Base(p)), main, h})
		}
	}
	return all, nil
}

func npyFileHead(path string) (*rowHead, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return nil, err
	}
	return readRowHead(in, st.Size())
}

// zippedHeads returns the arrays of an archive.
func zippedHeads(path string) (all []numpyArray, err error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for i, e := range z.File {
		in, err := e.Open()
		if err != nil {
			return nil, err
		}
		if h, err := readRowHead(in, int64(min(e.UncompressedSize64, 1<<62))); err == nil {
			all = append(all, numpyArray{path, i, arrayName(e.Name), false, h})
		}
		in.Close()
	}
	return all, nil
}

// headsOf are the heads of an array's rows that change.
func (n *numpyFilter) headsOf(name string) map[int][]byte {
	if name == n.labels {
		return n.heads
	}
	return nil
}

// npy writes an array anew.
func (n *numpyFilter) npy(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	heads := n.headsOf(arrayName(filepath.Base(from)))
	return n.convert(from, to, func(in io.Reader, w io.Writer) error { return copyNPY(w, in, st.Size(), n.edit.drop, heads) })
}

// npz writes the archive anew. Entries that are not filtered keep their compressed bytes.
func (n *numpyFilter) npz(from, to string, entries map[int]bool) error {
	z, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer z.Close()
	return writeFile(to, func(w io.Writer) error {
		out := zip.NewWriter(w)
		for i, e := range z.File {
			if !entries[i] {
				if err := out.Copy(e); err != nil {
					return err
				}
				continue
			}
			if err := n.npzEntry(out, e); err != nil {
				return fmt.Errorf("%s: %s: %w", from, e.Name, err)
			}
		}
		return out.Close()
	})
}

func (n *numpyFilter) npzEntry(out *zip.Writer, e *zip.File) error {
	part, err := out.CreateHeader(&zip.FileHeader{Name: e.Name, Method: e.Method, Modified: e.Modified})
	if err != nil {
		return err
	}
	in, err := e.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	b := bufio.NewWriterSize(part, 256<<10)
	source := bufio.NewReaderSize(&interrupted{n.ctx, in}, 256<<10)
	if err := copyNPY(b, source, int64(min(e.UncompressedSize64, 1<<62)), n.edit.drop, n.headsOf(arrayName(e.Name))); err != nil {
		return err
	}
	return b.Flush()
}
