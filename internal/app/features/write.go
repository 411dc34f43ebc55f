package features

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	ml "github.com/gomlx/gomlx/pkg/ml/context"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/engines"
)

// Options say how images go in and what is kept of what comes out.
type Options struct {
	Normalize Normalize // not used where the network takes bytes
	Pool      string    // of tokens: First or Mean; empty: First
	Watch     func(done, of int)
}

// What is kept of tokens: the first, which vision transformers have for the whole image, or their mean.
const First, Mean = "first", "mean"

// Done says what was written.
type Done struct {
	Width  int    // numbers an image
	Kept   string // of what the tensor has for an image; empty: all of it
	Engine string // that computed
}

// batch is how many images go through the network at a time, where it does not say.
const batch = 32

// mostBatch is how many it may ask for: all of them are in memory.
const mostBatch = 1024

// runner runs a network on batches of images.
type runner struct {
	n     *Network
	o     Options
	batch int
	h, w  int
	exec  *ml.Exec
	kept  string
}

// Write computes the features of a set's images and writes them in their order: .npy, [N, width] of float32. The file
// appears whole or not at all, and beside it what dataset.LoadFeatures tells other images by. It refuses features that are not finite, and such as are the same for all images.
func (n *Network) Write(ctx context.Context, b backends.Backend, set *dataset.Set, file string, o Options) (Done, error) {
	h, w := n.Size()
	if h > 0 && h != set.Height || w > 0 && w != set.Width {
		return Done{}, fmt.Errorf("%s takes images of %d×%d pixels, the data have %d×%d", n.file, w, h, set.Width, set.Height)
	}
	if set.Len() == 0 {
		return Done{}, errors.New("no training image")
	}
	if n.dims[0] > mostBatch {
		return Done{}, fmt.Errorf("%s takes %d images at a time, expected %d at most", n.file, n.dims[0], mostBatch)
	}
	r := &runner{n: n, o: o, h: set.Height, w: set.Width, batch: n.dims[0]}
	if r.batch < 1 {
		r.batch = min(batch, set.Len())
	}
	done := Done{Engine: engines.Describe(b)}
	first, err := r.start(b, set)
	if err != nil {
		return Done{}, fmt.Errorf("%s, %d images of %d×%d pixels: %w", n.file, r.batch, r.w, r.h, err)
	}
	done.Width, done.Kept = len(first)/r.batch, r.kept
	err = atomicfile.Write(file, func(out io.Writer) error {
		err := r.write(ctx, out, set, first)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s: %w", n.file, err)
		}
		if err == nil {
			err = dataset.ForgetFeatures(file) // those are gone with the next step
		}
		return err
	})
	if err == nil {
		err = dataset.NoteFeatures(file, set)
	}
	return done, err
}

// start compiles for a backend and runs the first batch.
func (r *runner) start(b backends.Backend, set *dataset.Set) ([]float32, error) {
	vars := ml.New()
	if err := r.n.model.VariablesToContext(vars); err != nil {
		return nil, err
	}
	exec, err := ml.NewExec(b, vars.Reuse(), func(vars *ml.Context, x *Node) *Node { return r.graph(vars, x) })
	if err != nil {
		return nil, err
	}
	r.exec = exec
	return r.run(set, 0)
}

// graph is the network from [batch, height, width, 3] of 0…255 to [batch, width].
func (r *runner) graph(vars *ml.Context, x *Node) *Node {
	n := r.n
	if !n.TakesBytes() {
		x = r.o.Normalize.Of(MulScalar(x, 1.0/255))
	}
	if !n.last {
		x = TransposeAllAxes(x, 0, 3, 1, 2)
	}
	x = ConvertDType(x, n.kind)
	y, err := n.call(vars, x, n.Tensor)
	if err != nil {
		panic(n.blame(vars, x, err))
	}
	return r.pool(y)
}

// call adds the network to a graph, as far as the tensors that are named, and returns the first.
func (n *Network) call(vars *ml.Context, x *Node, tensors ...string) (y *Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return n.model.CallGraph(vars, x.Graph(), map[string]*Node{n.input: x}, tensors...)[0], nil
}

// blame finds the first operator that can't be added, and says so.
func (n *Network) blame(vars *ml.Context, x *Node, err error) error {
	var outputs []string
	for _, i := range n.needed {
		outputs = append(outputs, n.model.Proto.Graph.Node[i].Output[0])
	}
	k := sort.Search(len(outputs), func(k int) bool {
		g := NewGraph(x.Graph().Backend(), "a part")
		_, err := n.call(vars, Parameter(g, "x", x.Shape()), outputs[:k+1]...)
		return err != nil
	})
	if k == len(outputs) {
		return err
	}
	node := n.model.Proto.Graph.Node[n.needed[k]]
	return fmt.Errorf("the operator %s that makes %q: %w", node.OpType, outputs[k], err)
}

// pool makes one row an image of what the network has for it.
func (r *runner) pool(y *Node) *Node {
	dims := y.Shape().Dimensions
	if len(dims) < 2 || len(dims) > 4 || dims[0] != r.batch || !y.DType().IsFloat() {
		panic(fmt.Errorf("expected numbers for each image, [batch, width], [batch, tokens, width] or [batch, channels, height, width], found %s for the tensor %q", y.Shape(), r.n.Tensor))
	}
	y = ConvertDType(y, dtypes.Float32)
	switch {
	case len(dims) == 2:
	case len(dims) == 3 && r.o.Pool == Mean:
		r.kept = fmt.Sprintf("the mean of %d tokens", dims[1])
		y = ReduceMean(y, 1)
	case len(dims) == 3:
		r.kept = fmt.Sprintf("the first of %d tokens", dims[1])
		y = Squeeze(Slice(y, AxisRange(), AxisRange(0, 1)), 1)
	default:
		at := 2
		if r.n.maps {
			at = 1
		}
		if dims[at]*dims[at+1] > 1 {
			r.kept = fmt.Sprintf("the mean over %d×%d places", dims[at+1], dims[at])
		}
		y = ReduceMean(y, at, at+1)
	}
	return y
}

// run returns the rows of a batch. Behind the last image are black ones.
func (r *runner) run(set *dataset.Set, from int) (rows []float32, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the graph: %v", p)
		}
	}()
	pixels := make([]float32, r.batch*r.h*r.w*3)
	for k := range min(r.batch, set.Len()-from) {
		at := pixels[k*r.h*r.w*3:]
		for j, v := range set.Image(from + k) {
			at[j] = float32(v)
		}
	}
	x := tensors.FromFlatDataAndDimensions(pixels, r.batch, r.h, r.w, 3)
	out, err := r.exec.Exec(x)
	if err != nil {
		return nil, err
	}
	rows, err = tensors.CopyFlatData[float32](out[0])
	return rows, errors.Join(err, x.FinalizeAll(), out[0].FinalizeAll())
}

// write writes the array batch by batch.
func (r *runner) write(ctx context.Context, to io.Writer, set *dataset.Set, rows []float32) (err error) {
	width, total := len(rows)/r.batch, set.Len()
	out := bufio.NewWriter(to)
	out.Write(npyHead(total, width))
	one := append([]float32(nil), rows[:width]...)
	varies := total == 1
	for from := 0; from < total; from += r.batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		if from > 0 {
			if rows, err = r.run(set, from); err != nil {
				return err
			}
		}
		n := min(r.batch, total-from)
		for i, v := range rows[:n*width] {
			if v-v != 0 {
				return fmt.Errorf("%s: feature %d is %v, expected finite numbers", set.Source(from+i/width), i%width, v)
			}
			varies = varies || v != one[i%width]
			out.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		if r.o.Watch != nil {
			r.o.Watch(from+n, total)
		}
	}
	if !varies {
		return fmt.Errorf("all %d images have the same features, so that they say nothing; is %q the right tensor, and the normalization the network's?", total, r.n.Tensor)
	}
	return out.Flush()
}

// npyHead is the header of an array [rows, width] of float32 in NumPy's format, version 1.
func npyHead(rows, width int) []byte {
	const fixed, align = 10, 64
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, width)
	text = fmt.Sprintf("%-*s\n", (fixed+len(text))/align*align+align-fixed-1, text)
	return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text))), text...)
}
