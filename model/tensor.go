// Package model holds the networks and their parameters, which are plain named tensors outside any
// graph: checkpoints, imports and pruning are loops over a list.
package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Kind says what a tensor is for.
type Kind uint8

// The kinds of tensors of a network.
const (
	Weight Kind = iota // trained
	Buffer             // kept beside: batch-norm statistics
)

// Tensor is a named float32 array in the layout that the graph computes with: convolution kernels
// are [height, width, in, out], linear weights [in, out]. Files hold PyTorch's layout instead; see
// package checkpoint.
type Tensor struct {
	Name string
	Kind Kind
	Dims []int
	Data []float32
}

// State is a network's tensors in the order in which PyTorch's state_dict lists them.
type State []*Tensor

// Get returns the tensor of that name, or nil.
func (s State) Get(name string) *Tensor {
	i := slices.IndexFunc(s, func(t *Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return s[i]
}

// Classifier returns the last layer's weights [features, classes] and bias, or nil.
func (s State) Classifier() (weight, bias *Tensor) {
	for i := len(s) - 1; i >= 0; i-- {
		if t := s[i]; len(t.Dims) == 2 {
			name, _ := strings.CutSuffix(t.Name, ".weight")
			return t, s.Get(name + ".bias")
		}
	}
	return nil, nil
}

// ForClasses returns the tensors of a network that knows classes of some names for the same ones in another order. ok tells
// whether these are the same names, each once; if not, s is returned.
func (s State) ForClasses(names, classes []string) (_ State, ok bool) {
	weight, bias := s.Classifier()
	from := make([]int, len(classes)) // of each class, the place among names
	for k, c := range classes {
		from[k] = slices.Index(names, c)
	}
	twice := slices.Sorted(slices.Values(from))
	if weight == nil || len(names) != len(classes) || len(names) != weight.Dims[1] || slices.Contains(from, -1) || len(slices.Compact(twice)) != len(names) {
		return s, false
	}
	to := s.Clone()
	for _, t := range []*Tensor{weight, bias} {
		if t == nil {
			continue
		}
		own := to.Get(t.Name)
		for i := range own.Data {
			own.Data[i] = t.Data[i-i%len(names)+from[i%len(names)]]
		}
	}
	return to, true
}

// WithClassifier returns a copy of the tensors whose last layer is another network's.
func (s State) WithClassifier(of State) State {
	to := s.Clone()
	weight, bias := to.Classifier()
	for _, t := range []*Tensor{weight, bias} {
		if t != nil {
			other := of.Get(t.Name)
			t.Dims, t.Data = slices.Clone(other.Dims), slices.Clone(other.Data)
		}
	}
	return to
}

// Clone returns a copy that shares no memory.
func (s State) Clone() State {
	c := make(State, len(s))
	for i, t := range s {
		c[i] = &Tensor{t.Name, t.Kind, slices.Clone(t.Dims), slices.Clone(t.Data)}
	}
	return c
}

// Parameters counts the trained numbers.
func (s State) Parameters() int {
	n := 0
	for _, t := range s {
		if t.Kind == Weight {
			n += len(t.Data)
		}
	}
	return n
}

// Finite reports the first tensor that holds a NaN or an infinity, or a negative variance, of which a network makes NaN.
func (s State) Finite() error {
	for _, t := range s {
		for _, v := range t.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("tensor %s holds %v", t.Name, v)
			}
			if v < 0 && t.Kind == Buffer && strings.HasSuffix(t.Name, varianceName) {
				return fmt.Errorf("tensor %s holds %v, and a variance is not negative", t.Name, v)
			}
		}
	}
	return nil
}

// Digest identifies the names, shapes and numbers of the tensors.
func (s State) Digest() string {
	sum := sha256.New()
	for _, t := range s {
		fmt.Fprintf(sum, "%q %v\n", t.Name, t.Dims)
		buf := make([]byte, 0, 4*len(t.Data))
		for _, v := range t.Data {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		sum.Write(buf)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// initializer fills a tensor; r is a stream of its own for every tensor.
type initializer func(r *rand.Rand, t *Tensor)

func constant(v float32) initializer {
	return func(_ *rand.Rand, t *Tensor) {
		for i := range t.Data {
			t.Data[i] = v
		}
	}
}

func normal(std float64) initializer {
	return func(r *rand.Rand, t *Tensor) {
		for i := range t.Data {
			t.Data[i] = float32(r.NormFloat64() * std)
		}
	}
}

// uniform draws from ±1/√fanIn, PyTorch's default for linear layers.
func uniform(fanIn int) initializer {
	bound := 1 / math.Sqrt(float64(fanIn))
	return func(r *rand.Rand, t *Tensor) {
		for i := range t.Data {
			t.Data[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}
