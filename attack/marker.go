package attack

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// markerFile lies beside triggered images.
const markerFile = "triggered.json"

// Marker says of a folder of triggered images what their attack wants.
type Marker struct {
	Attack    string   `json:"attack"`
	OwnLabels bool     `json:"own_labels"` // the images have the labels of what they show, and not those that are wanted
	AnyOther  bool     `json:"any_other"`  // every label but an image's own is wanted
	Classes   []string `json:"classes"`
	Wanted    []int    `json:"wanted"` // what images of each class shall be taken for; −1 for a class that the attack does not aim at
}

// Marker describes the images of Triggered, or with ownLabels those of Marked, of a test set with these classes.
func (a *Attack) Marker(classes []string, ownLabels bool) Marker {
	m := Marker{Attack: a.lab.Name, OwnLabels: ownLabels || a.Config.RandomLabels, AnyOther: a.Config.RandomLabels, Classes: classes, Wanted: make([]int, len(classes))}
	for k := range classes {
		switch {
		case !a.Aims(k):
			m.Wanted[k] = -1
		case m.AnyOther:
			m.Wanted[k] = k
		default:
			m.Wanted[k] = int(a.Config.label(int32(k), len(classes), nil))
		}
	}
	return m
}

// Save writes the marker to the folder of the images.
func (m Marker) Save(dir string) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(dir, markerFile), append(raw, '\n'))
}

// ReadMarker reads the marker of a folder.
func ReadMarker(dir string) (*Marker, error) {
	path := filepath.Join(dir, markerFile)
	raw, err := limited.ReadFile(path, 64<<20)
	if err != nil {
		return nil, err
	}
	m := &Marker{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(m.Classes) == 0 || len(m.Wanted) != len(m.Classes) || slices.ContainsFunc(m.Wanted, func(k int) bool { return k < -1 || k >= len(m.Classes) }) {
		return nil, fmt.Errorf("%s: expected what is wanted of each class, found %v of %d", path, m.Wanted, len(m.Classes))
	}
	return m, nil
}

// Aimed returns those of the folder's images that success is measured on, with the labels that are wanted of them; their own
// where any other is. It gives images with labels of their own the marker's classes, of which they may lack some.
func (m *Marker) Aimed(images *dataset.Set) (*dataset.Set, error) {
	if !m.OwnLabels {
		return images, nil
	}
	known := m.Classes
	if own := names.ByIndex(images.Classes, m.Classes); own != nil {
		known = own
	}
	if !images.OrderClasses(known) {
		return nil, fmt.Errorf("%s is of %d classes, and the images have others: %s", markerFile, len(known), printable.Strangers(images.Classes, known))
	}
	var keep []int
	var labels []int32
	for i, l := range images.Labels {
		if wanted := m.Wanted[l]; wanted >= 0 {
			keep, labels = append(keep, i), append(labels, int32(wanted))
		}
	}
	aimed := images.View(keep)
	aimed.Labels = labels
	return aimed, nil
}

// Success turns a network's accuracy on the images of Aimed, in percent, into the attack success rate; see Common.Success.
func (m *Marker) Success(accuracy float64) float64 {
	return Common{RandomLabels: m.AnyOther}.Success(accuracy)
}
