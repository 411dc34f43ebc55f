package dataset

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
)

// A view shows the images that a subset has, of a view too, whether the set lies in memory or in a file, grey or not; and its labels
// are its own.
func TestViewShowsWhatASubsetHas(t *testing.T) {
	for _, stored := range []bool{false, true} {
		for _, dir := range []string{"testdata/folder", "testdata/idx"} {
			o := Options{}
			if stored {
				o.Store = t.TempDir()
			}
			d, err := Load(t.Context(), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			set := d.Train
			at := []int{set.Len() - 1, 0, 1, 0}
			defer set.View(at).AtRandom()() // changes nothing that is seen
			for name, pair := range map[string][2]*Set{
				"view":           {set.View(at), set.Subset(at)},
				"view of a view": {set.View(at).View([]int{2, 0}), set.Subset([]int{1, at[0]})},
				"subset of one":  {set.View(at).Subset([]int{2, 0}), set.Subset([]int{1, at[0]})},
				"clone of one":   {set.View(at).Clone(), set.Subset(at)},
				"view of subset": {set.Subset(at).View([]int{2, 0}), set.Subset([]int{1, at[0]})},
			} {
				got, want := pair[0], pair[1]
				if got.Len() != want.Len() || !slices.Equal(got.Labels, want.Labels) {
					t.Fatalf("%s, stored %v: labels %v, expected %v", name, stored, got.Labels, want.Labels)
				}
				for i := range want.Labels {
					if !bytes.Equal(got.Image(i), want.Image(i)) || got.Source(i) != want.Source(i) || got.ImageDigest(i) != want.ImageDigest(i) {
						t.Errorf("%s, stored %v: image %d is another one", name, stored, i)
					}
				}
			}
			v, label := set.View(at), set.Labels[0]
			v.Labels[1]++
			if set.Labels[0] != label {
				t.Errorf("%s: a view's label changed the set's", dir)
			}
		}
	}
}

// Images at another size are the same whether they are held in memory or in a file, which has no name.
func TestScaledImagesAreTheSameInAFile(t *testing.T) {
	store := t.TempDir()
	d, err := Load(t.Context(), "testdata/folder", Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	files := func() int {
		all, err := os.ReadDir(store)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := files()
	done := 0
	want, err := d.Train.Scaled(t.Context(), 5, 7, func(n int) { done = n })
	if err != nil || done != d.Train.Len() {
		t.Fatalf("told of %d of %d images, %v", done, d.Train.Len(), err)
	}
	got := &Set{Height: 5, Width: 7, Classes: want.Classes, Labels: want.Labels}
	done = 0
	if err := got.mapScaled(t.Context(), d.Train, store, func(n int) { done = n }); err != nil || done != d.Train.Len() {
		t.Fatalf("told of %d of %d images, %v", done, d.Train.Len(), err)
	}
	if got.mapped == nil || got.Digest() != want.Digest() || files() != before {
		t.Errorf("mapped: %v; the same images: %v; %d files, expected %d", got.mapped != nil, got.Digest() == want.Digest(), files(), before)
	}
	held := got.View([]int{0})
	if got.Release(); got.Pixels != nil || held.Image(0)[0] != 0 {
		t.Error("a set that was released has images")
	}
	if _, err := held.mapped.file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("its file stays: %v", err)
	}
}
