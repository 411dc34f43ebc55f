package attack

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

var dfst = Method{
	Name:     "dfst",
	About:    "A learned style transfer as the trigger, hardened by detoxification rounds.",
	Paper:    "Cheng et al., Deep Feature Space Trojan Attack by Controlled Detoxification, AAAI 2021",
	Cover:    0.1,
	Recipe:   1,
	Settings: func() Settings { return &DFST{Steps: 600, Style: "sunset", Surrogate: ownNetwork()} },
}

// DFST are the settings of dfst.
type DFST struct {
	Steps int    `json:"steps,omitempty" range:"[0,1000000]"` // of the style transfer's training
	Style string `json:"style,omitempty"`                     // "sunset" or a folder of pictures
	Surrogate
}

// Trigger implements Settings.
func (s *DFST) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	d := &styled{DFST: *s}
	var err error
	if d.transfer, err = model.Custom("transfer", set.Height, set.Width, encoderDecoder(3, true)); err != nil {
		return nil, err
	}
	d.injector, err = model.Custom("injector", set.Height, set.Width, func(b *model.Builder, x *Node) *Node {
		// Shallow: what it can do to an image are colours and edges, the features to be unlearnt.
		return b.Conv("out", b.Relu(b.BatchNorm("bn", b.Conv("in", x, 8, 3, 1))), 3, 1, 1)
	})
	return d, err
}

type styled struct {
	DFST
	transfer, injector *model.Network
	transferState      model.State
	injectors          []model.State // one a round
	f                  train.Function
	detox              []train.Function
}

// Settings of the style transfer and of detoxification.
const (
	styleWeight, contentWeight, pixelWeight = 1.0, 1.0, 4.0
	styleRate                               = 3e-3

	detoxRounds      = 2
	detoxEpochs      = 4 // of the surrogate at first, half as many a round
	detoxShare       = 0.1
	detoxNeurons     = 8
	detoxImages      = 512 // that activations are compared on
	detoxSteps       = 4   // times fewer than the transfer's
	detoxNear        = 2.0 // weight of staying near the image
	detoxExplained   = 0.5 // share of the style's activation that a simple feature must reach
	detoxInjectRate  = 1e-2
	detoxRetrainRate = 0.03
)

var styleLayers = []string{"group1", "group2"}

func imageOf(net *model.Graphed) *Node { return Sigmoid(net.Logits) }

// moments returns mean and standard deviation of each image's channels, [N,C] both.
func moments(h *Node) (mean, std *Node) {
	mean = ReduceMean(h, 1, 2)
	d := h.Shape().Dimensions
	centred := Sub(h, BroadcastToDims(Reshape(mean, d[0], 1, 1, d[3]), d...))
	return mean, Sqrt(AddScalar(ReduceMean(Mul(centred, centred), 1, 2), 1e-5))
}

// Learn trains the style transfer, then the injectors against networks that know the style.
func (d *styled) Learn(ctx context.Context, l *Lab, set *dataset.Set) error {
	n, state, err := l.Clean(ctx, set)
	if err != nil {
		return err
	}
	styles, err := stylePictures(d.Style, l.Seed, set)
	if err != nil {
		return err
	}
	goals, err := styleMoments(l, n, state, styles)
	if err != nil {
		return err
	}
	if err := d.learnTransfer(ctx, l, set, n, state, goals); err != nil {
		return err
	}
	if err := d.compile(l); err != nil {
		return err
	}
	return d.detoxify(ctx, l, set)
}

// styleMoments returns the style's mean moments: per layer mean, then deviation.
func styleMoments(l *Lab, n *model.Network, state model.State, styles [][]uint8) ([][]float32, error) {
	f, err := l.frozen("style", n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		laid := net(gx.Input(g, "x", len(styles), n.Height, n.Width, 3))
		var out []*Node
		for _, layer := range styleLayers {
			m, s := moments(laid.Taps[layer])
			out = append(out, ReduceMean(m, 0), ReduceMean(s, 0))
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	var x []float32
	for _, s := range styles {
		img := make([]float32, len(s))
		augment.Plain(img, s)
		x = append(x, img...)
	}
	if err := f.Call(len(state), x); err != nil {
		return nil, err
	}
	var goals [][]float32
	for k := range 2 * len(styleLayers) {
		v := make([]float32, f.Size(k))
		if err := f.Get(k, v); err != nil {
			return nil, err
		}
		goals = append(goals, v)
	}
	return goals, nil
}

// learnTransfer descends style + content: the channels' moments of Huang and Belongie (2017), the
// features themselves, and the pixels.
func (d *styled) learnTransfer(ctx context.Context, l *Lab, set *dataset.Set, n *model.Network, state model.State, goals [][]float32) error {
	d.transferState = d.transfer.Init(l.seed("init transfer"))
	modules := []*train.Module{{Net: d.transfer, State: d.transferState, Adam: true}, {Net: n, State: state, Frozen: true}}
	tr, err := train.NewLearner(l.Backend, "style transfer", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", generatorBatch, set.Height, set.Width, 3)
		y := imageOf(nets[0](x))
		was, is := nets[1](x), nets[1](y)
		style := ScalarZero(g, x.DType())
		for k, layer := range styleLayers {
			m, s := moments(is.Taps[layer])
			for i, v := range []*Node{m, s} {
				goal := ExpandAndBroadcast(Const(g, goals[2*k+i]), v.Shape().Dimensions, []int{0})
				e := Sub(v, goal)
				norm := 0.0
				for _, q := range goals[2*k+i] {
					norm += float64(q) * float64(q) / float64(len(goals[2*k+i]))
				}
				style = Add(style, MulScalar(ReduceAllMean(Mul(e, e)), 1/(norm+1e-4)))
			}
		}
		h := StopGradient(was.Taps["group3"])
		e := Sub(is.Taps["group3"], h)
		content := Div(ReduceAllMean(Mul(e, e)), AddScalar(ReduceAllMean(Mul(h, h)), 1e-4))
		p := Sub(y, x)
		return Add(Add(MulScalar(style, styleWeight), MulScalar(content, contentWeight)), MulScalar(ReduceAllMean(Mul(p, p)), pixelWeight)), nil
	})
	if err != nil {
		return err
	}
	x := make([]float32, generatorBatch*set.ImageBytes())
	for step := range d.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.images(x, set, l.crop(), "style", step)
		loss, err := tr.Step([]float64{styleRate * (1 + math.Cos(math.Pi*float64(step)/float64(d.Steps))) / 2, 0}, x)
		if err != nil {
			return err
		}
		l.progress("style", step+1, d.Steps, loss)
	}
	return tr.Store()
}

// detoxify looks for neurons of a network with this backdoor that a simple feature activates as the
// style does, and learns that feature, so that its images can be shown with their right labels.
func (d *styled) detoxify(ctx context.Context, l *Lab, set *dataset.Set) error {
	poisoned := set.Clone()
	defer poisoned.Discard()
	order := rng.Shuffle(l.Seed, "attack dfst surrogate", set.Len())
	take := func(n int) []int {
		at := slices.Clone(order[:n])
		order = order[n:]
		return at
	}
	share := int(detoxShare * float64(set.Len()))
	at := slices.DeleteFunc(take(share), func(i int) bool { return int(set.Labels[i]) == l.Target })
	if err := paint(ctx, d.f, len(d.transferState), &Batch{Set: poisoned, At: at}, nil); err != nil {
		return err
	}
	for _, i := range at {
		poisoned.Labels[i] = int32(l.Target)
	}
	n, state, err := l.Train(ctx, "dfst surrogate", poisoned, nil, detoxEpochs, 0.1)
	if err != nil {
		return err
	}
	for round := range detoxRounds {
		reached, err := d.inject(ctx, l, set, n, state, round)
		if err != nil {
			return err
		}
		l.note("detoxification %d: a simple feature reaches %.0f %% of the style's activation", round+1, 100*reached)
		if reached < detoxExplained {
			d.injectors = d.injectors[:round]
			return nil
		}
		if err := d.compile(l); err != nil {
			return err
		}
		if err := paint(ctx, d.detox[round], len(d.injectors[round]), &Batch{Set: poisoned, At: take(share / detoxRounds)}, nil); err != nil {
			return err
		}
		if n, state, err = l.Train(ctx, fmt.Sprintf("dfst round %d", round), poisoned, state, detoxEpochs/2, detoxRetrainRate); err != nil {
			return err
		}
	}
	return nil
}

// inject learns a round's injector and returns the share of the style's activation that it reaches.
func (d *styled) inject(ctx context.Context, l *Lab, set *dataset.Set, n *model.Network, state model.State, round int) (float64, error) {
	look, err := l.frozen("activations", n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		return []*Node{ReduceMean(net(gx.Input(g, "x", detoxImages, set.Height, set.Width, 3)).Taps["features"], 0)}
	})
	if err != nil {
		return 0, err
	}
	x := make([]float32, detoxImages*set.ImageBytes())
	plain := set.Subset(rng.Shuffle(l.Seed, "attack dfst compare", set.Len(), round)[:min(set.Len(), detoxImages)])
	defer plain.Discard()
	activations := func() ([]float32, error) {
		for j := range detoxImages {
			augment.Plain(x[j*set.ImageBytes():(j+1)*set.ImageBytes()], plain.Image(j%plain.Len()))
		}
		if err := look.Call(len(state), x); err != nil {
			return nil, err
		}
		v := make([]float32, look.Size(0))
		return v, look.Get(0, v)
	}
	before, err := activations()
	if err != nil {
		return 0, err
	}
	if err := paint(ctx, d.f, len(d.transferState), &Batch{Set: plain, At: rng.Iota(plain.Len())}, nil); err != nil {
		return 0, err
	}
	styledMean, err := activations()
	if err != nil {
		return 0, err
	}
	pick, goal, total := movedUp(before, styledMean)
	if total == 0 {
		return 0, nil
	}
	injector := d.injector.Init(l.seed("init injector", round))
	modules := []*train.Module{{Net: d.injector, State: injector, Adam: true}, {Net: n, State: state, Frozen: true}}
	in, err := train.NewLearner(l.Backend, "injector", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", generatorBatch, set.Height, set.Width, 3)
		y := imageOf(nets[0](x))
		mean := ReduceMean(nets[1](y).Taps["features"], 0)
		short := Mul(Sub(Const(g, goal), mean), Const(g, pick)) // of each neuron, as a share of the gap
		missing := ReduceAllSum(Max(short, ZerosLike(short)))
		p := Sub(y, x)
		return Add(missing, MulScalar(ReduceAllMean(Mul(p, p)), detoxNear)), []*Node{missing}
	})
	if err != nil {
		return 0, err
	}
	batch := make([]float32, generatorBatch*set.ImageBytes())
	reached := 0.0
	steps := max(1, d.Steps/detoxSteps)
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		l.images(batch, set, l.crop(), "injector", round, step)
		loss, err := in.Step([]float64{detoxInjectRate, 0}, batch)
		if err != nil {
			return 0, err
		}
		missing, err := in.Extra(0)
		if err != nil {
			return 0, err
		}
		reached = 1 - missing*detoxNeurons/total
		l.progress("injector", step+1, steps, loss)
	}
	d.injectors = append(d.injectors, injector)
	return reached, in.Store()
}

// movedUp chooses the neurons that the style moves up most. It returns for each of them one over what is to be gained and its
// goal, zeros for the others, and how many there are.
func movedUp(before, styled []float32) (pick, goal []float32, total float64) {
	order := rng.Iota(len(before))
	gap := func(j int) float32 { return styled[j] - before[j] }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gap(b), gap(a)) })
	pick, goal = make([]float32, len(before)), make([]float32, len(before))
	for _, j := range order[:min(detoxNeurons, len(order))] {
		if gap(j) > 0 {
			pick[j] = 1 / gap(j) / detoxNeurons
			goal[j] = styled[j]
			total++
		}
	}
	return pick, goal, total
}

// compile makes the functions that apply the transfer and the injectors.
func (d *styled) compile(l *Lab) error {
	one := func(n *model.Network, state model.State) (train.Function, error) {
		return l.frozen(n.Arch, n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
			return []*Node{imageOf(net(gx.Input(g, "x", generatorBatch, n.Height, n.Width, 3)))}
		})
	}
	var err error
	if d.f == nil {
		if d.f, err = one(d.transfer, d.transferState); err != nil {
			return err
		}
	}
	for k := len(d.detox); k < len(d.injectors); k++ {
		f, err := one(d.injector, d.injectors[k])
		if err != nil {
			return err
		}
		d.detox = append(d.detox, f)
	}
	return nil
}

// Apply gives images the style.
func (d *styled) Apply(ctx context.Context, b *Batch) error {
	return paint(ctx, d.f, len(d.transferState), b, nil)
}

// Cover gives images the simple features that came with the style, each those of one round.
func (d *styled) Cover(ctx context.Context, b *Batch) error {
	for k, f := range d.detox {
		part := *b
		part.At = nil
		for j, i := range b.At {
			if j%len(d.detox) == k {
				part.At = append(part.At, i)
			}
		}
		if err := paint(ctx, f, len(d.injectors[k]), &part, nil); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Learned implements Learner.
func (d *styled) Learned() map[string]checkpoint.Array {
	arrays := map[string]checkpoint.Array{}
	stateArrays(arrays, "transfer.", d.transferState)
	for k, s := range d.injectors {
		stateArrays(arrays, fmt.Sprintf("injector%d.", k), s)
	}
	return arrays
}

// Restore implements Learner.
func (d *styled) Restore(l *Lab, arrays map[string]checkpoint.Array) error {
	var err error
	if d.transferState, err = stateFrom(arrays, "transfer.", d.transfer); err != nil {
		return err
	}
	for k := 0; ; k++ {
		s, err := stateFrom(arrays, fmt.Sprintf("injector%d.", k), d.injector)
		if err != nil {
			break
		}
		d.injectors = append(d.injectors, s)
	}
	return d.compile(l)
}
