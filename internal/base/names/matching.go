package names

import (
	"os"
	"path/filepath"
)

// Matching lists the entries of a folder whose names match a pattern of filepath.Match, by name, each with the folder
// before it. The folder's name is no pattern, unlike in filepath.Glob: folders are called "data [v2]". A folder that can't
// be read has no entries.
func Matching(dir, pattern string) []string {
	entries, _ := os.ReadDir(dir)
	var found []string
	for _, e := range entries {
		if ok, err := filepath.Match(pattern, e.Name()); ok && err == nil {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found
}
