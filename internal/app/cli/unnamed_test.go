package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// Of a model without names it is said which class is which: folders are sorted as text, as torchvision does.
func TestModelsWithoutNames(t *testing.T) {
	for _, c := range []struct {
		format  string
		classes int
		says    string
	}{
		{"%d", 11, "the first is 0, the last 9"},
		{"%d", 3, "the first is 0, the last 2"},
		{"c%d", 11, "the first is c0, the last c9"},
	} {
		data := t.TempDir()
		for k := range 2 * c.classes {
			path := filepath.Join(data, fmt.Sprintf(c.format, k/2), fmt.Sprint(k, ".png"))
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := dataset.WritePNG(path, make([]uint8, 32*32*3), 32, 32); err != nil {
				t.Fatal(err)
			}
		}
		file := plainModel(t, 32, c.classes, 1)
		for _, args := range [][]string{
			{"eval", "--model", file, "--data", data},
			{"repair", "--method", "fp", "--epochs", "1", "--model", file, "--clean", data, "--out", filepath.Join(t.TempDir(), "r")},
		} {
			_, _, errs := call(args...)
			if !strings.Contains(errs, c.says) {
				t.Errorf("%s of %d classes: %s", args[0], c.classes, errs)
			}
		}
	}
}
