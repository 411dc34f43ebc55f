// Package evaluate measures networks: accuracy, attack success and per-image losses, and the
// quality of a ranking of images.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// Batch is the number of images evaluated at a time. An image's result does not depend on it.
const Batch = 128

// Evaluator runs a network on images without changing it. It is not for concurrent use.
type Evaluator struct {
	network *model.Network
	f       *gx.Function
	batch   int       // images of a batch
	tensors int       // input of the network's first tensor
	images  []float32 // of a batch
	pixels  []uint8   // of many batches, where the engine can do them in a call; see compileMany
	batches int       // a call
	results []float32 // [batches, batch, width]
}

// New compiles the network for evaluation.
func New(b backends.Backend, n *model.Network) (*Evaluator, error) {
	return compile(b, n, Batch, func(net *model.Graphed) *Node { return net.Logits })
}

// compile makes an evaluator of what a network has for each image, [batch, width]. On engines that repeat programs a batch is Batch:
// they may compute other digits for other batches.
func compile(b backends.Backend, n *model.Network, batch int, of func(net *model.Graphed) *Node) (*Evaluator, error) {
	if l, ok := b.(gx.Looper); ok {
		if e, err := compileMany(l, n, of); err == nil {
			return e, nil
		}
	}
	f, err := gx.NewFunction(b, "evaluate "+n.Arch, 0, func(g *Graph) []*Node {
		return []*Node{of(n.Graph(g, false, func() *Node { return gx.Input(g, "x", batch, n.Height, n.Width, 3) }))}
	})
	if err != nil {
		return nil, err
	}
	images := make([]float32, batch*n.Height*n.Width*3)
	return &Evaluator{network: n, f: f, batch: batch, images: images, batches: 1, results: make([]float32, f.Size(0))}, nil
}

// Of compiles the network for evaluation with the tensors of a state.
func Of(b backends.Backend, n *model.Network, s model.State) (*Evaluator, error) {
	e, err := New(b, n)
	if err != nil {
		return nil, err
	}
	return e, e.Load(s)
}

// ForFew is Of for so many images at a time, of which fewer than Batch cost less. Their results are the same.
func ForFew(b backends.Backend, n *model.Network, s model.State, images int) (*Evaluator, error) {
	e, err := compile(b, n, min(max(1, images), Batch), func(net *model.Graphed) *Node { return net.Logits })
	if err != nil {
		return nil, err
	}
	return e, e.Load(s)
}

// Load sets the network's tensors.
func (e *Evaluator) Load(s model.State) error {
	if n := len(e.network.Spec()); len(s) != n {
		return fmt.Errorf("the network has %d tensors, the state %d", n, len(s))
	}
	for i, t := range s {
		if err := e.f.Set(e.tensors+i, t.Data); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return nil
}

// Logits calls visit with the logits of every image of s, in order; the slice is reused.
func (e *Evaluator) Logits(ctx context.Context, s *dataset.Set, visit func(i int, logits []float32)) error {
	return e.each(ctx, s, visit)
}

// Features returns what a network makes of each image before its last layer, [images, features], and of that, [images,
// classes], in one pass.
func Features(ctx context.Context, b backends.Backend, n *model.Network, s model.State, set *dataset.Set) (features, logits []float32, err error) {
	e, err := compile(b, n, Batch, func(net *model.Graphed) *Node { return Concatenate([]*Node{net.Taps["features"], net.Logits}, 1) })
	if err != nil {
		return nil, nil, err
	}
	if err := e.Load(s); err != nil {
		return nil, nil, err
	}
	width := e.width() - n.Classes
	err = e.each(ctx, set, func(_ int, both []float32) {
		features, logits = append(features, both[:width]...), append(logits, both[width:]...)
	})
	return features, logits, err
}

// Tap calls visit with what a network has at a place of the given name for every image of set, in order, flattened; the slice is
// reused. The places are those that networks mark: "features" before the last layer, [width], "lastconv" before the average
// over the image, [height, width, channels], and others.
func Tap(ctx context.Context, b backends.Backend, n *model.Network, s model.State, set *dataset.Set, name string, visit func(i int, values []float32)) error {
	e, err := tapped(b, n, s, name)
	if err != nil {
		return err
	}
	return e.each(ctx, set, visit)
}

// tapped compiles a network, with the tensors of a state, for what it has at a place.
func tapped(b backends.Backend, n *model.Network, s model.State, name string) (*Evaluator, error) {
	var missing error
	e, err := compile(b, n, Batch, func(net *model.Graphed) *Node {
		h := net.Taps[name]
		if h == nil {
			missing = fmt.Errorf("%s has no place %q", n.Arch, name)
			h = net.Logits
		}
		return Reshape(h, Batch, -1)
	})
	if err := errors.Join(missing, err); err != nil {
		return nil, err
	}
	return e, e.Load(s)
}

// each calls visit with what was compiled of every image of s, in order; the slice is reused.
func (e *Evaluator) each(ctx context.Context, s *dataset.Set, visit func(i int, result []float32)) error {
	if s.Height != e.network.Height || s.Width != e.network.Width {
		return fmt.Errorf("the images have %d×%d pixels, the network takes %d×%d", s.Height, s.Width, e.network.Height, e.network.Width)
	}
	width, call := e.width(), e.batches*e.batch
	for lo := 0; lo < s.Len(); lo += call {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi, do := min(lo+call, s.Len()), e.one
		if e.pixels != nil {
			do = e.many
		}
		if err := do(s, lo, hi); err != nil {
			return err
		}
		for i := lo; i < hi; i++ {
			visit(i, e.results[(i-lo)*width:(i-lo+1)*width])
		}
	}
	return nil
}

// width is how many results an image has.
func (e *Evaluator) width() int { return len(e.results) / (e.batches * e.batch) }

// one evaluates a batch, the images from lo to hi−1.
func (e *Evaluator) one(s *dataset.Set, lo, hi int) error {
	size := s.ImageBytes()
	for i := lo; i < hi; i++ {
		augment.Plain(e.images[(i-lo)*size:(i-lo+1)*size], s.Image(i))
	}
	if err := e.f.Call(len(e.network.Spec()), e.images); err != nil {
		return err
	}
	return e.f.Get(0, e.results)
}

// Result is what a network does on a labelled set.
type Result struct {
	Accuracy float64   // share of images classified as labelled, 0 to 1
	Loss     float64   // mean cross-entropy
	PerClass []float64 // accuracy of each class; NaN-free: 0 where a class has no image
	Images   []int     // of each class
}

// ErrNotFinite is of a network that computes with numbers which are too large for it.
var ErrNotFinite = errors.New("what the model makes of the images is no number, or infinite; its weights are damaged, or its training diverged")

// Percent returns the accuracy of each class in percent; nil where a class has no image.
func (r *Result) Percent() []*float64 {
	all := make([]*float64, len(r.PerClass))
	for k, v := range r.PerClass {
		if r.Images[k] > 0 {
			v *= 100
			all[k] = &v
		}
	}
	return all
}

// labelled refuses images whose labels the network has no logits for.
func (e *Evaluator) labelled(s *dataset.Set) error {
	if err := s.Check(); err != nil {
		return err
	}
	for i, label := range s.Labels {
		if int(label) >= e.width() {
			return fmt.Errorf("%s has the label %d, and the network knows 0 to %d", s.Source(i), label, e.width()-1)
		}
	}
	return nil
}

// Accuracy measures a network on a set; with no images all figures are 0. An image without a number for its label counts as wrong; see
// Measure.
func (e *Evaluator) Accuracy(ctx context.Context, s *dataset.Set) (*Result, error) {
	if err := e.labelled(s); err != nil {
		return nil, err
	}
	r := &Result{PerClass: make([]float64, len(s.Classes)), Images: s.Counts()}
	hits := 0
	err := e.Logits(ctx, s, func(i int, z []float32) {
		label := int(s.Labels[i])
		r.Loss += CrossEntropy(z, label)
		if TopClass(z) == label {
			hits++
			r.PerClass[label]++
		}
	})
	if err != nil || s.Len() == 0 {
		return r, err
	}
	r.Accuracy = float64(hits) / float64(s.Len())
	r.Loss /= float64(s.Len())
	for c, n := range r.Images {
		if n > 0 {
			r.PerClass[c] /= float64(n)
		}
	}
	return r, nil
}

// Measure is Accuracy, and refuses a network that makes no numbers of some images: which class these are is no figure.
func (e *Evaluator) Measure(ctx context.Context, s *dataset.Set) (*Result, error) {
	r, err := e.Accuracy(ctx, s)
	if err == nil && (math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0)) {
		return nil, fmt.Errorf("the loss is %v: %w", r.Loss, ErrNotFinite)
	}
	return r, err
}

// Losses returns each image's cross-entropy, in evaluation mode and without augmentation.
func (e *Evaluator) Losses(ctx context.Context, s *dataset.Set) ([]float32, error) {
	if err := e.labelled(s); err != nil {
		return nil, err
	}
	l := make([]float32, s.Len())
	err := e.Logits(ctx, s, func(i int, z []float32) { l[i] = float32(CrossEntropy(z, int(s.Labels[i]))) })
	return l, err
}
