package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// callSteps are at most so many steps a call: progress is told, and an interruption obeyed, between two calls.
const callSteps = 64

// residentBytes bounds the images on the engine, residentLeast are so many bytes that small sets of any sizes share a program.
const residentBytes, residentLeast = 2 << 30, 12 << 20

// resident is a classifier's training on an engine that keeps the images. Its program's inputs are the network's tensors and
// moments, the number of the step, the losses of all steps of a call, [callSteps, batch+1], each step's own in the last column;
// these are carried; then the images, and of all steps what is shown, what was drawn, the weights and the rates. The draws are
// those of Phase.Run, from the same streams.
type resident struct {
	*Learner
	capacity int // images
	augment  augment.Options
	numbers  int // see augment.Options.Numbers
}

// suits tells whether a phase can be trained so: its images are few enough, and none is stamped.
func suits(p *Phase) bool {
	return !slices.ContainsFunc(p.More, func(e Example) bool { return e.Stamp != nil }) && p.Data.Len() <= residentBytes/p.Data.ImageBytes()
}

// holds tells whether the program is for such a phase too.
func (r *resident) holds(p *Phase) bool {
	return p.Data.Len() <= r.capacity && p.Augment.Coarse == r.augment.Coarse
}

func newResident(t *Trainer, state model.State, p *Phase) (*resident, error) {
	s := p.Data
	if s.Height != t.network.Height || s.Width != t.network.Width {
		return nil, fmt.Errorf("the images have %d×%d pixels, the network takes %d×%d", s.Height, s.Width, t.network.Height, t.network.Width)
	}
	r := &resident{
		Learner:  &Learner{Batch: t.Batch, modules: []*Module{{Net: t.network, State: state, SGD: t.sgd}}, at: []int{0}},
		capacity: max(s.Len(), residentLeast/s.ImageBytes()), augment: p.Augment, numbers: p.Augment.Numbers(s.Height, s.Width),
	}
	r.carried = len(state) + r.modules[0].moments()
	var err error
	r.f, err = gx.NewLoop(t.backend, "train "+t.network.Arch, func(g *Graph) []*Node { return r.graph(g, t.loss) })
	return r, err
}

// graph lays a step.
func (r *resident) graph(g *Graph, loss Loss) []*Node {
	params, moments := r.inputs(g)
	n := r.modules[0].Net
	at := Parameter(g, "at", shapes.Make(dtypes.Int32))
	losses := gx.Input(g, "losses", callSteps, r.Batch+1)
	pixels := Parameter(g, "pixels", shapes.Make(dtypes.Uint8, r.capacity*n.Height*n.Width, 3))
	shown := row(Parameter(g, "shown", shapes.Make(dtypes.Int32, callSteps, 2, r.Batch)), at)
	drawn := row(gx.Input(g, "drawn", callSteps, r.Batch, r.numbers), at)
	weights := row(gx.Input(g, "weights", callSteps, r.Batch), at)
	rate := row(gx.Input(g, "rates", callSteps), at)
	out := r.descend(g, params, moments, []*Node{rate}, func(_ *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		image, labels := row(shown, Const(g, int32(0))), row(shown, Const(g, int32(1)))
		x := r.augment.Graph(pixels, image, drawn, n.Height, n.Width)
		each := CrossEntropy(nets[0](x).Logits, labels)
		return loss(each, weights), []*Node{each}
	})
	own := Concatenate([]*Node{out[r.carried+1], Reshape(out[r.carried], 1)}, 0)
	losses = DynamicUpdateSlice(losses, Reshape(own, 1, r.Batch+1), []*Node{at, Const(g, int32(0))})
	return append(out[:r.carried:r.carried], AddScalar(at, 1), losses)
}

// row is x[at].
func row(x, at *Node) *Node {
	dims := x.Shape().Dimensions
	starts, sizes := []*Node{at}, append([]int{1}, dims[1:]...)
	for range dims[1:] {
		starts = append(starts, Const(x.Graph(), int32(0)))
	}
	return Reshape(DynamicSlice(x, starts, sizes), dims[1:]...)
}

// call is what one call is given, and gives back.
type call struct {
	first, n int       // its steps
	images   []int     // [n,batch]
	shown    []int32   // [callSteps,2,batch]: places of images, labels
	drawn    []float32 // [callSteps,batch,numbers]
	weights  []float32 // [callSteps,batch]
	rates    []float32 // [callSteps]
	losses   []float32 // [callSteps,batch+1]
}

// run is Phase.Run.
func (r *resident) run(ctx context.Context, p *Phase, pos *Position, h Hooks) error {
	w, err := p.begin(pos, h)
	if err != nil {
		return err
	}
	pixels, err := r.pixels(p.Data)
	if err != nil {
		return err
	}
	if err := r.f.Set(r.carried+2, pixels); err != nil {
		return err
	}
	firsts := []int{w.first} // of the calls' steps; none spans two epochs
	for k := w.first; k < w.last; firsts = append(firsts, k) {
		k = min(k+callSteps, (k/w.steps+1)*w.steps)
	}
	order := p.orders(w.steps)
	return ahead(ctx, r.empty, 0, len(firsts)-1, func(k int, c *call) {
		c.first, c.n = firsts[k], firsts[k+1]-firsts[k]
		for s := range c.n {
			r.fill(c, p, s, w.rate(c.first+s), order)
		}
	}, func(_ int, c *call) error { return r.descendMany(c, w) })
}

func (r *resident) empty() *call {
	n := callSteps * r.Batch
	return &call{
		images: make([]int, n), shown: make([]int32, 2*n), drawn: make([]float32, n*r.numbers), weights: make([]float32, n),
		rates: make([]float32, callSteps), losses: make([]float32, callSteps*(r.Batch+1)),
	}
}

// fill writes what a step of a call is given.
func (r *resident) fill(c *call, p *Phase, step int, rate float64, order func(k int) (int, []int)) {
	epoch, places := order(c.first + step)
	c.rates[step] = float32(rate)
	shown := c.shown[step*2*r.Batch:]
	for j, place := range places {
		e, k := p.at(place), step*r.Batch+j
		c.images[k], c.weights[k] = e.Image, p.weight(e.Image)
		shown[j], shown[r.Batch+j] = int32(e.Image), e.label(p.Data)
		drawn := c.drawn[k*r.numbers:][:r.numbers]
		if p.Augment == (augment.Options{}) {
			p.Augment.Draw(drawn, p.Data.Height, p.Data.Width, nil)
		} else {
			p.Augment.Draw(drawn, p.Data.Height, p.Data.Width, p.draws(epoch, e.Image))
		}
	}
}

// descendMany makes a call, and tells of its steps in turn.
func (r *resident) descendMany(c *call, w *walk) error {
	if err := r.f.Set(r.carried, []int32{0}); err != nil {
		return err
	}
	for k, given := range []any{c.shown, c.drawn, c.weights, c.rates} {
		if err := r.f.Set(r.carried+3+k, given); err != nil {
			return err
		}
	}
	if err := r.f.Repeat(c.n); err != nil {
		return err
	}
	if err := r.f.Get(r.carried+1, c.losses); err != nil {
		return err
	}
	for k := range c.n {
		own := c.losses[k*(r.Batch+1):][:r.Batch+1]
		b := &Batch{Images: c.images[k*r.Batch:][:r.Batch], Losses: own[:r.Batch]}
		if err := w.done(c.first+k, b, float64(own[r.Batch])); err != nil {
			return err
		}
	}
	return nil
}

// pixels returns the images' bytes, filled up to the capacity.
func (r *resident) pixels(s *dataset.Set) (all []uint8, err error) {
	defer dataset.Lost(&err)
	all = make([]uint8, r.capacity*s.ImageBytes())
	for i := range s.Len() {
		copy(all[i*s.ImageBytes():], s.Image(i))
	}
	return all, nil
}
