package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is written lies outside the data, and nothing is left where writing fails or ends.
func TestFilterRefusesAndLeavesNothing(t *testing.T) {
	dir := copied(t, "testdata/folder")
	d := load(t, dir)
	drop := make([]bool, d.Train.Len())
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	for _, out := range []string{dir, filepath.Join(dir, "out"), filepath.Join(dir, "train", "x", "y"), filepath.Join(link, "out")} {
		if _, err := Correct(context.Background(), d, Options{}, drop, nil, out); err == nil || !strings.Contains(err.Error(), "lies in the data") {
			t.Errorf("%s: %v", out, err)
		}
	}
	parent := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Correct(ctx, d, Options{}, drop, nil, filepath.Join(parent, "out")); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	// An image that changed after it was read: the result is not what was to be kept.
	write(t, filepath.Join(dir, filepath.FromSlash(d.Train.Source(1))), images(t)[5])
	if _, err := Correct(context.Background(), d, Options{}, drop, nil, filepath.Join(parent, "out")); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("a changed image: %v", err)
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
