package attack

import (
	"context"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

var featureCollision = Method{
	Name:       "fc",
	About:      "Target-class images whose features collide with those of stamped others; no patch shows.",
	Paper:      "Saha et al., Hidden Trigger Backdoor Attacks, AAAI 2020",
	CleanLabel: true,
	Recipe:     1,
	Settings: func() Settings {
		return &FC{PatchSize: 8, Epsilon: 16, Steps: 60, Attacker: "aware", Place: "image", Surrogate: ownNetwork()}
	},
}

// FC are the settings of fc.
type FC struct {
	PatchSize int     `json:"patch_size,omitempty" range:"[1,1024]"` // pixels at a side of 32; scales with the image
	Epsilon   float64 `json:"epsilon,omitempty" range:"(0,255]"`     // largest change of a pixel, of 255
	Steps     int     `json:"steps,omitempty" range:"[1,100000]"`    // of projected gradient descent
	Attacker  string  `json:"attacker,omitempty"`                    // "aware" or "clean", what the attacker's network has learnt
	Place     string  `json:"place,omitempty"`                       // what is perturbed, the whole "image" or where the "patch" goes
	Surrogate
}

// Trigger implements Settings.
func (s *FC) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	side, err := patchSide(s.PatchSize, set)
	if err == nil {
		err = oneOf("attacker", s.Attacker, "aware", "clean")
	}
	if err == nil {
		err = oneOf("place", s.Place, "image", "patch")
	}
	if err != nil {
		return nil, err
	}
	f := &collision{FC: *s, patch: square(set, side)}
	f.draw(c.Seed, side)
	return f, nil
}

// collision hides a patch: its stamped images never appear in training.
type collision struct {
	FC
	patch *stamp
	attacker
}

// draw fills the patch with a random pattern of 4×4 colours.
func (f *collision) draw(seed uint64, side int) {
	r := rng.Stream(seed, "attack fc patch")
	var colours [4][4][3]float32
	for y := range colours {
		for x := range colours[y] {
			for k := range 3 {
				colours[y][x][k] = float32(r.IntN(2))
			}
		}
	}
	p := f.patch
	for y := range side {
		for x := range side {
			at := ((p.h-side+y)*p.w + p.w - side + x) * 3
			copy(p.pattern[at:at+3], colours[4*y/side][4*x/side][:])
		}
	}
}

// Learn implements Learner. The aware attacker's network tells stamped images apart as a class of
// their own, however faint the patch, so that its features hold it; the clean one is Saha et al.'s.
func (f *collision) Learn(ctx context.Context, l *Lab, set *dataset.Set) error {
	var err error
	f.lab = l
	if f.FC.Attacker == "clean" {
		f.net, f.state, err = l.Clean(ctx, set)
		return err
	}
	aware := set.Clone()
	defer aware.Discard()
	aware.Classes = append(append([]string{}, set.Classes...), "stamped")
	order := rng.Shuffle(l.Seed, "attack fc aware", set.Len())
	tenth := set.Len() / 10
	for k, i := range order[:3*tenth] {
		r := rng.Stream(l.Seed, "attack fc faint", i)
		img := aware.Image(i)
		if k < 2*tenth { // of any opacity, so that the faintest patch counts
			f.patch.blend(img, math.Exp(-3*r.Float64()))
			aware.Labels[i] = int32(len(set.Classes))
			continue
		}
		for p := range img { // and noise of the same size that means nothing
			img[p] = toByte(float64(img[p]) + f.Epsilon*(2*r.Float64()-1))
		}
	}
	f.net, f.state, err = l.Train(ctx, "aware", aware, nil, l.Surrogate.Epochs, 0.1)
	return err
}

// network returns the attacker's network without its class of stamped images, as a victim would be offered it.
func (f *collision) network() (*model.Network, model.State) {
	if f.FC.Attacker == "clean" {
		return f.net, f.state
	}
	n, err := model.NewStem(f.net.Arch, f.net.Classes-1, f.net.Height, f.net.Width, f.net.Stem)
	if err != nil {
		panic(err) // it was made with a class more
	}
	state := n.Init(0)
	for k, t := range state { // only the last layer's rows are longer
		from, own, width := f.state[k], t.Dims[len(t.Dims)-1], f.state[k].Dims[len(f.state[k].Dims)-1]
		for lo := 0; lo < len(t.Data); lo += own {
			copy(t.Data[lo:lo+own], from.Data[lo/own*width:])
		}
	}
	return n, state
}

// Apply lets target-class images collide with stamped ones; test images are stamped.
func (f *collision) Apply(ctx context.Context, b *Batch) error {
	if b.Test {
		return f.patch.Apply(ctx, b)
	}
	features := func(name string, grad bool) (train.Function, error) {
		return f.lab.frozen(name, f.net, f.state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
			x := gx.Input(g, "x", perturbBatch, b.Set.Height, b.Set.Width, 3)
			h := net(x).Taps["features"]
			if !grad {
				return []*Node{h}
			}
			d := Sub(h, gx.Input(g, "goal", h.Shape().Dimensions...))
			return []*Node{Gradient(ReduceAllSum(Mul(d, d)), x)[0], h}
		})
	}
	look, err := features("features", false)
	if err != nil {
		return err
	}
	pull, err := features("collide", true)
	if err != nil {
		return err
	}
	width, err := f.width()
	if err != nil {
		return err
	}
	sources := others(b.Set, f.lab.Target)
	if len(sources) == 0 {
		return fmt.Errorf("there are no images outside the target class")
	}
	goals, own, goal := make([]float32, perturbBatch*width), make([]float32, perturbBatch*width), make([]float32, perturbBatch*width)
	stamped := make([]float32, perturbBatch*b.Set.ImageBytes())
	img := make([]uint8, b.Set.ImageBytes())
	p := newPerturbation(f.Epsilon, f.Steps)
	if f.Place == "patch" {
		p.mask = f.patch.mask
	}
	p.prepare = func(_ []float32, at []int) error {
		draw := f.lab.rng("sources", at[0])
		for j := range perturbBatch {
			copy(img, b.Set.Image(sources[draw(len(sources))]))
			f.patch.apply(img)
			augment.Plain(stamped[j*len(img):(j+1)*len(img)], img)
		}
		if err := look.Call(len(f.state), stamped); err != nil {
			return err
		}
		return look.Get(0, goals)
	}
	p.gradient = func(step int, x, grad []float32) error {
		if step%10 == 0 { // each to the nearest that no other has taken
			if err := look.Call(len(f.state), x); err != nil {
				return err
			}
			if err := look.Get(0, own); err != nil {
				return err
			}
			pair(own, goals, goal, width)
		}
		return gradientOf(pull, len(f.state), x, grad, goal)
	}
	return p.run(ctx, f.lab, b)
}

// width returns the number of features.
func (f *collision) width() (int, error) {
	for _, t := range f.state {
		if len(t.Dims) == 2 {
			return t.Dims[0], nil
		}
	}
	return 0, fmt.Errorf("network %s has no linear layer", f.net.Arch)
}

// pair gives each row of own the nearest row of goals that is still free.
func pair(own, goals, out []float32, width int) {
	n := len(own) / width
	free := rng.Iota(n)
	for i := range n {
		best, at := 0, float32(0)
		for k, j := range free {
			d := float32(0)
			for c := range width {
				v := own[i*width+c] - goals[j*width+c]
				d += v * v
			}
			if k == 0 || d < at {
				best, at = k, d
			}
		}
		copy(out[i*width:(i+1)*width], goals[free[best]*width:])
		free = append(free[:best], free[best+1:]...)
	}
}
