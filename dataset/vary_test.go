package dataset

import (
	"fmt"
	"math"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

func varied(t *testing.T, v Variation, seed uint64) (before, after *Data) {
	t.Helper()
	d := &Data{Train: &Set{Height: 4, Width: 4}, Test: &Set{Height: 4, Width: 4}}
	r := rng.Stream(1, "vary test")
	for c := range 5 {
		for _, s := range []*Set{d.Train, d.Test} {
			s.Classes = append(s.Classes, fmt.Sprint("class", c))
			for range 100 {
				s.Labels = append(s.Labels, int32(c))
				for range s.ImageBytes() {
					s.Pixels = append(s.Pixels, uint8(40*c+r.IntN(40)))
				}
			}
		}
	}
	was := d.Train.Digest()
	after, err := d.Vary(v, seed)
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Digest() != was {
		t.Error("the data itself changed")
	}
	return d, after
}

func TestVariationsOfClassesKeepNames(t *testing.T) {
	d, v := varied(t, Variation{Classes: 3, Limit: 120}, 7)
	if v.Train.Len() != 120 || v.Test.Len() != 300 || len(v.Train.Classes) != 3 {
		t.Fatalf("%d and %d images of %v", v.Train.Len(), v.Test.Len(), v.Train.Classes)
	}
	for _, s := range []*Set{v.Train, v.Test} {
		for i, l := range s.Labels {
			if old := int(s.Image(i)[0]) / 40; s.Classes[l] != d.Train.Classes[old] {
				t.Fatalf("an image of %s is called %s", d.Train.Classes[old], s.Classes[l])
			}
		}
	}
	_, other := varied(t, Variation{Classes: 3, Limit: 120}, 8)
	_, same := varied(t, Variation{Classes: 3, Limit: 120}, 7)
	if same.Train.Digest() != v.Train.Digest() || other.Train.Digest() == v.Train.Digest() {
		t.Error("a seed's variation is its own and the same each time")
	}
}

func TestImbalance(t *testing.T) {
	_, v := varied(t, Variation{Imbalance: 0.1}, 1)
	least, most := math.MaxInt, 0
	for _, n := range v.Train.Counts() {
		least, most = min(least, n), max(most, n)
	}
	if least != 10 || most != 100 {
		t.Errorf("from %d to %d images a class, expected 10 and 100", least, most)
	}
}

func TestLabelNoiseChangesLabelsAlone(t *testing.T) {
	d, v := varied(t, Variation{Noise: 0.2}, 1)
	changed := 0
	for i, l := range v.Train.Labels {
		if l != d.Train.Labels[i] {
			changed++
		}
	}
	if changed != 100 || string(v.Train.Pixels) != string(d.Train.Pixels) {
		t.Errorf("%d labels of 500 changed, expected 100, and no pixel", changed)
	}
}

func TestNearDuplicatesStayInTheirClass(t *testing.T) {
	d, v := varied(t, Variation{Duplicates: 0.3}, 1)
	changed := 0
	for i := range v.Train.Labels {
		if string(v.Train.Image(i)) == string(d.Train.Image(i)) {
			continue
		}
		changed++
		for _, p := range v.Train.Image(i) {
			if c := int(v.Train.Labels[i]); int(p) < 40*c-3 || int(p) > 40*c+42 {
				t.Fatalf("image %d of class %d has a value %d", i, c, p)
			}
		}
	}
	if changed < 140 || changed > 150 {
		t.Errorf("%d images of 500 changed, expected 150 or a few less", changed)
	}
}

func TestVariationsAreChecked(t *testing.T) {
	d := &Data{Train: &Set{Height: 1, Width: 1, Classes: []string{"a", "b"}}}
	for _, v := range []Variation{{Classes: 1}, {Classes: 3}, {Noise: 2}, {Imbalance: -1}, {Limit: -5}, {Duplicates: math.NaN()}} {
		if _, err := d.Vary(v, 0); err == nil {
			t.Errorf("%+v was taken", v)
		}
	}
}
