package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unpoison/unpoison/internal/base/pickle"
)

// CIFAR's Python version: pickled dictionaries with data (N × 3072, channel after channel) and labels.

func isCIFARPickle(dir string) bool {
	return exists(filepath.Join(dir, "data_batch_1")) || exists(filepath.Join(dir, "train")) && exists(filepath.Join(dir, "meta"))
}

func loadCIFARPickle(ctx context.Context, dir string, r *reader) (*Data, error) {
	labels, meta, names := "labels", "batches.meta", "label_names"
	var train []string
	for i := 1; exists(filepath.Join(dir, fmt.Sprintf("data_batch_%d", i))); i++ {
		train = append(train, fmt.Sprintf("data_batch_%d", i))
	}
	test := "test_batch"
	if len(train) == 0 {
		train, test, labels, meta, names = []string{"train"}, "test", "fine_labels", "meta", "fine_label_names"
	}
	var classes []string
	if d, err := readPickle(filepath.Join(dir, meta)); err == nil {
		if list, ok := d.Get(names).(*pickle.List); ok {
			for _, n := range list.Items {
				b, _ := pickle.Bytes(n)
				classes = append(classes, string(b))
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	read := func(files []string) ([]raw, error) {
		var all []raw
		for _, f := range files {
			path := filepath.Join(dir, f)
			d, err := readPickle(path)
			if err != nil {
				return nil, err
			}
			p, err := cifarBatch(d, f, labels)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			all = append(all, *p)
		}
		return all, nil
	}
	t, err := read(train)
	if err != nil {
		return nil, err
	}
	var e []raw
	if exists(filepath.Join(dir, test)) {
		if e, err = read([]string{test}); err != nil {
			return nil, err
		}
	}
	return r.fromRaw(ctx, classes, t, e)
}

func readPickle(path string) (*pickle.Dict, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := pickle.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("%s: expected a pickled dictionary, found %T", path, v)
	}
	return d, nil
}

func cifarBatch(d *pickle.Dict, file, labels string) (*raw, error) {
	p := &raw{file: file, labelsFile: file, h: cifarSide, w: cifarSide, c: 3, planar: true}
	list, ok := d.Get(labels).(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("expected a list of %s", labels)
	}
	for i, l := range list.Items {
		n, ok := l.(int64)
		if !ok {
			return nil, fmt.Errorf("label %d is a %T", i, l)
		}
		p.labels = append(p.labels, n)
	}
	// A NumPy array is pickled as a call and its state: version, shape, type, order, bytes.
	o, ok := d.Get("data").(*pickle.Object)
	if !ok {
		return nil, fmt.Errorf("expected data to be a NumPy array")
	}
	state, ok := o.State.(pickle.Tuple)
	if !ok || len(state) != 5 {
		return nil, fmt.Errorf("expected the state of a NumPy array")
	}
	shape, ok := state[1].(pickle.Tuple)
	if !ok || len(shape) != 2 || shape[1] != int64(3*cifarPixels) {
		return nil, fmt.Errorf("expected N × %d bytes, found the shape %v", 3*cifarPixels, state[1])
	}
	if fortran, _ := state[3].(bool); fortran {
		return nil, fmt.Errorf("expected an array in C's order")
	}
	p.pixels, ok = pickle.Bytes(state[4])
	n, isInt := shape[0].(int64)
	if !ok || !isInt || n < 0 || int64(len(p.pixels)) != n*3*cifarPixels {
		return nil, fmt.Errorf("expected %v × %d bytes, found %d", shape[0], 3*cifarPixels, len(p.pixels))
	}
	p.n = int(n)
	return p, nil
}
