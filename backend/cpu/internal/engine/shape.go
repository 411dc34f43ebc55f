package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Type is an element type.
type Type uint8

// The element types that the engine computes with.
const (
	Bool Type = iota
	Int8
	Uint8
	Int32
	Int64
	Uint32
	Uint64
	Float32
	Float64
)

var typeNames = [...]string{"bool", "int8", "uint8", "int32", "int64", "uint32", "uint64", "float32", "float64"}

func (t Type) String() string { return typeNames[t] }

// Size returns the bytes of an element.
func (t Type) Size() int { return [...]int{1, 1, 1, 4, 8, 4, 8, 4, 8}[t] }

// Shape is an element type and dimensions; a scalar has none.
type Shape struct {
	Type Type
	Dims []int
}

// Make returns a shape.
func Make(t Type, dims ...int) Shape { return Shape{t, dims} }

// Size returns the number of elements.
func (s Shape) Size() int {
	n := 1
	for _, d := range s.Dims {
		n *= d
	}
	return n
}

// Bytes returns the memory that the elements take.
func (s Shape) Bytes() int { return s.Size() * s.Type.Size() }

// Rank returns the number of dimensions.
func (s Shape) Rank() int { return len(s.Dims) }

// Equal reports whether type and dimensions agree.
func (s Shape) Equal(o Shape) bool { return s.Type == o.Type && slices.Equal(s.Dims, o.Dims) }

func (s Shape) String() string {
	if len(s.Dims) == 0 {
		return s.Type.String()
	}
	return s.Type.String() + strings.ReplaceAll(fmt.Sprint(s.Dims), " ", ",")
}

// rowSize returns the elements behind one index of the first axis.
func (s Shape) rowSize() int {
	if len(s.Dims) == 0 {
		return 1
	}
	return Shape{s.Type, s.Dims[1:]}.Size()
}

// maxRank is up to how many axes need no allocation at run time.
const maxRank = 8

// indices returns n zeros, in room if they fit.
func indices(room *[maxRank]int, n int) []int {
	if n > maxRank {
		return make([]int, n)
	}
	return room[:n]
}

// dims returns the dimensions with the first replaced; a scalar has none. The slice is the worker's,
// one for each k of 0 and 1.
func (w *worker) dims(k int, s Shape, rows int) []int {
	w.dimsBuf[k] = append(w.dimsBuf[k][:0], s.Dims...)
	if len(s.Dims) > 0 {
		w.dimsBuf[k][0] = rows
	}
	return w.dimsBuf[k]
}

// strides returns the row-major strides of dims, in elements.
func strides(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i], n = n, n*dims[i]
	}
	return s
}
