package dataset

import (
	"fmt"
	"slices"
)

// relabelled tells whether a kept image gets another label.
func (f *filter) relabelled(i int) bool {
	return f.labels != nil && !f.drop[i] && f.labels[i] >= 0 && f.labels[i] != f.data.Train.Labels[i]
}

// like returns an image that came with a label: where a layout has labels of many forms, that image's is copied.
func (f *filter) like(class int32) (int, error) {
	i := slices.Index(f.data.Train.Labels, class)
	if i < 0 {
		return 0, fmt.Errorf("no training image has the label %q, which others are to get", f.data.Train.Classes[class])
	}
	return i, nil
}

// byClass returns what value gives for an image of each of some classes.
func byClass[T any](f *filter, labels map[int]int32, value func(file string, row int) (T, error)) (map[int32]T, error) {
	of := map[int32]T{}
	for _, class := range labels {
		if _, known := of[class]; known {
			continue
		}
		i, err := f.like(class)
		if err != nil {
			return nil, err
		}
		file, row := f.data.Train.origin(i)
		if of[class], err = value(file, row); err != nil {
			return nil, err
		}
	}
	return of, nil
}

// corrected compares images with those that were read, in any order.
func (f *filter) corrected(a *Set, at []int, b *Set) error {
	type image struct {
		digest ImageDigest
		class  string
	}
	left := map[image]int{}
	for _, i := range at {
		class := a.Labels[i]
		if f.relabelled(i) {
			class = f.labels[i]
		}
		left[image{a.ImageDigest(i), a.Classes[class]}]++
	}
	for k := range b.Len() {
		one := image{b.ImageDigest(k), b.Classes[b.Labels[k]]}
		if left[one]--; left[one] < 0 {
			return fmt.Errorf("%s, under the label %q, was not expected", b.Source(k), one.class)
		}
	}
	if len(at) != b.Len() {
		return fmt.Errorf("%d are expected, %d are there", len(at), b.Len())
	}
	return nil
}
