package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// Batches of a mapped file that is cut off end the loop with an error, though another goroutine fills them.
func TestLoopEndsWhereTheImagesAreLost(t *testing.T) {
	store := t.TempDir()
	d, err := dataset.Load(context.Background(), "../dataset/testdata/folder", dataset.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(store, "*-8x*"))
	if err != nil || len(files) != 1 {
		t.Skip("files are not mapped on this system: ", files, err)
	}
	seen := 0
	loop := func() error {
		return Loop(context.Background(), d.Train, 1, 0, 8, func(k int, b *Batch) { b.Labels[0] = int32(d.Train.Image(k)[0]) }, func(int, *Batch) error {
			seen++
			return nil
		})
	}
	if err := loop(); err != nil || seen != 8 {
		t.Fatalf("%d batches, %v", seen, err)
	}
	if err := errors.Join(os.Chmod(files[0], 0o644), os.Truncate(files[0], 0)); err != nil {
		t.Fatal(err)
	}
	var lost *dataset.LostError
	if err := loop(); !errors.As(err, &lost) || seen != 8 {
		t.Errorf("%d batches, %v", seen, err)
	}
}
