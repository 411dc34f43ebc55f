package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ends tells whether a file is of a layout by the end of its name, and is not passed over.
func ends(name string, suffixes []string) bool {
	small := strings.ToLower(name)
	return !passedOver(filepath.Base(name)) && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(small, s) })
}

// unread lists the files of a layout below dir that are of no part.
func (s *store) unread(dir string, suffixes []string, p parts) (left []string) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil
	}
	known, n := p.files(), 0
	_ = s.walk(dir, func(path string, err error) error {
		if n++; n > maxIndex {
			return errEnough
		}
		if err == nil && ends(path, suffixes) && !known[path] {
			left = append(left, path)
		}
		return nil
	})
	return left
}

// unreadTables lists the tables of images in the folders of the parts that are of no part.
func (s *store) unreadTables(dir string, o Options, p parts) (left []string) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil
	}
	folders, known := []string{dir, filepath.Join(dir, "data")}, p.files()
	for _, base := range slices.Clone(folders) {
		for _, sub := range s.subfolders(base) {
			if splitOf(sub) != "" {
				folders = append(folders, filepath.Join(base, sub))
			}
		}
	}
	for _, folder := range folders {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if e.IsDir() || !ends(path, tableSuffixes) || known[path] {
				continue
			}
			o := s.byIDs(path, o)
			t := &table{store: s, Options: o, path: path}
			if err := t.read(func(int, row) error { return errEnough }); errors.Is(err, errEnough) && t.image != "" && (t.label != "" || s.oneHotIn(path, o) != nil) {
				left = append(left, path)
			}
		}
	}
	return left
}

// files are those of all parts.
func (p parts) files() map[string]bool {
	all := map[string]bool{}
	for _, path := range slices.Concat(p.train, p.test, p.val) {
		all[path] = true
	}
	return all
}

// mostNamed bounds how many files a note names.
const mostNamed = 6

// unreadNote says which files are not read, and what would be.
func (s *store) unreadNote(kind string, left []string, p parts) []string {
	if len(left) == 0 {
		return nil
	}
	var names []string
	for _, path := range left[:min(len(left), mostNamed)] {
		names = append(names, s.rel(path))
	}
	if len(left) > mostNamed {
		names = append(names, "…")
	}
	how := "put them beside %s under names like that"
	if !slices.ContainsFunc(left, func(path string) bool { return filepath.Dir(path) != filepath.Dir(p.train[0]) }) {
		how = "give them names like %s"
	}
	return []string{fmt.Sprintf("%d %s are not read: %s; to have them read, "+how, len(left), kind, strings.Join(names, ", "), s.rel(p.train[0]))}
}
