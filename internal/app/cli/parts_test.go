package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// eval reads no training images where there are test images, features and audit no test images: those may be damaged.
func TestImagesThatNobodyWantsMayBeDamaged(t *testing.T) {
	features := filepath.Join(t.TempDir(), "f.npy")
	for _, damaged := range []string{"train", "test"} {
		data := signFolder(t, 80, 10)
		var classes []string
		entries, err := os.ReadDir(filepath.Join(data, "train"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			classes = append(classes, e.Name())
		}
		if err := os.Truncate(first(t, filepath.Join(data, damaged, "*", "*.png")), 100); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			reads string
			args  []string
		}{
			{"test", []string{"eval", "--model", newModel(t, 32, classes...)}},
			{"train", []string{"features", "--backbone", filepath.Join("..", "features", "testdata", "vit.onnx"), "--out", features}},
			{"train", []string{"audit", "--features", features, "--epochs-inspect", "0", "--pixels=false", "--out", filepath.Join(t.TempDir(), "audit")}},
		} {
			code, out, errs := call(append(c.args, "--data", data)...)
			if c.reads == damaged && (code != exitFailed || !strings.Contains(errs, "a readable image")) || c.reads != damaged && code != exitDone {
				t.Errorf("%s with a damaged %s image: %d, %s%s", c.args[0], damaged, code, out, errs)
			}
		}
	}
}
