package dataset

import (
	"fmt"
	"slices"
)

// relabelled tells whether a kept image gets another label.
func (f *filter) relabelled(i int) bool {
	return f.labels != nil && !f.drop[i] && f.labels[i] >= 0 && f.labels[i] != f.data.Train.Labels[i]
}

// store reads the data.
func (f *filter) store() *store { return newStore(f.data.Path, f.opts) }

// class is the label that an image has in the end.
func (f *filter) class(i int) int32 {
	if f.relabelled(i) {
		return f.labels[i]
	}
	return f.data.Train.Labels[i]
}

// like returns an image that came with a label: where a layout has labels of many forms, that image's is copied.
func (f *filter) like(class int32) (int, error) {
	i := slices.Index(f.data.Train.Labels, class)
	if i < 0 {
		return 0, fmt.Errorf("no training image has the label %q, which others are to get", f.data.Train.Classes[class])
	}
	return i, nil
}

// byRow returns for rows under other labels what value gives for an image of that label, once a label.
func byRow[T any](f *filter, labels map[int]int32, value func(file string, row int) (T, error)) (map[int]T, error) {
	of, rows := map[int32]T{}, map[int]T{}
	for at, class := range labels {
		if _, known := of[class]; !known {
			i, err := f.like(class)
			if err != nil {
				return nil, err
			}
			file, row := f.data.Train.origin(i)
			if of[class], err = value(file, row); err != nil {
				return nil, err
			}
		}
		rows[at] = of[class]
	}
	return rows, nil
}

// corrected compares images with those that were read, in any order.
func (f *filter) corrected(a *Set, at []int, b *Set) error {
	type image struct {
		digest ImageDigest
		class  string
	}
	left := map[image]int{}
	for _, i := range at {
		left[image{a.ImageDigest(i), a.Classes[f.class(i)]}]++
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
