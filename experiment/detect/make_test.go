package detect

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// A folder that isn't a family's is refused, or said to hold other images: folders of several families, read as one, made sets of their
// own names.
func TestOtherDataAreNoFamily(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := dataset.Write("folder", dir, signs.Render(1, 40, 0)); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{dir: "expected the layout cifar10", "folder:" + dir: ""} {
		var said []string
		s := &sources{folders: map[string]string{"cifar10": folder}, say: func(format string, _ ...any) { said = append(said, format) }}
		_, err := s.load(context.Background(), "cifar10", signs.Side, 0)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", folder, err, want)
		}
		if err == nil && len(said) != 1 {
			t.Errorf("%s: said %q, expected that there are too few images", folder, said)
		}
	}
}
