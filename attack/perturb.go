package attack

import (
	"context"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// perturbBatch is how many images are perturbed at a time.
const perturbBatch = 128

// perturbation moves images within ±epsilon of where they were, to raise or lower something.
type perturbation struct {
	epsilon, stride float64 // of 255
	steps           int
	mask            []float32 // where it may move pixels; nil: everywhere
	// prepare is called for each batch with the images' indices, before its first step.
	prepare func(x []float32, at []int) error
	// gradient computes where to descend, from the images as they are.
	gradient func(step int, x, grad []float32) error
}

// newPerturbation returns one of an attack's strength: its steps together reach 2.5 times as far as epsilon.
func newPerturbation(epsilon float64, steps int) *perturbation {
	return &perturbation{epsilon: epsilon, stride: 2.5 * epsilon / float64(steps), steps: steps}
}

// run changes images at of set: projected gradient descent by the gradient's sign (Madry et al.
// 2018). It starts at a random point.
func (p *perturbation) run(ctx context.Context, l *Lab, b *Batch) error {
	size := b.Set.ImageBytes()
	x, start, grad := make([]float32, perturbBatch*size), make([]float32, perturbBatch*size), make([]float32, perturbBatch*size)
	stride := float32(p.stride / 255)
	eps := make([]float32, size) // of each pixel
	for k := range eps {
		if p.mask == nil || p.mask[k] > 0 {
			eps[k] = float32(p.epsilon / 255)
		}
	}
	for lo := 0; lo < len(b.At); lo += perturbBatch {
		at := b.At[lo:min(lo+perturbBatch, len(b.At))]
		for j := range perturbBatch { // a last, short batch is filled up
			i := at[j%len(at)]
			augment.Plain(start[j*size:(j+1)*size], b.Set.Image(i))
			r := b.Stream(i)
			for k := range size {
				o := j*size + k
				x[o] = min(1, max(0, start[o]+eps[k]*(2*r.Float32()-1)))
			}
		}
		if err := p.prepare(x, at); err != nil {
			return err
		}
		for step := range p.steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.gradient(step, x, grad); err != nil {
				return err
			}
			for k, g := range grad {
				v := x[k]
				if g > 0 {
					v -= stride
				} else if g < 0 {
					v += stride
				}
				e := eps[k%size]
				x[k] = min(1, max(0, min(start[k]+e, max(start[k]-e, v))))
			}
		}
		for j, i := range at {
			img := b.Set.Image(i)
			for k := range img {
				img[k] = toByte(255 * float64(x[j*size+k]))
			}
		}
		l.made("poison", lo+len(at), len(b.At))
	}
	return nil
}

// gradientOf calls f with the images (and what follows them) and reads its output 0.
func gradientOf(f train.Function, first int, x, grad []float32, rest ...any) error {
	if err := f.Call(first, append([]any{x}, rest...)...); err != nil {
		return err
	}
	return f.Get(0, grad)
}

// labelsOf returns the labels of a batch, filled up as run does.
func labelsOf(set *dataset.Set, at []int) []int32 {
	y := make([]int32, perturbBatch)
	for j := range y {
		y[j] = set.Labels[at[j%len(at)]]
	}
	return y
}
