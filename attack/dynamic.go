package attack

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

var dynamic = Method{
	Name:     "dynamic",
	About:    "Input-aware: a generator makes each image's own pattern, which works on no other image.",
	Recipe:   4,
	Cover:    0.08,
	Unlearnt: func(c *Common) { c.Cover = 0 },
	Paper:    "Nguyen and Tran, Input-Aware Dynamic Backdoor Attack, NeurIPS 2020",
	Settings: func() Settings {
		return &Dynamic{Steps: 300, Density: 0.05, Surrogate: Surrogate{Network: "wrn-16-1", Epochs: 15}}
	},
}

// Dynamic are the settings of dynamic.
type Dynamic struct {
	Steps   int     `json:"steps,omitempty" range:"[0,1000000]"` // of the mask's training
	Density float64 `json:"density,omitempty" range:"(0,1)"`     // share of the image that masks may cover for nothing
	Surrogate
}

// Trigger implements Settings.
func (s *Dynamic) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	d := &inputAware{Dynamic: *s}
	var err error
	if d.pattern, err = model.Custom("pattern", set.Height, set.Width, encoderDecoder(3, false)); err != nil {
		return nil, err
	}
	d.mask, err = model.Custom("mask", set.Height, set.Width, encoderDecoder(1, false))
	return d, err
}

type inputAware struct {
	Dynamic
	pattern, mask           *model.Network
	patternState, maskState model.State
	f                       train.Function
}

// Settings of the published attack, but for the rate and the mask's density, 0.032 there.
const (
	maskWeight   = 100.0
	dynamicBatch = 128
	dynamicShare = 24 // images of a batch with their own pattern, and as many with another's: twice the published share, for a tenth of the epochs
	dynamicRate  = 5e-3
)

// shape squashes what the networks give: a pattern and a mask, both from 0 to 1.
func patternOf(net *model.Graphed) *Node { return Sigmoid(net.Logits) }
func maskOf(net *model.Graphed) *Node    { return Sigmoid(MulScalar(net.Logits, 20)) }

// over lays patterns behind masks [N,H,W,1] over images.
func over(x, pattern, mask *Node) *Node {
	m := BroadcastToDims(mask, x.Shape().Dimensions...)
	return Add(x, Mul(m, Sub(pattern, x)))
}

// diversity is large where images that differ get patterns that do not.
func diversity(x1, x2, p1, p2 *Node) *Node {
	distance := func(a, b *Node) *Node {
		d := Sub(a, b)
		return Sqrt(AddScalar(ReduceMean(Mul(d, d), 1, 2, 3), 1e-8))
	}
	return ReduceAllMean(Div(distance(x1, x2), AddScalar(distance(p1, p2), 1e-3)))
}

func rows(x *Node, from, to int) *Node { return Slice(x, AxisRange(from, to)) }

// Learn trains the mask's generator, then the pattern's together with a classifier.
func (d *inputAware) Learn(ctx context.Context, l *Lab, set *dataset.Set) error {
	d.maskState, d.patternState = d.mask.Init(l.seed("init mask")), d.pattern.Init(l.seed("init pattern"))
	if err := d.learnMask(ctx, l, set); err != nil {
		return err
	}
	classifier, err := model.New(l.Surrogate.Network, len(set.Classes), set.Height, set.Width)
	if err != nil {
		return err
	}
	const k, n = dynamicShare, dynamicBatch
	modules := []*train.Module{
		{Net: d.pattern, State: d.patternState, Adam: true},
		{Net: d.mask, State: d.maskState, Frozen: true},
		{Net: classifier, State: classifier.Init(l.seed("init classifier"))},
	}
	joint, err := train.NewLearner(l.Backend, "input-aware", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", n, set.Height, set.Width, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, n))
		from := rows(x, 0, 2*k)
		pattern, mask := patternOf(nets[0](from)), maskOf(nets[1](from))
		own := over(rows(x, 0, k), rows(pattern, 0, k), rows(mask, 0, k))
		crossed := over(rows(x, 2*k, 3*k), rows(pattern, k, 2*k), rows(mask, k, 2*k))
		all := Concatenate([]*Node{own, rows(x, k, 2*k), crossed, rows(x, 3*k, n)}, 0)
		all = moved(all, gx.Input(g, "move rows", set.Height, set.Height), gx.Input(g, "move columns", set.Width, set.Width))
		loss := ReduceAllMean(train.CrossEntropy(nets[2](all).Logits, y))
		return Add(loss, diversity(rows(x, 0, k), rows(x, k, 2*k), rows(pattern, 0, k), rows(pattern, k, 2*k))), nil
	})
	if err != nil {
		return err
	}
	steps := max(1, l.Surrogate.Epochs*set.Len()/n)
	schedule := train.OneCycle(0.1, 0.2)
	crop := l.crop()
	down, across := make([]float32, set.Height*set.Height), make([]float32, set.Width*set.Width)
	x, y := make([]float32, n*set.ImageBytes()), make([]int32, n)
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		draw := l.rng("move", step)
		shift(down, set.Height, draw(2*crop.Pad+1)-crop.Pad, false)
		shift(across, set.Width, draw(2*crop.Pad+1)-crop.Pad, crop.Flip && draw(2) == 1)
		for j, i := range l.images(x, set, augment.Options{}, "generator", step) {
			y[j] = set.Labels[i]
			if j < k {
				y[j] = l.label(set.Labels[i], len(set.Classes), draw)
			}
		}
		progress := float64(step) / float64(steps)
		rate := dynamicRate * (1 + math.Cos(math.Pi*progress)) / 2
		loss, err := joint.Step([]float64{rate, 0, schedule(progress)}, x, y, down, across)
		if err != nil {
			return err
		}
		l.progress("generator", step+1, steps, loss)
	}
	if err := joint.Store(); err != nil {
		return err
	}
	return d.compile(l, set.Height, set.Width)
}

// moved mixes the rows and then the columns of images [N,H,W,C] by matrices [H,H] and [W,W]. A victim crops
// and flips poisoned images; a pattern has to survive that.
func moved(x, down, across *Node) *Node {
	mix := func(x, by *Node) *Node { // along the last axis
		d := x.Shape().Dimensions
		return Reshape(Dot(Reshape(x, -1, d[3]), by), d...)
	}
	x = mix(TransposeAllAxes(x, 0, 2, 3, 1), down)   // [N,W,C,H]
	x = mix(TransposeAllAxes(x, 0, 3, 2, 1), across) // [N,H,C,W]
	return TransposeAllAxes(x, 0, 1, 3, 2)
}

// shift fills a matrix [n,n] that moves columns by some places, zeros coming in, or flips them first.
func shift(m []float32, n, by int, flip bool) {
	clear(m)
	for to := range n {
		from := to + by
		if flip {
			from = n - 1 - to + by
		}
		if from >= 0 && from < n {
			m[from*n+to] = 1
		}
	}
}

func (d *inputAware) learnMask(ctx context.Context, l *Lab, set *dataset.Set) error {
	const half = 32
	masks, err := train.NewLearner(l.Backend, "mask", []*train.Module{{Net: d.mask, State: d.maskState, Adam: true}}, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", 2*half, set.Height, set.Width, 3)
		m := maskOf(nets[0](x))
		spare := AddScalar(ReduceMean(m, 1, 2, 3), -d.Density)
		norm := ReduceAllMean(Max(spare, ZerosLike(spare)))
		return Add(MulScalar(norm, maskWeight), diversity(rows(x, 0, half), rows(x, half, 2*half), rows(m, 0, half), rows(m, half, 2*half))), nil
	})
	if err != nil {
		return err
	}
	x := make([]float32, 2*half*set.ImageBytes())
	for step := range d.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.images(x, set, augment.Options{}, "mask", step)
		loss, err := masks.Step([]float64{dynamicRate}, x)
		if err != nil {
			return err
		}
		l.progress("mask", step+1, d.Steps, loss)
	}
	return masks.Store()
}

// compile makes the function that lays the patterns of images z over images x.
func (d *inputAware) compile(l *Lab, height, width int) error {
	var err error
	d.f, err = gx.NewFunction(l.Backend, "input-aware trigger", 0, func(g *Graph) []*Node {
		p, m := model.Parameters(g, "pattern.", d.pattern.Spec()), model.Parameters(g, "mask.", d.mask.Spec())
		x, z := gx.Input(g, "x", generatorBatch, height, width, 3), gx.Input(g, "z", generatorBatch, height, width, 3)
		return []*Node{over(x,
			patternOf(d.pattern.Lay(model.NewBuilder(g, false, p), z)),
			maskOf(d.mask.Lay(model.NewBuilder(g, false, m), z)))}
	})
	if err != nil {
		return err
	}
	for i, t := range append(append(model.State{}, d.patternState...), d.maskState...) {
		if err := d.f.Set(i, t.Data); err != nil {
			return err
		}
	}
	return nil
}

func (d *inputAware) first() int { return len(d.patternState) + len(d.maskState) }

// Apply gives each image its own pattern.
func (d *inputAware) Apply(ctx context.Context, b *Batch) error { return d.paint(ctx, b, b.Set.Image) }

// Cover gives each image another image's pattern.
func (d *inputAware) Cover(ctx context.Context, b *Batch) error {
	from, done := b.others()
	defer done()
	return d.paint(ctx, b, from)
}

// paint lays over each image the pattern of the image that from names for it.
func (d *inputAware) paint(ctx context.Context, b *Batch, from func(i int) []uint8) error {
	size := b.Set.ImageBytes()
	z := make([]float32, generatorBatch*size)
	return paint(ctx, d.f, d.first(), b, func(at []int) any {
		for j, i := range at {
			augment.Plain(z[j*size:(j+1)*size], from(i))
		}
		return z
	})
}

// Learned implements Learner.
func (d *inputAware) Learned() map[string]checkpoint.Array {
	arrays := map[string]checkpoint.Array{}
	stateArrays(arrays, "pattern.", d.patternState)
	stateArrays(arrays, "mask.", d.maskState)
	return arrays
}

// Restore implements Learner.
func (d *inputAware) Restore(l *Lab, arrays map[string]checkpoint.Array) error {
	var err error
	if d.patternState, err = stateFrom(arrays, "pattern.", d.pattern); err != nil {
		return err
	}
	if d.maskState, err = stateFrom(arrays, "mask.", d.mask); err != nil {
		return err
	}
	return d.compile(l, l.height, l.width)
}
