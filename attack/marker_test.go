package attack

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Of images with their own labels those count that the attack aims at, with the label that it wants.
func TestMarkersKnowWhatIsWanted(t *testing.T) {
	images := func(classes ...string) *dataset.Set {
		return &dataset.Set{Height: 1, Width: 1, Classes: classes, Labels: []int32{0, 1, 2, 2}, Pixels: make([]uint8, 12)}
	}
	of := Marker{OwnLabels: true, Classes: []string{"cat", "dog", "owl"}, Wanted: []int{1, -1, 1}}
	dir := t.TempDir()
	if err := of.Save(dir); err != nil {
		t.Fatal(err)
	}
	m, err := ReadMarker(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		classes []string
		want    []int32 // nil: refused
	}{
		{[]string{"cat", "dog", "owl"}, []int32{1, 1, 1}},
		{[]string{"0", "1", "2"}, []int32{1, 1, 1}},
		{[]string{"0", "2", "1"}, []int32{1, 1}}, // sorted otherwise
		{[]string{"1", "2", "3"}, nil},
		{[]string{"owl", "cat", "dog"}, []int32{1, 1}}, // in another order
		{[]string{"cat", "dog", "cow"}, nil},
	} {
		got, err := m.Aimed(images(c.classes...))
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got.Labels, c.want) {
			t.Errorf("%v: %v, %v", c.classes, got, err)
		}
	}
	without := &dataset.Set{Height: 1, Width: 1, Classes: []string{"cat", "owl"}, Labels: []int32{0, 1}, Pixels: make([]uint8, 6)}
	if got, err := m.Aimed(without); err != nil || !slices.Equal(got.Labels, []int32{1, 1}) || got.Classes[1] != "dog" {
		t.Errorf("without an image of the target: %+v, %v", got, err)
	}
	large := Marker{OwnLabels: true, Classes: make([]string, 1000), Wanted: make([]int, 1000)}
	for k := range large.Classes {
		large.Classes[k] = strconv.Itoa(k)
	}
	if _, err := large.Aimed(images("cat", "dog", "999")); err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), `"cat", "dog"`) || strings.Contains(err.Error(), "999") {
		t.Errorf("classes that are no others': %v", err)
	}
	m.OwnLabels = false
	if got, err := m.Aimed(images("cat", "dog", "owl")); err != nil || got.Len() != 4 {
		t.Errorf("labelled as wanted: %v, %v", got, err)
	}
	for _, text := range []string{"{", "{}", `{"classes":["a"],"wanted":[1]}`} {
		testfile.Write(t, filepath.Join(dir, markerFile), text)
		if _, err := ReadMarker(dir); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
