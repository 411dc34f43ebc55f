package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/pickle"
)

// pickles filters CIFAR's Python version. A batch is pickled anew, with all its keys; lists and arrays that are as long as the batch,
// such as labels and file names, lose the same rows.
func (f *filter) pickles() error {
	return f.rewriteRows(names.Matching(f.base, "*"), f.pickled)
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
	var beside []string
	for i, k := range batch.Keys {
		name, _ := pickle.Bytes(k)
		switch v := batch.Values[i].(type) {
		case *pickle.List:
			if len(v.Items) != n {
				continue
			}
			batch.Values[i] = &pickle.List{Items: without(v.Items, drop)}
		case pickle.Tuple:
			if len(v) != n {
				continue
			}
			batch.Values[i] = pickle.Tuple(without(v, drop))
		default:
			if pickledRows(v) != n || string(name) == "data" {
				continue
			}
			if _, err := dropFromNumPy(v, drop); err != nil {
				f.note("%s was copied whole with as many rows as there were images, %d: %v; filter it yourself if its rows are theirs", name, n, err)
				continue
			}
		}
		if !slices.Contains(pickledLists, string(name)) && len(drop) > 0 {
			beside = append(beside, string(name))
		}
	}
	if len(beside) > 0 {
		f.note("these lists lost the same rows as the images, as they had as many: %s", strings.Join(beside, ", "))
	}
	return writeFile(to, func(w io.Writer) error { return pickle.Encode(w, batch, python2(raw)) })
}

// pickledLists are CIFAR's own of a batch.
var pickledLists = []string{"labels", "fine_labels", "coarse_labels", "filenames"}

// pickledRows returns how many rows a pickled array has; −1 where it is none.
func pickledRows(v any) int {
	o, isObject := v.(*pickle.Object)
	shape, _, _, err := pickledArray(v)
	if err != nil || !isObject || !strings.HasPrefix(o.Class.Module, "numpy") {
		return -1
	}
	n, ok := shape[0].(int64)
	if !ok {
		return -1
	}
	return int(n)
}

// pickledArray returns the shape of a pickled NumPy array, and what holds its shape and bytes, at which places: a call and its state
// (version, shape, type, order, bytes) or, since protocol 5, a call with bytes, type, shape, order.
func pickledArray(v any) (shape, state pickle.Tuple, at [3]int, err error) {
	o, ok := v.(*pickle.Object)
	if !ok {
		return nil, nil, at, fmt.Errorf("expected a NumPy array, found %s", pickle.Kind(v))
	}
	state, at = o.Args, [3]int{2, 0, 3}
	if s, ok := o.State.(pickle.Tuple); ok && len(s) == 5 {
		state, at = s, [3]int{1, 4, 3}
	} else if len(o.Args) != 4 || o.Class.Name != "_frombuffer" {
		return nil, nil, at, errors.New("expected the state of a NumPy array")
	}
	shape, ok = state[at[0]].(pickle.Tuple)
	if !ok || len(shape) == 0 {
		return nil, nil, at, errors.New("expected the shape of a NumPy array")
	}
	return shape, state, at, nil
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
		return nil, nil, fmt.Errorf("%s: expected a pickled dictionary, found %s", file, pickle.Kind(v))
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
	shape, state, at, err := pickledArray(v)
	if err != nil {
		return 0, err
	}
	data, ok := pickle.Bytes(state[at[1]])
	if !ok {
		return 0, errors.New("it holds Python objects")
	}
	if order := state[at[2]]; len(shape) > 1 && (order == true || order == "F") {
		return 0, errors.New("it is in Fortran's order")
	}
	n, ok := shape[0].(int64)
	if !ok || n <= 0 || int64(len(data))%n != 0 || int64(len(drop)) > n {
		return 0, fmt.Errorf("%d bytes of the shape %v", len(data), shape)
	}
	var kept bytes.Buffer
	if err := copyRows(&kept, bytes.NewReader(data), int64(len(data))/n, drop, nil); err != nil {
		return 0, err
	}
	state[at[0]] = append(pickle.Tuple{n - int64(len(drop))}, shape[1:]...)
	if _, text := state[at[1]].(string); text {
		state[at[1]] = kept.String()
	} else {
		state[at[1]] = kept.Bytes()
	}
	return int(n), nil
}
