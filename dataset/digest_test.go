package dataset_test

import (
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// What is said of an image's digest before it is written is what reading finds, in every layout that is written.
func TestWrittenDigests(t *testing.T) {
	d := signs.Render(1, 20, 4)
	for _, layout := range []string{"cifar10", "cifar100", "gtsrb", "folder"} {
		dir := t.TempDir()
		if err := dataset.Write(layout, dir, d); err != nil {
			t.Fatal(err)
		}
		got, err := dataset.Load(t.Context(), layout+":"+dir, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		left := map[dataset.ImageDigest]int{}
		for i := range d.Train.Len() {
			digest, err := d.Train.WrittenDigest(layout, i)
			if err != nil {
				t.Fatal(err)
			}
			left[digest]++
		}
		for i := range got.Train.Len() {
			left[got.Train.ImageDigest(i)]--
		}
		for digest, n := range left {
			if n != 0 {
				t.Errorf("%s: %d too many of %v", layout, n, digest)
			}
		}
	}
	if _, err := d.Train.WrittenDigest("idx", 0); err == nil {
		t.Error("a digest in a layout that is not written")
	}
}
