package detect

import (
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/rng"
)

func varied(t *testing.T, list string) (before, after *dataset.Data) {
	t.Helper()
	before = signs.Render(0, 400, 100)
	digest := before.Train.Digest()
	v, err := (&Set{Vary: list}).variation()
	if err != nil {
		t.Fatal(err)
	}
	after, err = v.apply(before, 3)
	if err != nil {
		t.Fatal(err)
	}
	if before.Train.Digest() != digest {
		t.Fatal("the data themselves were changed")
	}
	return before, after
}

// Marks and cameras change the images of one class alone, in training and in test, and no label.
func TestOneClassChanges(t *testing.T) {
	for _, list := range []string{"mark=line", "mark=border", "mark=tag", "camera=jpeg", "camera=noise", "camera=white"} {
		before, after := varied(t, list)
		one := int32(rng.Shuffle(3, "detect class", len(before.Train.Classes))[0])
		for _, pair := range [][2]*dataset.Set{{before.Train, after.Train}, {before.Test, after.Test}} {
			if !slices.Equal(pair[0].Labels, pair[1].Labels) {
				t.Fatalf("%s: labels changed", list)
			}
			for i, l := range pair[0].Labels {
				if same := slices.Equal(pair[0].Image(i), pair[1].Image(i)); same == (l == one) {
					t.Fatalf("%s: image %d of class %d, same: %v; class %d was to change", list, i, l, same, one)
				}
			}
		}
	}
}

func TestMergeAndPairs(t *testing.T) {
	before, after := varied(t, "merge=true")
	if len(after.Train.Classes) != len(before.Train.Classes)-1 || after.Train.Len() != before.Train.Len() {
		t.Errorf("%d classes and %d images of %d and %d", len(after.Train.Classes), after.Train.Len(), len(before.Train.Classes), before.Train.Len())
	}
	if slices.Contains(after.Train.Counts(), 0) || !slices.Equal(after.Train.Classes, after.Test.Classes) {
		t.Errorf("classes %v have %v images", after.Train.Classes, after.Train.Counts())
	}
	for i, l := range after.Train.Labels { // names follow their images
		if own, of := before.Train.Classes[before.Train.Labels[i]], after.Train.Classes[l]; own != of && !slices.Contains([]string{of[:min(len(of), len(own))], of[max(0, len(of)-len(own)):]}, own) {
			t.Fatalf("image %d of %s is called %s", i, own, of)
		}
	}
	before, after = varied(t, "pairs=0.2")
	changed := map[int32]int{}
	for i, l := range before.Train.Labels {
		if after.Train.Labels[i] != l {
			changed[l]++
		}
	}
	if len(changed) != 2 {
		t.Fatalf("labels of classes %v changed, expected two", changed)
	}
	for c, n := range changed {
		if want := int(0.2 * float64(before.Train.Counts()[c])); n != want {
			t.Errorf("class %d: %d labels changed, expected %d", c, n, want)
		}
	}
}

func TestVariationRefuses(t *testing.T) {
	for _, list := range []string{"pairs=2", "camera=x", "mark=x", "noise=2", "x=1"} {
		if _, err := (&Set{Vary: list}).variation(); err == nil {
			t.Errorf("%s was taken", list)
		}
	}
}

// Of a clean set with an honest mark on one class, a shortcut is no false alarm.
func TestMarksAreShortcuts(t *testing.T) {
	for _, c := range []struct {
		vary, verdict string
		want          bool
	}{
		{"", look.Poisoned.String(), true},
		{"", look.Shortcut.String(), true},
		{"", look.CantTell.String(), false},
		{"", look.NoEvidence.String(), false},
		{"mark=line", look.Poisoned.String(), true},
		{"mark=line", look.Shortcut.String(), false},
	} {
		if got := falseAlarm(&Set{Vary: c.vary}, c.verdict); got != c.want {
			t.Errorf("%q called %s: %v, expected %v", c.vary, c.verdict, got, c.want)
		}
	}
}
