package dataset

import (
	"bytes"
	"testing"
)

// A clone of which some images may be changed shows what a clone of all does, before and after, and leaves the set as it is; whether
// that lies in memory or in a file, is grey or not, or is a view.
func TestCloneSomeIsAClone(t *testing.T) {
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
			m, err := Load(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			some := []int{m.Train.Len() - 1, 0, 1, 2}
			for name, pair := range map[string][2]*Set{
				"set": {d.Train, m.Train}, "view": {d.Train.View(some), m.Train.Subset(some)}, "clone": {d.Train.CloneSome([]int{1, 2}), m.Train},
			} {
				set, want := pair[0], pair[1].Clone()
				before, got := set.Digest(), set.CloneSome([]int{2, 0, 2})
				if got.Digest() != before {
					t.Errorf("%s of %s, stored %v: other images", name, dir, stored)
				}
				for _, i := range []int{0, 2} {
					for _, c := range []*Set{want, got} {
						c.Image(i)[i]++
					}
				}
				got.Labels[1]++
				want.Labels[1]++
				at := []int{2, 1, 0}
				for how, pair := range map[string][2]*Set{
					"itself": {got, want}, "its clone": {got.Clone(), want}, "its clone of some": {got.CloneSome(at), want},
					"its view": {got.View(at), want.Subset(at)}, "its view's view": {got.View(at).View(at), want.Subset([]int{0, 1, 2})},
					"its subset": {got.Subset(at), want.Subset(at)},
				} {
					if pair[0].Digest() != pair[1].Digest() {
						t.Errorf("%s of %s, stored %v, changed: %s has other images", name, dir, stored, how)
					}
				}
				if set.Digest() != before {
					t.Errorf("%s of %s, stored %v was changed", name, dir, stored)
				}
			}
		}
	}
}

// Images that stay as they are have no copies.
func TestCloneSomeCopiesSome(t *testing.T) {
	d, err := Load(t.Context(), "testdata/folder", Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := d.Train.CloneSome([]int{1})
	if &c.Image(0)[0] != &d.Train.Image(0)[0] || &c.Image(1)[0] == &d.Train.Image(1)[0] || !bytes.Equal(c.Image(1), d.Train.Image(1)) {
		t.Error("another image than asked for was copied")
	}
}
