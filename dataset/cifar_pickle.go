package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/pickle"
)

// CIFAR's Python version: pickled dictionaries with data (N × 3072, channel after channel) and labels.

func isCIFARPickle(dir string, _ Options) bool {
	return isFile(dir, "data_batch_1") || isFile(dir, "train") && isFile(dir, "meta")
}

func openCIFARPickle(_ context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	labels, meta, nameList := "labels", "batches.meta", "label_names"
	var train []string
	c := &Contents{}
	batches := map[int]bool{}
	for _, path := range names.Matching(dir, "data_batch_*") {
		if n, ok := batchNumber(path, ""); ok {
			batches[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(batches)) {
		train = append(train, fmt.Sprintf("data_batch_%d", n))
	}
	c.Notes = missingBatches(batches)
	test := "test_batch"
	if len(train) == 0 {
		train, test, labels, meta, nameList = []string{"train"}, "test", "fine_labels", "meta", "fine_label_names"
	}
	if o.Label != "" {
		labels, nameList = o.Label, ""
	}
	if path := filepath.Join(dir, meta); exists(path) {
		d, err := s.readPickle(path)
		if err != nil {
			return nil, s.ofFile(path, err)
		}
		if list, ok := d.Get(nameList).(*pickle.List); ok {
			for _, n := range list.Items {
				b, _ := pickle.Bytes(n)
				c.Classes = append(c.Classes, string(b))
			}
		}
	}
	part := func(files []string) (*Part, error) {
		var all []arrays
		for _, f := range files {
			path := filepath.Join(dir, f)
			d, err := s.readPickle(path)
			if err != nil {
				return nil, s.ofFile(path, err)
			}
			a, err := s.cifarBatch(d, path, labels)
			if err != nil {
				return nil, s.ofFile(path, err)
			}
			all = append(all, *a)
		}
		return arrayPart(all)
	}
	var err error
	if c.Train, err = part(train); err == nil && exists(filepath.Join(dir, test)) {
		c.Test, err = part([]string{test})
	}
	return c, err
}

func (s *store) readPickle(path string) (*pickle.Dict, error) {
	f, _, err := s.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := pickle.DecodeLocated(f)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("expected a pickled dictionary, found %s", pickle.Kind(v))
	}
	return d, nil
}

func (s *store) cifarBatch(d *pickle.Dict, path, labels string) (*arrays, error) {
	a := &arrays{name: s.rel(path), image: Raw{Height: cifarSide, Width: cifarSide, Channels: 3, Planar: true}}
	a.labelsName = a.name
	list, ok := d.Get(labels).(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("expected a list of %s, found %s; a NumPy array's tolist() makes one", labels, pickle.Kind(d.Get(labels)))
	}
	a.labels = &labelList{bad: map[int]string{}}
	for i, l := range list.Items {
		n, ok := l.(int64)
		if !ok {
			a.labels.bad[i] = pickle.Kind(l)
			if _, object := l.(*pickle.Object); object {
				a.labels.bad[i] += "; int() makes a plain number of it"
			}
		}
		a.labels.numbers = append(a.labels.numbers, n)
	}
	shape, data, err := numpyObject(d.Get("data"))
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 || shape[1] != int64(3*cifarPixels) {
		return nil, fmt.Errorf("expected N × %d bytes, found the shape %v", 3*cifarPixels, shape)
	}
	n, isInt := shape[0].(int64)
	if !isInt || n < 0 {
		return nil, fmt.Errorf("expected N × %d bytes, found the shape %v", 3*cifarPixels, shape)
	}
	var size int64
	if at, ok := data.(pickle.Located); ok {
		size = at.Size
		a.open = func() (io.ReadCloser, error) {
			f, _, err := s.open(path)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{io.NewSectionReader(f, at.Offset, at.Size), f}, nil
		}
	} else {
		raw, ok := pickle.Bytes(data)
		if !ok {
			return nil, fmt.Errorf("expected data to be bytes, found %s", pickle.Kind(data))
		}
		size = int64(len(raw))
		a.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	}
	if n > size || size != n*3*cifarPixels {
		return nil, fmt.Errorf("expected %d × %d bytes, found %d", n, 3*cifarPixels, size)
	}
	a.claimed, a.n = int(n), int(n)
	return a, nil
}

// numpyObject returns the shape and what holds the bytes of a pickled NumPy array.
func numpyObject(v any) (shape pickle.Tuple, data any, err error) {
	shape, state, at, err := pickledArray(v)
	if err != nil {
		return nil, nil, err
	}
	for _, part := range state {
		if t, ok := part.(*pickle.Object); ok && t.Class.Name == "dtype" && len(t.Args) > 0 && !slices.Contains([]any{"u1", "|u1", "uint8"}, t.Args[0]) {
			return nil, nil, fmt.Errorf("an array of %v, expected uint8", t.Args[0])
		}
	}
	if order := state[at[2]]; order == true || order == "F" {
		return nil, nil, errors.New("expected an array in C's order")
	}
	return shape, state[at[1]], nil
}
