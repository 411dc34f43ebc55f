package runs

import (
	"slices"
	"testing"
)

func TestWarningsCountAndName(t *testing.T) {
	d := DataInfo{Skipped: 2, Duplicates: 4, Conflicting: 1, Shared: 7, Single: []string{"a", "b", "c", "d", "e", "f"}, Empty: []string{"x"}, Untaught: []string{"a", "b"}}
	want := []string{
		"2 records could not be read or had no label and were skipped.",
		"One image is a copy of another under a different label.",
		"3 images are exact copies of others of their label.",
		"7 test images are also training images: the clean accuracy is overstated.",
		"6 labels have a single image each: a, b, c, d, e, ….",
		"One label has no image: x.",
		"No image of 2 labels was left to train on: a, b. The model does not know them.",
	}
	if got := d.Warnings(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := (&DataInfo{}).Warnings(); got != nil {
		t.Errorf("of nothing odd: %q", got)
	}
}
