package features

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// FuzzNetwork: a file is opened as a network of images, or refused.
func FuzzNetwork(f *testing.F) {
	for _, name := range []string{"vit", "vit-last"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := filepath.Join(t.TempDir(), "n.onnx")
		testfile.Write(t, file, raw)
		n, err := Open(file, "")
		if err != nil {
			return
		}
		if h, w := n.Size(); h < 0 || w < 0 || n.Tensor == "" {
			t.Errorf("%d×%d pixels, the tensor %q", h, w, n.Tensor)
		}
	})
}
