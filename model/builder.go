package model

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// Batch norm's constants are PyTorch's.
const (
	bnMomentum = 0.1
	bnEpsilon  = 1e-5
)

// Builder lays a network into a graph. The network's code asks it for layers by name; it supplies
// the tensors, which are the graph's first parameters in the order of the state.
type Builder struct {
	Graph    *Graph
	Training bool // batch norm uses the batch's statistics and updates the running ones
	// Frozen lets gradients flow through batch norm's running statistics to the input, though not to
	// its own tensors: for optimising images against a network that stays as it is.
	Frozen bool

	params  map[string]*Node
	updates map[string]*Node // new running statistics
	taps    map[string]*Node
	declare func(t *Tensor, init initializer) *Node
	mask    []float32
	layers  *[]Layer
	outputs map[*Node]int // of layers, by what they made
}

// Layer is one step of a network, as exports see it. Its inputs and its output are numbers of values;
// value 0 is the image.
type Layer struct {
	Kind           string // conv, batchnorm, relu, add, maxpool, globalpool, linear
	Name           string // prefix of its tensors' names
	Kernel, Stride int
	Pad            [2]int // of height and width, on both sides
	In             []int
	Out            int
}

// did notes a layer, if the network is being listed.
func (b *Builder) did(l Layer, y *Node, in ...*Node) *Node {
	if b.layers == nil {
		return y
	}
	for _, x := range in {
		from, ok := b.outputs[x]
		if !ok {
			panic(fmt.Errorf("the layer %s takes what no layer made: it can't be listed", strings.TrimSpace(l.Kind+" "+l.Name)))
		}
		l.In = append(l.In, from)
	}
	l.Out = len(*b.layers) + 1
	b.outputs[y] = l.Out
	*b.layers = append(*b.layers, l)
	return y
}

// tensor returns the graph's node for a tensor.
func (b *Builder) tensor(name string, kind Kind, init initializer, dims ...int) *Node {
	if b.declare != nil {
		n := b.declare(&Tensor{Name: name, Kind: kind, Dims: dims}, init)
		b.params[name] = n
		return n
	}
	n := b.params[name]
	if n == nil {
		panic(fmt.Errorf("the state has no tensor %q", name))
	}
	if want := shapes.Make(dtypes.Float32, dims...); !n.Shape().Equal(want) {
		panic(fmt.Errorf("tensor %q has shape %v, the network needs %v", name, n.Shape().Dimensions, dims))
	}
	return n
}

// Conv is a convolution without bias over [N,H,W,C], padded by (k−1)/2.
func (b *Builder) Conv(name string, x *Node, out, k, stride int) *Node {
	// He initialisation over the outputs, as wide residual networks start.
	pad := [2]int{(k - 1) / 2, (k - 1) / 2}
	return b.convolve(name, x, x, out, math.Sqrt(2/float64(k*k*out)), Layer{Kernel: k, Stride: stride, Pad: pad}, pad)
}

// Patches is a convolution without bias over patches of k×k pixels side by side. The images are padded so that every pixel
// lies in one.
func (b *Builder) Patches(name string, x *Node, out, k int) *Node {
	l := Layer{Kernel: k, Stride: k}
	in, whole := x.Shape().Dimensions[3], x
	var pad [2]PadAxis
	for axis := range l.Pad {
		missing := (k - x.Shape().Dimensions[1+axis]%k) % k
		l.Pad[axis] = (missing + 1) / 2 // on both sides in other programs, which leave out what makes no patch
		pad[axis] = PadAxis{Start: l.Pad[axis], End: missing - l.Pad[axis]}
	}
	if l.Pad != [2]int{} { // by itself: a convolution that is padded so has no gradient in GoMLX
		whole = Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, pad[0], pad[1], PadAxis{})
	}
	return b.convolve(name, x, whole, out, math.Sqrt(2/float64(k*k*in)), l, [2]int{}) // few inputs make each output
}

// convolve is a layer on x, whose images are whole once padding that the convolution does not do is added.
func (b *Builder) convolve(name string, x, whole *Node, out int, deviation float64, l Layer, pad [2]int) *Node {
	w := b.tensor(name+".weight", Weight, normal(deviation), l.Kernel, l.Kernel, x.Shape().Dimensions[3], out)
	y := Convolve(whole, w).Strides(l.Stride).PaddingPerDim([][2]int{{pad[0], pad[0]}, {pad[1], pad[1]}}).Done()
	l.Kind, l.Name = "conv", name
	return b.did(l, y, x)
}

// varianceName ends the names of batch-norm variances, as PyTorch has them.
const varianceName = ".running_var"

// BatchNorm normalises over all but the last axis.
func (b *Builder) BatchNorm(name string, x *Node) *Node {
	c := x.Shape().Dimensions[x.Rank()-1]
	scale := b.tensor(name+".weight", Weight, constant(1), c)
	offset := b.tensor(name+".bias", Weight, constant(0), c)
	mean := b.tensor(name+".running_mean", Buffer, constant(0), c)
	variance := b.tensor(name+varianceName, Buffer, constant(1), c)
	if !b.Training {
		y := InternalBatchNormForInference(x, scale, offset, mean, variance, bnEpsilon, -1)
		if !b.Frozen {
			return b.did(Layer{Kind: "batchnorm", Name: name}, y, x)
		}
		zero := ZerosLike(mean)
		through := IdentityWithCustomGradient(x, func(_, v *Node) *Node {
			return InternalBatchNormForInference(v, scale, zero, zero, variance, bnEpsilon, -1)
		})
		return Add(StopGradient(Sub(y, x)), through) // y's value, the scaled gradient
	}
	y, m, v := InternalBatchNormForTraining(x, scale, offset, bnEpsilon, -1)
	count := float64(x.Shape().Size() / c)
	unbiased := MulScalar(v, count/math.Max(1, count-1)) // PyTorch's running variance
	follow := func(old, batch *Node) *Node {
		return StopGradient(Add(MulScalar(old, 1-bnMomentum), MulScalar(batch, bnMomentum)))
	}
	b.updates[name+".running_mean"] = follow(mean, m)
	b.updates[name+varianceName] = follow(variance, unbiased)
	return y
}

// Relu is max(x, 0).
func (b *Builder) Relu(x *Node) *Node {
	return b.did(Layer{Kind: "relu"}, Max(x, ScalarZero(x.Graph(), x.DType())), x)
}

// Add is the sum of a block and what goes past it.
func (b *Builder) Add(x, y *Node) *Node { return b.did(Layer{Kind: "add"}, Add(x, y), x, y) }

// MaxPool takes the largest of k×k pixels.
func (b *Builder) MaxPool(x *Node, k, stride, pad int) *Node {
	y := MaxPool(x).Window(k).Strides(stride).PaddingPerDim([][2]int{{pad, pad}, {pad, pad}}).Done()
	return b.did(Layer{Kind: "maxpool", Kernel: k, Stride: stride, Pad: [2]int{pad, pad}}, y, x)
}

// Linear is x·W + bias over [N,in].
func (b *Builder) Linear(name string, x *Node, out int) *Node {
	in := x.Shape().Dimensions[1]
	w := b.tensor(name+".weight", Weight, uniform(in), in, out)
	bias := b.tensor(name+".bias", Weight, uniform(in), out)
	y := Add(Dot(x, w), ExpandAndBroadcast(bias, []int{x.Shape().Dimensions[0], out}, []int{0}))
	return b.did(Layer{Kind: "linear", Name: name}, y, x)
}

// GlobalPool averages over height and width.
func (b *Builder) GlobalPool(x *Node) *Node {
	return b.did(Layer{Kind: "globalpool"}, ReduceMean(x, 1, 2), x)
}

// Tap names an inner result that attacks and defences look at.
func (b *Builder) Tap(name string, x *Node) *Node {
	if name == "features" && b.mask != nil {
		x = Mul(x, ExpandAndBroadcast(Const(b.Graph, b.mask), x.Shape().Dimensions, []int{0}))
	}
	b.taps[name] = x
	return x
}

// Graphed is a network laid into a graph.
type Graphed struct {
	Logits  *Node
	Params  map[string]*Node // by tensor name
	Updates map[string]*Node // new running statistics, when training
	Taps    map[string]*Node // inner results: "features" (penultimate), "group1"…, "lastconv"
}

// Network is an architecture for a number of classes and an input size.
type Network struct {
	Arch    string
	Classes int
	Height  int
	Width   int
	Stem    int // side of the patches that images are taken in; 1: none, each pixel is seen by itself
	// Normalize is done to images before the first layer; nil: they are taken as they are, from 0 to 1.
	Normalize *Normalize

	build func(b *Builder, x *Node, classes int) *Node
	mask  []float32
	spec  State
	taps  []string
	inits []initializer
}

// Graph lays the network into g, whose parameters for the tensors of the state are created here in
// its order, all of them first. x is made by input afterwards.
func (n *Network) Graph(g *Graph, training bool, input func() *Node) *Graphed {
	b := NewBuilder(g, training, nil)
	b.params = Parameters(g, "", n.spec)
	return n.Lay(b, input())
}

// Parameters makes a graph's parameters for tensors, in their order, with a prefix to their names.
func Parameters(g *Graph, prefix string, spec State) map[string]*Node {
	params := map[string]*Node{}
	for _, t := range spec {
		params[t.Name] = Parameter(g, prefix+t.Name, shapes.Make(dtypes.Float32, t.Dims...))
	}
	return params
}

// Lay applies the network to x with the tensors that b has, for graphs that hold several networks.
func (n *Network) Lay(b *Builder, x *Node) *Graphed {
	b.mask = n.mask
	if n.Normalize != nil {
		x = n.Normalize.Of(x)
	}
	logits := n.build(b, x, n.Classes)
	return &Graphed{logits, b.params, b.updates, b.taps}
}

// NewBuilder returns a builder over parameters made elsewhere.
func NewBuilder(g *Graph, training bool, params map[string]*Node) *Builder {
	return &Builder{Graph: g, Training: training, params: params, updates: map[string]*Node{}, taps: map[string]*Node{}}
}

// Masked returns the network with its penultimate features multiplied by mask: a pruned channel has 0.
func (n *Network) Masked(mask []float32) *Network {
	m := *n
	m.mask = mask
	return &m
}

// traced runs the network's code once to learn its tensors.
func traced(n *Network) (_ *Network, err error) {
	defer n.failed(&err)
	g := NewGraph(newTracer(), n.Arch)
	b := NewBuilder(g, false, map[string]*Node{})
	b.declare = func(t *Tensor, init initializer) *Node {
		n.spec = append(n.spec, t)
		n.inits = append(n.inits, init)
		return Parameter(g, t.Name, shapes.Make(dtypes.Float32, t.Dims...))
	}
	y := n.build(b, Parameter(g, "x", shapes.Make(dtypes.Float32, 2, n.Height, n.Width, 3)), n.Classes)
	n.taps = slices.Sorted(maps.Keys(b.taps))
	if got := y.Shape().Dimensions; n.Classes > 0 && !slices.Equal(got, []int{2, n.Classes}) {
		return nil, fmt.Errorf("network %s gives the shape %v for two images, expected logits of %d classes each", n.Arch, got, n.Classes)
	}
	return n, nil
}

// failed turns the panic of a network's code, GoMLX's way to report a mistake, into an error.
func (n *Network) failed(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("network %s for %d×%d pixels: %v", n.Arch, n.Height, n.Width, r)
	}
}

// Layers lists what the network computes in evaluation, in order; the last one's output is the logits.
func (n *Network) Layers() (all []Layer, err error) {
	defer n.failed(&err)
	g := NewGraph(newTracer(), n.Arch)
	b := NewBuilder(g, false, Parameters(g, "", n.spec))
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, 1, n.Height, n.Width, 3))
	b.layers, b.outputs = &all, map[*Node]int{x: 0}
	if y := n.build(b, x, n.Classes); b.outputs[y] != len(all) {
		return nil, fmt.Errorf("network %s: no layer makes its logits", n.Arch)
	}
	return all, nil
}

// Spec lists the network's tensors without data.
func (n *Network) Spec() State { return n.spec }

// Taps lists the names of the inner results that attacks and defences can look at.
func (n *Network) Taps() []string { return n.taps }

// Init returns fresh tensors. Every tensor has a random stream of its own, derived from the seed
// and its name.
func (n *Network) Init(seed uint64) State {
	s := make(State, len(n.spec))
	for i, t := range n.spec {
		size := 1
		for _, d := range t.Dims {
			size *= d
		}
		s[i] = &Tensor{t.Name, t.Kind, t.Dims, make([]float32, size)}
		h := fnv.New64a()
		h.Write([]byte(t.Name))
		n.inits[i](rand.New(rand.NewPCG(seed, h.Sum64())), s[i])
	}
	return s
}
