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

// withRows returns the shape with its first dimension replaced; a scalar stays.
func (s Shape) withRows(n int) []int {
	if len(s.Dims) == 0 {
		return nil
	}
	d := slices.Clone(s.Dims)
	d[0] = n
	return d
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
