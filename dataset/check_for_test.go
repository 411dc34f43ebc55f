package dataset

import (
	"strings"
	"testing"
)

// What takes images of one size and so many classes refuses others, and indices of none.
func TestCheckFor(t *testing.T) {
	set := func(change func(s *Set)) *Set {
		s := &Set{Height: 1, Width: 2, Classes: []string{"a", "b"}, Pixels: make([]uint8, 12), Labels: []int32{0, 1}}
		change(s)
		return s
	}
	if err := set(func(*Set) {}).CheckFor("these", 2, 1, 2, []int{0, 1}, nil); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"found nil":            (*Set)(nil).CheckFor("these", 2, 1, 2),
		"2×1 pixels":           set(func(*Set) {}).CheckFor("these", 2, 2, 2),
		"2 classes":            set(func(*Set) {}).CheckFor("these", 3, 1, 2),
		"the label 2":          set(func(s *Set) { s.Labels[1] = 2 }).CheckFor("these", 2, 1, 2),
		"12 bytes":             set(func(s *Set) { s.Pixels = s.Pixels[:6] }).CheckFor("these", 2, 1, 2),
		"from 0 to 1, found 2": set(func(*Set) {}).CheckFor("these", 2, 1, 2, []int{0}, []int{2}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "these") {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

// Of one class no image gets another label.
func TestVaryRefusesNoiseInOneClass(t *testing.T) {
	d := &Data{Train: &Set{Height: 1, Width: 1, Classes: []string{"a"}, Pixels: make([]uint8, 6), Labels: []int32{0, 0}}}
	if _, err := d.Vary(Variation{Noise: 0.5}, 1); err == nil || !strings.Contains(err.Error(), "1 classes") {
		t.Error(err)
	}
	if _, err := (&Data{}).Vary(Variation{}, 1); err == nil {
		t.Error("no images are varied")
	}
}
