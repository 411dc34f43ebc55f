package dataset

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Names beside arrays stand for the numbers in their order; what can't be such a list is refused with the line.
func TestNumPyClassNames(t *testing.T) {
	for text, want := range map[string]string{
		"cat\ndog\n":     "",
		"cat\r\ndog\r\n": "",
		"\ufeffcat\ndog": "",
		"cat\n\ndog\n":   "line 2: expected the name of a class",
		"cat\ndog\ncat":  "the class cat stands in line 1 and in line 3",
		"cat\n":          "expected at least two classes",
	} {
		dir := t.TempDir()
		testfile.Write(t, filepath.Join(dir, numpyClassesFile), text)
		names, err := numpyClasses(dir)
		switch {
		case want == "" && (err != nil || !slices.Equal(names, []string{"cat", "dog"})):
			t.Errorf("%q: %q, %v", text, names, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, expected %q", text, err, want)
		}
	}
	path := filepath.Join(files(t, t.TempDir(), "names.txt=\ufeffcat\ndog\n"), "names.txt")
	if names, err := newStore(filepath.Dir(path), Options{}).classNames(path, nil); err != nil || !slices.Equal(names, []string{"cat", "dog"}) {
		t.Errorf("CIFAR's names: %q, %v", names, err)
	}
	if names, err := numpyClasses(t.TempDir()); names != nil || err != nil {
		t.Errorf("no names: %q, %v", names, err)
	}
}
