package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unpoison/unpoison/internal/base/limited"
)

// numpyClassesFile holds the classes' names beside .npy files, one a line, in the order of their numbers.
const numpyClassesFile = "classes.txt"

// numpyClasses returns the names of the classes of a folder of arrays; nil if they have none.
func numpyClasses(dir string) ([]string, error) {
	path := filepath.Join(dir, numpyClassesFile)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, err
	}
	text, err := limited.ReadFile(path, maxLine)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]int{}
	for i, line := range strings.Split(strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), "\r\n"), "\n") {
		name := strings.TrimSpace(line)
		if name == "" {
			return nil, fmt.Errorf("%s, line %d: expected the name of a class, found none", path, i+1)
		}
		if first, ok := seen[name]; ok {
			return nil, fmt.Errorf("%s: the class %s stands in line %d and in line %d", path, name, first, i+1)
		}
		names, seen[name] = append(names, name), i+1
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("%s: expected at least two classes, found %q", path, names)
	}
	return names, nil
}
