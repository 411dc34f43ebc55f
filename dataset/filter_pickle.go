package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/pickle"
)

// pickles filters CIFAR's Python version. A batch is pickled anew, with all its keys; lists that are as long as the batch,
// such as labels and file names, lose the same rows.
func (f *filter) pickles() error {
	rows, err := f.rowFiles(names.Matching(f.base, "*"))
	if err != nil {
		return err
	}
	write := map[string]func(from, to string) error{}
	for p, c := range rows {
		write[p] = func(from, to string) error { return f.pickled(from, to, c) }
	}
	return f.rewrites(write)
}

func (f *filter) pickled(from, to string, c *change) error {
	raw, batch, err := unpickled(from)
	if err != nil {
		return err
	}
	if err := f.pickledLabels(batch, c.label); err != nil {
		return err
	}
	drop := c.drop
	n := -1
	for i, k := range batch.Keys {
		if name, ok := pickle.Bytes(k); ok && string(name) == "data" {
			if n, err = dropFromNumPy(batch.Values[i], drop); err != nil {
				return fmt.Errorf("%s: data: %w", from, err)
			}
		}
	}
	if n < 0 {
		return fmt.Errorf("%s: expected data", from)
	}
	for i := range batch.Keys {
		if l, ok := batch.Values[i].(*pickle.List); ok && len(l.Items) == n {
			batch.Values[i] = &pickle.List{Items: without(l.Items, drop)}
		}
	}
	return writeFile(to, func(w io.Writer) error { return pickle.Encode(w, batch, python2(raw)) })
}

func unpickled(file string) (raw []byte, batch *pickle.Dict, err error) {
	if raw, err = os.ReadFile(file); err != nil {
		return nil, nil, err
	}
	v, err := pickle.Decode(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	batch, ok := v.(*pickle.Dict)
	if !ok {
		return nil, nil, fmt.Errorf("%s: expected a pickled dictionary, found %T", file, v)
	}
	return raw, batch, nil
}

func without(items []any, drop map[int]bool) []any {
	var kept []any
	for i, v := range items {
		if !drop[i] {
			kept = append(kept, v)
		}
	}
	return kept
}

// python2 reports whether the first string of a pickle is one of Python 2's.
func python2(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case 0x80, 'q': // protocol, memo: a byte follows
			i++
		case 0x95: // frame
			i += 8
		case '}', '(', 0x94, 'd':
		case 'p':
			for i < len(raw) && raw[i] != '\n' {
				i++
			}
		default:
			return raw[i] == 'U' || raw[i] == 'T' || raw[i] == 'S'
		}
	}
	return false
}

// dropFromNumPy takes rows out of a pickled array of bytes and returns how many there were.
func dropFromNumPy(v any, drop map[int]bool) (int, error) {
	o, ok := v.(*pickle.Object)
	if !ok {
		return 0, fmt.Errorf("expected a NumPy array, found %T", v)
	}
	// A call and its state (version, shape, type, order, bytes) or, since protocol 5, a call with bytes, type, shape, order.
	state, shapeAt, dataAt := o.Args, 2, 0
	if s, ok := o.State.(pickle.Tuple); ok && len(s) == 5 {
		state, shapeAt, dataAt = s, 1, 4
	} else if len(o.Args) != 4 {
		return 0, errors.New("expected the state of a NumPy array")
	}
	shape, ok1 := state[shapeAt].(pickle.Tuple)
	data, ok2 := pickle.Bytes(state[dataAt])
	if !ok1 || !ok2 || len(shape) == 0 {
		return 0, errors.New("expected shape and bytes of a NumPy array")
	}
	n, ok := shape[0].(int64)
	if !ok || n <= 0 || int64(len(data))%n != 0 || int64(len(drop)) > n {
		return 0, fmt.Errorf("%d bytes of the shape %v", len(data), shape)
	}
	var kept bytes.Buffer
	if err := copyRows(&kept, bytes.NewReader(data), int64(len(data))/n, drop, nil); err != nil {
		return 0, err
	}
	state[shapeAt] = append(pickle.Tuple{n - int64(len(drop))}, shape[1:]...)
	if _, text := state[dataAt].(string); text {
		state[dataAt] = kept.String()
	} else {
		state[dataAt] = kept.Bytes()
	}
	return int(n), nil
}
