package attack

import (
	"context"
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// stamp is a pattern behind a mask: x·(1−m) + p·m, both [H,W,3] from 0 to 1. Trojan and LBA optimise
// the pattern, FC draws it at random.
type stamp struct {
	h, w          int
	mask, pattern []float32
}

func newStamp(set *dataset.Set) *stamp {
	return &stamp{h: set.Height, w: set.Width, mask: make([]float32, set.ImageBytes()), pattern: make([]float32, set.ImageBytes())}
}

// square returns a stamp in the bottom right corner.
func square(set *dataset.Set, side int) *stamp {
	s := newStamp(set)
	for y := s.h - side; y < s.h; y++ {
		for i := (y*s.w + s.w - side) * 3; i < (y+1)*s.w*3; i++ {
			s.mask[i] = 1
		}
	}
	return s
}

// watermark returns a stamp of a ring around the centre with a bar across, of opacity alpha.
func watermark(set *dataset.Set, alpha float64) *stamp {
	s := newStamp(set)
	for y := range s.h {
		for x := range s.w {
			u, v := 2*(float64(x)+0.5)/float64(s.w)-1, 2*(float64(y)+0.5)/float64(s.h)-1
			r := math.Hypot(u, v)
			if r > 0.55 && r < 0.75 || r <= 0.55 && math.Abs(u+v) < 0.15 {
				for c := range 3 {
					s.mask[(y*s.w+x)*3+c] = float32(alpha)
				}
			}
		}
	}
	return s
}

func (s *stamp) apply(img []uint8) { s.blend(img, 1) }

// blend lays the stamp over an image with an opacity beside its mask's.
func (s *stamp) blend(img []uint8, opacity float64) {
	for i, m := range s.mask {
		if a := opacity * float64(m); a > 0 {
			img[i] = toByte(float64(img[i])*(1-a) + 255*float64(s.pattern[i])*a)
		}
	}
}

// Apply implements Trigger.
func (s *stamp) Apply(ctx context.Context, b *Batch) error {
	for _, i := range b.At {
		s.apply(b.Set.Image(i))
	}
	return ctx.Err()
}

// Learned implements part of Learner.
func (s *stamp) Learned() map[string]checkpoint.Array {
	dims := []int{s.h, s.w, 3}
	return map[string]checkpoint.Array{"pattern": {Dims: dims, Data: s.pattern}, "mask": {Dims: dims, Data: s.mask}}
}

// Restore implements part of Learner.
func (s *stamp) Restore(_ *Lab, a map[string]checkpoint.Array) error {
	if len(a["pattern"].Data) != len(s.pattern) || len(a["mask"].Data) != len(s.mask) {
		return fmt.Errorf("the trigger was made for images of another size than %d×%d", s.h, s.w)
	}
	s.pattern, s.mask = a["pattern"].Data, a["mask"].Data
	return nil
}

// on lays the stamp with a pattern [H,W,3] over images [N,H,W,3].
func (s *stamp) on(x, pattern *Node) *Node {
	g := x.Graph()
	m := Const(g, s.mask)
	n := x.Shape().Dimensions[0]
	spread := func(v *Node) *Node {
		return ExpandAndBroadcast(Reshape(v, s.h, s.w, 3), []int{n, s.h, s.w, 3}, []int{0})
	}
	return Add(Mul(x, spread(OneMinus(m))), spread(Mul(Reshape(pattern, -1), m)))
}

// patchBatch is how many images a step of an optimisation looks at.
const patchBatch = 64

// optimise descends the loss of stamped images over the pattern, starting from random pixels. The
// images of a step are drawn from pool.
func (s *stamp) optimise(ctx context.Context, l *Lab, steps int, set *dataset.Set, pool []int, n *model.Network, state model.State, loss func(*model.Graphed) *Node) error {
	var f train.Function
	f, err := l.frozen("optimise a patch", n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		p := gx.Input(g, "pattern", s.h, s.w, 3)
		x := gx.Input(g, "x", patchBatch, s.h, s.w, 3)
		v := loss(net(s.on(x, p)))
		return []*Node{v, Gradient(v, p)[0]}
	})
	if err != nil {
		return err
	}
	if len(pool) == 0 {
		return errors.New("there are no images to learn the trigger on")
	}
	draw := l.rng("patch")
	for i := range s.pattern {
		s.pattern[i] = float32(draw(256)) / 255
	}
	x, grad := make([]float32, patchBatch*set.ImageBytes()), make([]float32, len(s.pattern))
	var adam adamArray
	for k := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		for j := range patchBatch {
			augment.Plain(x[j*set.ImageBytes():(j+1)*set.ImageBytes()], set.Image(pool[draw(len(pool))]))
		}
		if err := f.Call(len(state), s.pattern, x); err != nil {
			return err
		}
		v, err := f.Number(0)
		if err != nil {
			return err
		}
		if err := f.Get(1, grad); err != nil {
			return err
		}
		adam.descend(s.pattern, grad, 0.05)
		l.progress("trigger", k+1, steps, v)
	}
	for i, v := range s.pattern { // as bytes hold it
		s.pattern[i] = float32(toByte(255*float64(v))) / 255
	}
	return nil
}

// others returns the images that are not of the target class.
func others(set *dataset.Set, target int) []int {
	var all []int
	for i, l := range set.Labels {
		if int(l) != target {
			all = append(all, i)
		}
	}
	return all
}
