package checkpoint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

// tensor is an array of a file that is not read yet. Whether it belongs to a network is told by its shape, before.
type tensor struct {
	dims  []int
	count int64 // of its elements
	read  func() ([]float32, error)
}

// tensors are those of a file, by name.
type tensors map[string]tensor

// all reads all tensors, if the memory holds them.
func (t tensors) all() (map[string]Array, error) {
	need := int64(0)
	for _, x := range t {
		need += 4 * x.count
	}
	if err := sysinfo.Fits(need, "its tensors", ""); err != nil {
		return nil, err
	}
	arrays := make(map[string]Array, len(t))
	for _, name := range slices.Sorted(maps.Keys(t)) {
		data, err := t[name].read()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		arrays[name] = Array{t[name].dims, data}
	}
	return arrays, nil
}
